package rpc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"
)

// later refuses a call that may be made again, and says after what delay: with a RetryInfo,
// and with a Retry-After header in whole seconds.
func later(code connect.Code, reason, message string, delay time.Duration) *connect.Error {
	err := newError(code, reason, message, nil, &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	seconds := int64((delay + time.Second - 1) / time.Second)
	err.Meta().Set("Retry-After", fmt.Sprint(seconds))
	return err
}

// busy is later for a caller who asks too much, or for all callers together.
func busy(reason, what string, retryAfter time.Duration) *connect.Error {
	return later(connect.CodeResourceExhausted, reason, fmt.Sprintf("%s: retry in %s", what, retryAfter.Round(time.Millisecond)), retryAfter)
}

// restartTime is about how long a server takes to end and to start again. All callers come
// again then, so each is told another delay: half as much to one and a half times as much.
const restartTime = 2 * time.Second

func restartDelay() time.Duration {
	return restartTime/2 + rand.N(restartTime)
}

func draining() *connect.Error {
	return later(connect.CodeUnavailable, "DRAINING", "the server is shutting down: retry elsewhere or later", restartDelay())
}

func starting() *connect.Error {
	return later(connect.CodeUnavailable, "STARTING", "the server is still loading its gallery: retry in a moment", restartDelay())
}

// RetryDelay returns the delay that an answer of a server asks for, and whether it asks for
// one. The call was not made then.
func RetryDelay(err error) (time.Duration, bool) {
	var refused *connect.Error
	if !errors.As(err, &refused) {
		return 0, false
	}
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		if err != nil {
			continue // a detail of a later release
		}
		if info, ok := value.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}
