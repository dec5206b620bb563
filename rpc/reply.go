package rpc

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// reply is the answer to a request. It stops waiting for a client that does not read,
// and remembers the status. It has Unwrap for http.ResponseController and Flush for
// Connect's streams.
type reply struct {
	http.ResponseWriter
	control *http.ResponseController
	stream  bool
	status  int // what was answered
	instead int // the status in the place of that of a refusal's code; 0: none

	server *Server
	stop   func() bool
	out    sync.WaitGroup // of the function that cuts

	mu    sync.Mutex // guards began
	began bool       // the answer is being written; of a stream, one of its parts
}

// WriteHeader serves http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	if w.instead != 0 && status != http.StatusOK { // gRPC's answers are always 200
		status = w.instead
	}
	w.status = status
	w.partIfDraining()
	w.ResponseWriter.WriteHeader(status)
}

// leaveUnread is for a request whose body is not read by [body]: nobody waits for ever for a
// client that does not send what it has announced. It comes no earlier than that is known. Over
// HTTP/2 a body is lost once its deadline has passed, and a call may wait that long for a core.
func (w *reply) leaveUnread(r *http.Request) {
	if r.ContentLength != 0 {
		setDeadline(w.server.opts.Logger, w.control.SetReadDeadline, time.Now().Add(unreadGrace))
	}
}

// partIfDraining lets the connection end with this answer, so that the client does not send
// its next call over one that is being closed.
func (w *reply) partIfDraining() {
	if w.server.isDraining() {
		w.Header().Set("Connection", "close")
	}
}

// Write serves http.ResponseWriter.
func (w *reply) Write(p []byte) (int, error) {
	defer w.bound()()
	return w.ResponseWriter.Write(p)
}

// Flush sends the answers of a stream at once.
func (w *reply) Flush() {
	defer w.bound()()
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap serves http.ResponseController.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statusClientGone is what Connect answers to a client that gave up.
const statusClientGone = 499

// code names the code of an answer that no handler of ours has made: of what could
// not be read, of health checks and reflection.
func (w *reply) code() string {
	for _, key := range []string{"Grpc-Status", http.TrailerPrefix + "Grpc-Status"} {
		for _, value := range w.Header()[key] {
			if code, err := strconv.ParseUint(value, 10, 32); err == nil && code > 0 {
				return connect.Code(code).String()
			}
		}
	}
	switch w.status {
	case http.StatusOK:
		return "ok"
	case http.StatusBadRequest:
		return connect.CodeInvalidArgument.String()
	case http.StatusUnauthorized:
		return connect.CodeUnauthenticated.String()
	case http.StatusForbidden:
		return connect.CodePermissionDenied.String()
	case http.StatusNotFound:
		return connect.CodeNotFound.String()
	case statusClientGone:
		return connect.CodeCanceled.String()
	case http.StatusTooManyRequests:
		return connect.CodeResourceExhausted.String()
	case http.StatusNotImplemented:
		return connect.CodeUnimplemented.String()
	case http.StatusGatewayTimeout:
		return connect.CodeDeadlineExceeded.String()
	}
	return fmt.Sprintf("http_%d", w.status)
}

// bound sets the deadline for the next write, and returns a function that removes it. An
// answer that is no stream keeps its deadline until all of it is written, which is after
// the handler has returned.
func (w *reply) bound() (written func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stream && w.began {
		return func() {}
	}
	w.began = true
	w.partIfDraining()
	timeout := w.server.opts.WriteTimeout
	if w.server.isDraining() {
		timeout = min(timeout, w.server.opts.DrainTimeout/2)
	}
	w.setDeadline(time.Now().Add(timeout))
	if !w.stream {
		return func() {}
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.began = false
		w.setDeadline(time.Time{})
	}
}

// cutOff lets a server that drains, or that no longer answers the client, not wait for a
// client that does not read. What is not answered yet has its time from then on.
func (w *reply) cutOff(grace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began {
		w.setDeadline(time.Now().Add(grace))
	}
}

// end is for when the handler is done.
func (w *reply) end() {
	if w.stop() {
		w.out.Done()
	}
	w.out.Wait() // the controller must not be used after the handler
}

func (w *reply) setDeadline(deadline time.Time) {
	setDeadline(w.server.opts.Logger, w.control.SetWriteDeadline, deadline)
}
