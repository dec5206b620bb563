package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"

	"connectrpc.com/connect"

	"rollcall/access/journal"
)

// callRecord is what the log line and the counters say of one call. It belongs
// to the goroutine that answers the call.
type callRecord struct {
	id        string           // request id
	procedure string           // its label
	address   netip.Addr       // the client's
	journal   *journal.Journal // its gallery's; nil: it has reached none
	code      string           // Connect's code name, or "ok"
	reason    string           // ErrorInfo.reason
	internal  error            // the cause of an internal error, for the log alone
}

type recordKey struct{}

func withRecord(ctx context.Context, r *callRecord) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// recordOf returns the record of the call, or an empty one outside of a call.
func recordOf(ctx context.Context) *callRecord {
	if r, ok := ctx.Value(recordKey{}).(*callRecord); ok {
		return r
	}
	return new(callRecord)
}

// end notes how a call ended.
func (r *callRecord) end(err error) {
	if err == nil {
		r.code = "ok"
		return
	}
	r.code = connect.CodeOf(err).String()
	var failure *failure
	if errors.As(err, &failure) {
		r.reason, r.internal = failure.reason, failure.internal
	}
}

// interceptor validates unary requests and limits their time. For unary and streaming
// handlers it pins the gallery and translates the errors.
type interceptor struct{ *api }

func (i interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		record := recordOf(ctx)
		ctx, cancel := context.WithTimeout(ctx, i.server.opts.RequestTimeout)
		defer cancel()
		err := ctx.Err()
		if err == nil {
			err = validate(req.Any())
		}
		var resp connect.AnyResponse
		if err == nil {
			resp, err = i.pinned(ctx, req, next)
		}
		if err != nil {
			err = translate(ctx, err)
		}
		record.end(err)
		return resp, err
	}
}

// pinned lets the handler answer while its gallery is pinned, if it is about one.
func (i interceptor) pinned(ctx context.Context, req connect.AnyRequest, next connect.UnaryFunc) (connect.AnyResponse, error) {
	if methods()[req.Spec().Procedure].server {
		return next(ctx, req)
	}
	ctx, release, err := i.pin(ctx, req.Spec().Procedure, req.Header())
	if err != nil {
		return nil, err
	}
	defer release()
	return next(ctx, req)
}

func (i interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		record := recordOf(ctx)
		err := i.pinnedStream(ctx, conn, next)
		if err != nil {
			err = translate(ctx, err)
		}
		record.end(err)
		return err
	}
}

// pinnedStream is pinned for a stream.
func (i interceptor) pinnedStream(ctx context.Context, conn connect.StreamingHandlerConn, next connect.StreamingHandlerFunc) error {
	if methods()[conn.Spec().Procedure].server {
		return next(ctx, conn)
	}
	ctx, release, err := i.pin(ctx, conn.Spec().Procedure, conn.RequestHeader())
	if err != nil {
		return err
	}
	defer release()
	return next(ctx, conn)
}

// WrapStreamingClient changes nothing: the interceptor is for a server.
func (interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// recovered answers for a handler that panicked. The value of the panic is not logged,
// because it may hold anything. The stack says enough.
func (s *Server) recovered(ctx context.Context, _ connect.Spec, _ http.Header, value any) error {
	err := s.panicked(ctx, value)
	recordOf(ctx).end(err)
	return err
}

// panicked logs a panic and returns what the call, or a part of it, answers.
// REQUIRES: the panic's goroutine calls it, for the stack.
func (s *Server) panicked(ctx context.Context, value any) error {
	record := recordOf(ctx)
	s.opts.Logger.Error("a handler panicked", "request_id", record.id,
		"type", fmt.Sprintf("%T", value), "stack", string(debug.Stack()))
	return newError(connect.CodeInternal, "INTERNAL", internalMessage(record), nil)
}
