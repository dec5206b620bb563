package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/embedder"
)

// tooManyCrops is the error for a caller that sends more crops than it may.
type tooManyCrops struct{ retryAfter time.Duration }

func (e *tooManyCrops) Error() string {
	return fmt.Sprintf("this token, or this address, sends too many crops a minute: retry in %s", e.retryAfter)
}

// countCrop counts a crop, or a photo, of the caller before the embedder works on it.
func (a *api) countCrop(ctx context.Context) error {
	caller := callerOf(ctx)
	if caller.Token == "" {
		return nil
	}
	if wait := a.server.limits.Crop(caller.Token, recordOf(ctx).address); wait > 0 {
		return &tooManyCrops{wait}
	}
	return nil
}

// comeBack returns when a crop that was refused can be sent again; 0: err is no such
// refusal.
func comeBack(err error) time.Duration {
	var full *embedder.QueueFullError
	var many *tooManyCrops
	switch {
	case errors.As(err, &full):
		return full.RetryAfter
	case errors.As(err, &many):
		return many.retryAfter
	}
	return 0
}

// patiently calls f again as long as its crop is refused for the moment. A stream or a
// roll call that has begun waits for its turn, so that it does not fail in the middle.
func patiently[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for {
		result, err := f()
		wait := comeBack(err)
		if wait <= 0 {
			return result, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return result, ctx.Err()
		}
	}
}
