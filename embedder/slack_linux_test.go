package embedder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLateWakeups: the threads of Go's runtime have the setting too.
func TestLateWakeups(t *testing.T) {
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(threads) < 2 {
		t.Fatalf("threads: %v, %v", threads, err)
	}
	for _, thread := range threads {
		text, err := os.ReadFile(filepath.Join("/proc", filepath.Base(thread), "timerslack_ns"))
		if err != nil {
			t.Skipf("the setting cannot be read: %v", err)
		}
		if got := strings.TrimSpace(string(text)); got != "1000000" {
			t.Errorf("thread %s: %s ns", filepath.Base(thread), got)
		}
	}
}
