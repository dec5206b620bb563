package embedder

import (
	"context"
	"fmt"
	"sync"

	"rollcall/embedder/ort"
	"rollcall/embedder/ortlib"
)

// started is the library that this process runs on. ONNX Runtime has one environment per process.
var started struct {
	sync.Mutex
	path, version string
}

// Start finds or installs ONNX Runtime, as [ortlib.Ensure] does and with its errors, loads it once per
// process, and returns the library that runs. It is never unloaded, because nothing proves that none of its
// threads still runs. Starting the same library again does nothing; starting another one is an error. If a
// library reports another version than it declares, the error wraps [ortlib.ErrUnusable], and a later Start
// may succeed. Start is safe for concurrent use.
//
// ONNX Runtime's telemetry is off. It writes nothing to standard error: failures are returned.
func Start(ctx context.Context, opts ortlib.Options) (ortlib.Library, error) {
	lib, err := ortlib.Ensure(ctx, opts)
	if err != nil {
		return lib, err
	}
	return lib, start(lib)
}

// start loads a library.
func start(lib ortlib.Library) error {
	started.Lock()
	defer started.Unlock()
	if started.path != "" {
		if started.path != lib.Path {
			return fmt.Errorf("start ONNX Runtime: %s is running already, %s cannot replace it", started.path, lib.Path)
		}
		return nil
	}
	var version string
	err := ort.Open(lib.Path, func(reported string) error {
		version = reported
		return lib.CheckReported(reported)
	})
	if err != nil {
		return fmt.Errorf("start ONNX Runtime: %w", err)
	}
	started.path, started.version = lib.Path, version
	return nil
}

func isStarted() bool {
	started.Lock()
	defer started.Unlock()
	return started.path != ""
}

// RuntimeVersion returns the version of ONNX Runtime that this process runs on, such as "1.24.3"; "" before
// [Start].
func RuntimeVersion() string {
	started.Lock()
	defer started.Unlock()
	return started.version
}
