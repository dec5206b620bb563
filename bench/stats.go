package bench

import (
	"math"
	"slices"
	"time"
)

// quantile returns the value that a share q (0..1) of the values do not exceed,
// by the nearest rank; 0 without values. The values are sorted in place.
func quantile[T ~int64 | ~float64](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := int(math.Ceil(q * float64(len(values))))
	return values[min(max(rank-1, 0), len(values)-1)]
}

func median[T ~int64 | ~float64](values []T) T { return quantile(values, 0.5) }

func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}

// latency sums up how long calls took. Times are in milliseconds.
type latency struct {
	Calls  int     `json:"calls"`
	Median float64 `json:"median_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
}

// summarise sorts the times in place.
func summarise(times []time.Duration) latency {
	return latency{
		Calls:  len(times),
		Median: milliseconds(median(times)),
		P90:    milliseconds(quantile(times, 0.9)),
		P99:    milliseconds(quantile(times, 0.99)),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ratio is a share of counted things.
type ratio struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Share float64 `json:"share"` // 0 of nothing
}

func ratioOf(count, of int) ratio {
	return ratio{Count: count, Of: of, Share: float64(count) / float64(max(of, 1))}
}
