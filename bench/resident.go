package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

const mib = 1 << 20

// residentBytes returns how much memory a process has in RAM, as Linux tells it. The
// bench commands that need it do not work elsewhere.
//
// It is what ps shows (VmRSS), but for deleted files: a model's weights are one that both
// sessions of ONNX Runtime map, and VmRSS counts its pages for each. They count once here,
// which is their "Pss", since no other process maps them.
func residentBytes(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/smaps", pid)
	mappings, err := os.ReadFile(name)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d, which only Linux tells: %w", pid, err)
	}
	var sum int64
	key := "Rss:"
	for line := range bytes.Lines(mappings) {
		fields := bytes.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if first := fields[0]; first[len(first)-1] != ':' { // a new mapping: its addresses
			key = "Rss:"
			if bytes.HasSuffix(bytes.TrimSpace(line), []byte("(deleted)")) {
				key = "Pss:"
			}
			continue
		}
		if len(fields) != 3 || string(fields[0]) != key {
			continue
		}
		kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		sum += kib << 10
	}
	if sum == 0 { // a process that has ended and was not waited for has no memory
		return 0, fmt.Errorf("read the memory of process %d: it has none any more", pid)
	}
	return sum, nil
}
