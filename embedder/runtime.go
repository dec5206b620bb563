package embedder

import (
	"context"
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"rollcall/embedder/ortlib"
)

// started is the library that this process runs on. ONNX Runtime has one environment per process.
var started struct {
	sync.Mutex
	path string
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
	ort.SetSharedLibraryPath(lib.Path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return fmt.Errorf("start ONNX Runtime: %w", err)
	}
	if err := checkLibrary(lib); err != nil {
		if stop := ort.DestroyEnvironment(); stop != nil {
			return fmt.Errorf("start ONNX Runtime: %w; stopping it again: %w", err, stop)
		}
		return fmt.Errorf("start ONNX Runtime: %w", err)
	}
	started.path = lib.Path
	return nil
}

func checkLibrary(lib ortlib.Library) error {
	if err := lib.CheckReported(ort.GetVersion()); err != nil {
		return err
	}
	if err := ort.DisableTelemetry(); err != nil {
		return fmt.Errorf("switch telemetry off: %w", err)
	}
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
	if !isStarted() {
		return ""
	}
	return ort.GetVersion()
}
