package rpc

import (
	"context"

	"rollcall/access"
)

type callerKey struct{}

func withCaller(ctx context.Context, c access.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// knownCaller returns who makes the call, or nobody if it was refused before that was
// known.
func knownCaller(ctx context.Context) access.Caller {
	c, _ := ctx.Value(callerKey{}).(access.Caller)
	return c
}

// callerOf returns who makes the call. Where nobody has to log in it is [access.Anybody].
// REQUIRES: admit has let the call in. To guess would make an admin of somebody.
func callerOf(ctx context.Context) access.Caller {
	return ctx.Value(callerKey{}).(access.Caller)
}
