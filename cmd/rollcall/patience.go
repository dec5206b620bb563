package main

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"rollcall/rpc"
)

// patience makes a call with one answer again that the server refuses for the moment, when the
// server says, as long as that is within this time.
type patience time.Duration

// WrapUnary serves connect.Interceptor.
func (p patience) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (resp connect.AnyResponse, err error) {
		err = p.patiently(ctx, func() error {
			resp, err = next(ctx, req)
			return err
		})
		return resp, err
	}
}

// patiently makes a call as WrapUnary does.
func (p patience) patiently(ctx context.Context, call func() error) error {
	until := time.Now().Add(time.Duration(p))
	for {
		err := call()
		delay, told := rpc.RetryDelay(err)
		if !told || time.Now().Add(delay).After(until) {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WrapStreamingClient changes nothing: what has been sent on a stream cannot be sent again here.
func (patience) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler changes nothing: patience is a client's.
func (patience) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}
