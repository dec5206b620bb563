package embedder

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers tell apart with errors.Is. Beside them come those of package picture, for
// bytes that are no usable image, and of package models, for a model that is not there or not the one
// that its contract locks (ErrUnknownModel, ErrNotInstalled, ErrNoneInstalled, ErrDamaged,
// ErrDigestMismatch), and the context's. No message contains a path of this
// machine or anything of a crop.
var (
	// ErrNotStarted: [Start] has not succeeded in this process.
	ErrNotStarted = errors.New("ONNX Runtime has not been started")
	// ErrClosed: the embedder is closed or closing.
	ErrClosed = errors.New("the embedder is closed")
	// ErrQueueFull: too many callers wait. The error is a [QueueFullError].
	ErrQueueFull = errors.New("too many crops are waiting")
	// ErrLandmarks: the landmarks of the request cannot be those of a face on this crop.
	ErrLandmarks = errors.New("unusable landmarks")
	// ErrWrongKind: the model named is not of the kind that is needed, such as a locator to embed.
	ErrWrongKind = errors.New("the model is of another kind")
	// ErrModel: an ONNX file is not what its contract says, or cannot be run. The message says what
	// differs.
	ErrModel = errors.New("the model does not fulfil its contract")
	// ErrGolden: a model answers the golden picture otherwise than when it was installed, so its
	// embeddings must not be compared with older ones. It comes with ErrModel.
	ErrGolden = errors.New("the model answers otherwise than when it was installed")
	// ErrOutput: a model returned numbers that are not finite, or only zeros, for a crop. Nothing is
	// wrong with the request; the model or the library is broken.
	ErrOutput = errors.New("the model returned no usable embedding")
)

// QueueFullError is the refusal of one caller too many. It is [ErrQueueFull] to errors.Is.
type QueueFullError struct {
	// RetryAfter is when it is worth trying again: about the time in which the callers that are
	// there now will have been served.
	RetryAfter time.Duration
}

// Error says after what delay to try again.
func (e *QueueFullError) Error() string {
	return fmt.Sprintf("%v: try again in %v", ErrQueueFull, e.RetryAfter)
}

// Is reports whether target is [ErrQueueFull].
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }
