package rpc

import (
	"context"

	"rollcall/access"
)

type callerKey struct{}

func withCaller(ctx context.Context, c access.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf returns who makes the call. Where nobody has to log in it is [access.Anybody].
func callerOf(ctx context.Context) access.Caller {
	if c, ok := ctx.Value(callerKey{}).(access.Caller); ok {
		return c
	}
	return access.Anybody
}
