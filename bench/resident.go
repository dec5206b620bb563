package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

const mib = 1 << 20

// residentBytes returns how much memory a process has in RAM (VmRSS), as Linux
// tells it. The bench commands that need it do not work elsewhere.
func residentBytes(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/status", pid)
	status, err := os.ReadFile(name)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d, which only Linux tells: %w", pid, err)
	}
	for line := range bytes.Lines(status) {
		value, ok := bytes.CutPrefix(line, []byte("VmRSS:"))
		if !ok {
			continue
		}
		fields := bytes.Fields(value)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			break
		}
		kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			break
		}
		return kib << 10, nil
	}
	// A process that has ended and was not waited for has no memory.
	return 0, fmt.Errorf("read the memory of process %d: it has none any more", pid)
}
