package rpc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// body is the body of a call while it is read. It stops a client that is too slow or
// sends too much, and takes what is read from the room that all calls share.
//
// Read is for one goroutine at a time. end must be called when the handler is done.
type body struct {
	io.ReadCloser
	server  *Server
	method  method
	control *http.ResponseController
	size    int64
	share   share // of the room
	taken   int64 // of the share
	packed  bool  // it is compressed: once it is here, all that it may become is taken
	// envelope is nil but for one message that has one.
	envelope *envelope
	ctx      context.Context // of the request: it ends when the client gives up or its token ends

	mu   sync.Mutex // guards the fields that follow
	done bool       // nothing is left to read
	cut  bool       // the server drains: the deadline does not change any more
	stop [2]func() bool
	out  sync.WaitGroup // the running cutOff and close
}

// unreadGrace is how long the unwanted rest of a body may take to arrive before the
// connection is closed.
const unreadGrace = time.Second

// bytesRetryAfter is when a call that found no room may try again: about
// the time in which some crops are read.
const bytesRetryAfter = time.Second

// openBody takes over the body of a call. It fails where a stream, whose size nobody
// knows, finds no room.
func (s *Server) openBody(r *http.Request, m method, control *http.ResponseController) (*body, *connect.Error) {
	b := &body{ReadCloser: r.Body, server: s, method: m, control: control, done: r.ContentLength == 0, packed: compression(r) != "", ctx: r.Context(), share: s.share(r.Context())}
	if !m.stream && (m.answers || strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")) {
		b.envelope = &envelope{limit: m.limit, packed: b.packed}
	}
	if m.stream {
		if err := b.take(m.limit.bytes); err != nil {
			return nil, err
		}
	}
	if !b.done {
		var deadline time.Time // none for a stream: each of its reads has its own
		if !m.stream {
			deadline = time.Now().Add(s.opts.ReadTimeout)
		}
		b.until(deadline)
	}
	b.out.Add(len(b.stop))
	b.stop[0] = context.AfterFunc(s.draining, func() {
		defer b.out.Done()
		b.cutOff()
	})
	b.stop[1] = context.AfterFunc(b.ctx, func() {
		defer b.out.Done()
		b.close()
	})
	r.Body = b
	return b, nil
}

func (b *body) take(n int64) *connect.Error {
	if !b.share.take(n) {
		return tooManyBytes()
	}
	b.taken += n
	return nil
}

// Read serves io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.method.stream {
		b.until(time.Now().Add(b.server.opts.IdleTimeout))
		defer b.until(time.Time{}) // a client may wait long for the answers of its stream
	}
	n, err := b.ReadCloser.Read(p)
	b.size += int64(n)
	var told *connect.Error
	switch {
	case errors.As(err, &told):
		return 0, told
	case errors.Is(err, io.EOF):
		b.finished()
	case errors.Is(err, os.ErrDeadlineExceeded) && tokenEnd(b.ctx) != nil:
		return 0, translate(b.ctx, tokenEnd(b.ctx))
	case errors.Is(err, os.ErrDeadlineExceeded) && b.server.isDraining():
		return 0, b.server.unavailable()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, newError(connect.CodeDeadlineExceeded, "SLOW_REQUEST", "the request did not arrive in time: send it over a faster connection, or smaller", nil)
	case err != nil && b.ctx.Err() == nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, newError(connect.CodeInvalidArgument, "BROKEN_BODY", "the body of the request is not sent as its headers say: send it anew, with its Content-Length", nil)
	}
	if b.method.stream {
		return n, err // Connect limits each message
	}
	whole := errors.Is(err, io.EOF)
	if b.envelope != nil {
		broken := b.envelope.take(p[:n], whole)
		if broken != nil {
			return 0, broken
		}
		whole = b.envelope.whole()
	}
	if b.size > b.method.limit.bytes+envelopeBytes {
		return 0, b.method.limit.exceeded()
	}
	more := int64(n)
	if b.packed && whole { // before, a slow client would hold room that it may never need
		more = max(more, b.method.limit.bytes-b.taken)
	}
	if err := b.take(more); err != nil {
		return 0, err
	}
	return n, err
}

// until sets the deadline for reading, unless the server drains.
func (b *body) until(deadline time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.cut && tokenEnd(b.ctx) == nil {
		b.setDeadline(deadline)
	}
}

// close stops the waiting for a client whose token has ended.
func (b *body) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done && tokenEnd(b.ctx) != nil {
		b.setDeadline(time.Now())
	}
}

// finished removes the deadline. If it passed later, net/http would think that the
// client is gone.
func (b *body) finished() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
	b.setDeadline(time.Time{})
}

// cutOff stops the waiting for a client when the server drains: a stream ends at once,
// an upload has half of the drain time.
func (b *body) cutOff() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	b.cut = true
	grace := b.server.opts.DrainTimeout / 2
	if b.method.stream {
		grace = 0
	}
	b.setDeadline(time.Now().Add(grace))
}

// end gives back the room that was taken. It does not wait for what the client
// still sends.
func (b *body) end() {
	for _, stop := range b.stop {
		if stop() {
			b.out.Done()
		}
	}
	b.out.Wait() // the controller must not be used after the handler
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done {
		b.setDeadline(time.Now().Add(unreadGrace))
	}
	b.share.giveBack(b.taken)
}

func (b *body) setDeadline(deadline time.Time) {
	setDeadline(b.server.opts.Logger, b.control.SetReadDeadline, deadline)
}

// setDeadline sets one of a connection's deadlines. A ResponseWriter may have none, for
// example in a test.
func setDeadline(logger *slog.Logger, set func(time.Time) error, deadline time.Time) {
	if err := set(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		logger.Debug("no deadline on a connection", "error", err)
	}
}
