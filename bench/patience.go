package bench

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"rollcall/embedder"
)

// patiently makes a call again, after the delay that the server asks for, as long
// as its queue is full. retried, which may be nil, is told of each time.
func patiently(ctx context.Context, retried func(), call func() error) error {
	for {
		err := call()
		delay, full := retryDelay(err)
		if !full {
			return err
		}
		if retried != nil {
			retried()
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// retryDelay returns the delay of an error that says that the queue is full, from
// a server or from the embedder itself.
func retryDelay(err error) (time.Duration, bool) {
	var local *embedder.QueueFullError
	if errors.As(err, &local) {
		return local.RetryAfter, true
	}
	var full *connect.Error
	if !errors.As(err, &full) || full.Code() != connect.CodeResourceExhausted {
		return 0, false
	}
	for _, detail := range full.Details() {
		value, err := detail.Value()
		if err != nil {
			continue // a detail of a later release
		}
		if info, ok := value.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false // without a delay it is no full queue: the caller gets the error
}
