package bench

import (
	"context"
	"errors"
	"time"

	"rollcall/embedder"
	"rollcall/rpc"
)

// patiently makes a call again, after the delay that the server asks for, as long
// as it asks for one. retried, which may be nil, is told of each time.
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

// retryDelay returns the delay of an error that says to come again, from a server or from
// the embedder itself.
func retryDelay(err error) (time.Duration, bool) {
	var local *embedder.QueueFullError
	if errors.As(err, &local) {
		return local.RetryAfter, true
	}
	return rpc.RetryDelay(err)
}
