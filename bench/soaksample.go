package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// soakSample is what the server takes at one moment. Sizes are in bytes.
type soakSample struct {
	Seconds     float64 `json:"seconds"` // since the start
	RSS         float64 `json:"rss"`
	Anonymous   float64 `json:"rss_anonymous"` // of RSS, what is no file
	Heap        float64 `json:"go_heap"`       // what the last garbage collection found in use
	Native      float64 `json:"native"`        // of Anonymous, what is not Go's: ONNX Runtime, Pebble's cache
	Goroutines  float64 `json:"goroutines"`
	Descriptors float64 `json:"descriptors"`
	Disk        float64 `json:"disk"` // the data folder

	Galleries float64 `json:"galleries"`
	Loaded    float64 `json:"galleries_loaded"`
	Loads     float64 `json:"model_loads"`
	Unloads   float64 `json:"model_unloads"`
}

// sample reads what the server takes now. Only Linux tells it.
func (s *soak) sample(ctx context.Context, client *http.Client, start time.Time) (now soakSample, err error) {
	metrics, err := readMetrics(ctx, client, s.child.url)
	if err != nil {
		return now, err
	}
	status, err := readStatus(s.child.pid)
	if err != nil {
		return now, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.child.pid))
	if err != nil {
		return now, err
	}
	now = soakSample{
		Seconds: time.Since(start).Seconds(), RSS: status["VmRSS"], Anonymous: status["RssAnon"],
		// The next collection begins when the heap has doubled.
		Heap:       metrics["go_memstats_next_gc_bytes"] / 2,
		Native:     status["RssAnon"] - (metrics["go_memstats_sys_bytes"] - metrics["go_memstats_heap_released_bytes"]),
		Goroutines: metrics["go_goroutines"], Descriptors: float64(len(open)),
		Galleries: metrics["rollcall_galleries"], Loaded: metrics["rollcall_galleries_loaded"],
		Loads: metrics["rollcall_model_loads_total"], Unloads: metrics["rollcall_model_unloads_total"],
	}
	now.Disk, err = folderBytes(s.data)
	return now, err
}

// readMetrics returns the metrics without labels.
func readMetrics(ctx context.Context, client *http.Client, url string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read /metrics: %s", resp.Status)
	}
	values := make(map[string]float64)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if values[name], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("read /metrics: %w", err)
		}
	}
	return values, lines.Err()
}

// readStatus returns the sizes of a process in bytes, by the names that Linux gives them.
func readStatus(pid int) (map[string]float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("read the memory of process %d, which only Linux tells: %w", pid, err)
	}
	sizes := make(map[string]float64)
	for line := range bytes.Lines(content) {
		fields := bytes.Fields(line)
		if len(fields) != 3 || string(fields[2]) != "kB" {
			continue
		}
		kib, err := strconv.ParseFloat(string(fields[1]), 64)
		if err != nil {
			return nil, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		sizes[strings.TrimSuffix(string(fields[0]), ":")] = kib * 1024
	}
	return sizes, nil
}

// folderBytes returns the sizes of the files of a folder. Files may come and go.
func folderBytes(dir string) (sum float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				sum += float64(info.Size())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}

// watch samples until ctx ends, and prints a line each minute.
func (s *soak) watch(ctx context.Context, progress io.Writer, start time.Time) (samples []soakSample, err error) {
	client := newHTTPClient(1, s.child.token)
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(s.options.every)
	defer ticker.Stop()
	printed := time.Duration(0)
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return samples, nil
		}
		now, err := s.sample(ctx, client, start)
		if ctx.Err() != nil {
			return samples, nil
		}
		if err != nil {
			return samples, err
		}
		samples = append(samples, now)
		if past := time.Since(start).Truncate(time.Minute); past > printed {
			printed = past
			calls, failures := s.tally.sums()
			fmt.Fprintf(progress, "%4.0f min: %s; %.0f of %.0f galleries loaded, %.0f models loaded so far; %d calls, %d failed\n",
				past.Minutes(), now, now.Loaded, now.Galleries, now.Loads, calls, failures)
		}
	}
}

// String is for people.
func (s soakSample) String() string {
	var parts []string
	for _, m := range soakMeasures {
		parts = append(parts, m.name+" "+m.show(m.of(s)))
	}
	return strings.Join(parts, ", ")
}

const (
	// restTime is how long a server may take to end what clients that went away have left.
	restTime = 20 * time.Second
	// restStill is how long the number of goroutines must not have fallen: some are woken once
	// a second.
	restStill = 1500 * time.Millisecond
)

// rest waits until nobody has a connection but the one that asks, and returns the sample with
// the fewest goroutines.
func (s *soak) rest(ctx context.Context) (least soakSample, err error) {
	client := newHTTPClient(1, s.child.token)
	defer client.CloseIdleConnections()
	if err := s.warm(ctx, client); err != nil {
		return least, err
	}
	start := time.Now()
	fell := start
	for first := true; time.Since(start) < restTime && time.Since(fell) < restStill; first = false {
		now, err := s.sample(ctx, client, start)
		if err != nil {
			return least, err
		}
		if first || now.Goroutines < least.Goroutines {
			least, fell = now, time.Now()
		}
		select {
		case <-time.After(restStill / 10):
		case <-ctx.Done():
			return least, context.Cause(ctx)
		}
	}
	return least, nil
}
