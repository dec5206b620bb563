package embedder

import (
	"errors"
	"fmt"
	"os"

	ort "github.com/yalue/onnxruntime_go"
)

// openModel makes a session of an ONNX file, with weights of its own. A run uses one thread, the caller's.
// The caller destroys it.
func openModel(onnx []byte) (*ort.DynamicAdvancedSession, error) {
	o, err := sessionOptions(1, ort.GraphOptimizationLevelEnableAll)
	if err != nil {
		return nil, err
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(onnx, nil, nil, o)
	return s, errors.Join(err, o.Destroy())
}

// weightsFile is the file of the weights, in the folder of an optimised graph.
const weightsFile = "weights"

// optimise writes the graph of a model as it is after all optimisations for this machine. Its weights go
// into a file beside it, in the order of the kernels, and with derived so does what the kernels derive from
// them. It is an error if they could not read that there.
func optimise(onnx []byte, graph string, derived bool) error {
	o, err := sessionOptions(1, ort.GraphOptimizationLevelEnableAll)
	if err != nil {
		return err
	}
	err = errors.Join(
		o.SetOptimizedModelFilePath(graph),
		o.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", weightsFile),
		o.AddSessionConfigEntry("session.save_external_prepacked_constant_initializers", flag(derived)),
	)
	if err == nil {
		var s *ort.DynamicAdvancedSession // which only writes the files
		if s, err = ort.NewDynamicAdvancedSessionWithONNXData(onnx, nil, nil, o); err == nil {
			err = s.Destroy()
		}
	}
	if err = errors.Join(err, o.Destroy()); err != nil {
		return err
	}
	written, err := os.ReadFile(graph)
	if err != nil {
		return err
	}
	return checkDerived(written)
}

// openOptimised makes a session of what optimise has written. A run uses the given number of threads, of
// which one is the caller's. ONNX Runtime maps the weights from their file. So all such sessions read the
// same memory, and it stays when the file is deleted. The caller destroys it.
func openOptimised(graph string, threads int) (*ort.DynamicAdvancedSession, error) {
	o, err := sessionOptions(threads, ort.GraphOptimizationLevelDisableAll)
	if err != nil {
		return nil, err
	}
	s, err := ort.NewDynamicAdvancedSession(graph, nil, nil, o)
	return s, errors.Join(err, o.Destroy())
}

// sessionOptions are what all sessions have in common. The memory arena stays on, which is ONNX Runtime's
// default: without it a process of MobileFaceNet grew from 60 to 120 MB under load. The memory pattern is
// off: with it two sessions of ArcFace's ResNet-34 took 13 MB more, of MobileFaceNet 5, and a run took as
// long, within 1 % (2026-11-26, an experiment).
func sessionOptions(threads int, level ort.GraphOptimizationLevel) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(threads),
		o.SetInterOpNumThreads(1),
		o.SetMemPattern(false),
		o.SetGraphOptimizationLevel(level),
		o.SetLogSeverityLevel(ort.LoggingLevelFatal),
		// The threads of a run spin while they wait for its next layer, and stop at its end: a thread that
		// spins between runs takes the core from another caller. To sleep after each layer costs more than
		// the threads gain: MobileFaceNet on two cores took 2.9 ms with one thread, 2.6 to 2.8 with two that
		// sleep, and 1.7 with two that spin (2026-11-26).
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", flag(threads > 1)),
		o.AddSessionConfigEntry("session.force_spinning_stop", "1"),
		o.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set the options of a session: %w", err), o.Destroy())
	}
	return o, nil
}

// flag is a setting as ONNX Runtime reads it.
func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
