package bench

import (
	"context"
	"time"
)

// memoryGrowth is what became of a process's memory under load.
type memoryGrowth struct {
	Samples int     `json:"samples"`
	Start   int64   `json:"start_bytes"`
	Warm    int64   `json:"warm_bytes"` // after the first third
	End     int64   `json:"end_bytes"`
	Peak    int64   `json:"peak_bytes"`
	Growth  int64   `json:"growth_bytes"` // End - Warm
	Share   float64 `json:"growth_share"` // of Warm
}

// samplesAveraged is how many samples Warm and End are the median of: one may fall
// into a garbage collection.
const samplesAveraged = 5

func newMemoryGrowth(samples []int64) memoryGrowth {
	if len(samples) == 0 {
		return memoryGrowth{}
	}
	g := memoryGrowth{Samples: len(samples), Start: samples[0]}
	for _, s := range samples {
		g.Peak = max(g.Peak, s)
	}
	warm := samples[len(samples)/3:]
	n := min(samplesAveraged, len(warm))
	g.Warm = median(append([]int64(nil), warm[:n]...))
	g.End = median(append([]int64(nil), warm[len(warm)-n:]...))
	g.Growth = g.End - g.Warm
	g.Share = float64(g.Growth) / float64(max(g.Warm, 1))
	return g
}

// sampleMemory reads a process's memory now and then until ctx ends. It returns
// what it has beside an error.
func sampleMemory(ctx context.Context, pid int, every time.Duration) (samples []int64, err error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		resident, err := residentBytes(pid)
		if err != nil {
			return samples, err
		}
		samples = append(samples, resident)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return samples, nil
		}
	}
}
