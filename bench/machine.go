package bench

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"rollcall/embedder"
)

// machine says where and when something was measured: figures without it cannot
// be compared.
type machine struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	GoMaxProcs  int    `json:"gomaxprocs"`
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Date        string `json:"date"` // RFC 3339, UTC
	Go          string `json:"go"`
	OnnxRuntime string `json:"onnxruntime,omitempty"` // version; empty where no model was run
	Revision    string `json:"revision,omitempty"`    // of the source, where the build knows it
}

func describeMachine() machine {
	return machine{
		CPU:         cpuModel("/proc/cpuinfo"),
		Cores:       runtime.NumCPU(),
		GoMaxProcs:  runtime.GOMAXPROCS(0),
		OS:          runtime.GOOS,
		Arch:        runtime.GOARCH,
		Date:        time.Now().UTC().Format(time.RFC3339),
		Go:          runtime.Version(),
		OnnxRuntime: embedder.RuntimeVersion(),
		Revision:    revision(),
	}
}

// cpuModel returns the name of the first processor that Linux lists in file.
func cpuModel(file string) string {
	const unknown = "unknown"
	info, err := os.ReadFile(file)
	if err != nil {
		return unknown // not Linux
	}
	for line := range bytes.Lines(info) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if ok && string(bytes.TrimSpace(key)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	return unknown // not every architecture names it
}

// revision returns the commit that the binary was built from, with "+" where the
// source was changed after it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var commit, changed string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + changed
}
