package embedder

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers tell apart with errors.Is. There are others: those of package picture, for bytes that
// are not a usable image; those of package models, for a model that is missing or that is not the one its
// contract locks (ErrUnknownModel, ErrNotInstalled, ErrNoneInstalled, ErrDamaged, ErrDigestMismatch); and
// the context's. No message contains a path of this machine or any content of a crop.
var (
	// ErrNotStarted: [Start] has not succeeded in this process.
	ErrNotStarted = errors.New("ONNX Runtime has not been started")
	// ErrClosed: the embedder is closed or closing.
	ErrClosed = errors.New("the embedder is closed")
	// ErrQueueFull: too many callers wait. The error is a [QueueFullError].
	ErrQueueFull = errors.New("too many crops are waiting")
	// ErrLandmarks: the landmarks of the request cannot be those of a face on this crop.
	ErrLandmarks = errors.New("unusable landmarks")
	// ErrBox: the box of the request is not on the image.
	ErrBox = errors.New("the box of the face is not on the image: send it in pixels of the image as shown")
	// ErrWrongKind: the named model is not of the kind that is needed, for example a locator instead of an
	// embedder.
	ErrWrongKind = errors.New("the model is of another kind")
	// ErrModel: an ONNX file is not what its contract says, or cannot be run. The message says what
	// differs.
	ErrModel = errors.New("the model does not fulfil its contract")
	// ErrGolden: a model's answer to the golden picture differs from its answer when it was installed, so
	// its embeddings must not be compared with older ones. It comes with ErrModel.
	ErrGolden = errors.New("the model's answer differs from its answer when it was installed")
	// ErrOutput: a model returned numbers that are not finite, or only zeros, for a crop. Nothing is
	// wrong with the request; the model or the library is broken.
	ErrOutput = errors.New("the model returned no usable embedding")
)

// QueueFullError refuses a caller because too many wait already. errors.Is takes it for [ErrQueueFull].
type QueueFullError struct {
	// RetryAfter is after what time it is worth trying again: about the time that it takes to serve all who
	// wait, and all who were refused before and are to come again. It differs from caller to caller.
	RetryAfter time.Duration
}

// Error says after what delay to try again.
func (e *QueueFullError) Error() string {
	return fmt.Sprintf("%v: try again in %v", ErrQueueFull, e.RetryAfter)
}

// Is reports whether target is [ErrQueueFull].
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }
