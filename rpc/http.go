package rpc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

const requestIDHeader = "X-Request-Id"

// Handler returns the server's HTTP handler, for tests and for who brings
// their own http.Server.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.Handle("GET /metrics", s.opts.Metrics.handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "Rollcall answers here: see /healthz, /metrics, and POST /rollcall.v1.AttendanceService/Identify.\n")
	})
	mux.HandleFunc("/", s.call)
	return mux
}

// healthz answers 200 "ok" when calls are taken, 503 and the reason when not.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if e := s.unavailable(); e != nil {
		http.Error(w, e.Message(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// unavailable says why no call is taken now; nil when they are.
func (s *Server) unavailable() *connect.Error {
	switch {
	case s.isDraining():
		return newError(connect.CodeUnavailable, "DRAINING", "the server is shutting down: retry elsewhere or later", nil)
	case s.routes.Load() == nil:
		return newError(connect.CodeUnavailable, "STARTING", "the server is still loading its gallery: retry in a moment", nil)
	}
	return nil
}

// call is the way of every RPC: it gives the request its id, refuses what need
// not be read, lets the handlers answer, and writes the log line.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	record := &callRecord{id: requestID(r)}
	w.Header().Set(requestIDHeader, record.id)
	out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	r = r.WithContext(withRecord(r.Context(), record))

	if refusal := s.refusal(r); refusal != nil {
		record.code = refusal.Code().String()
		if s.rejecter.IsSupported(r) {
			if err := s.rejecter.Write(out, r, refusal); err != nil {
				s.opts.Logger.Debug("the refusal could not be written", "error", err, "request_id", record.id)
			}
		} else {
			http.Error(out, refusal.Message(), http.StatusServiceUnavailable)
		}
	} else {
		defer s.boundReading(http.NewResponseController(w), r, record)()
		s.routes.Load().ServeHTTP(out, r)
	}
	s.finish(r, record, out.status, time.Since(start))
}

// boundReading sees to it that nobody waits for ever for the rest of a request:
// a unary body has a deadline, and a stream ends when the server drains, even if
// its client is silent. The returned function ends the watch.
func (s *Server) boundReading(control *http.ResponseController, r *http.Request, record *callRecord) (end func()) {
	until := func(deadline time.Time) {
		// Not every ResponseWriter has deadlines (a test's may have none).
		if err := control.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			s.opts.Logger.Debug("no read deadline", "error", err, "request_id", record.id)
		}
	}
	if !streams(r) {
		until(time.Now().Add(readBodyTimeout))
		return func() {}
	}
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.draining:
			until(time.Now())
		case <-ended:
		}
	}()
	return func() {
		close(ended)
		<-watched // the controller must not be used after the handler
	}
}

// refusal says why a request is refused before its body is read; nil: it is not.
func (s *Server) refusal(r *http.Request) *connect.Error {
	if e := s.unavailable(); e != nil {
		return e
	}
	if s.opts.LocalOnly && !isLoopback(r.Host) {
		return newError(connect.CodePermissionDenied, "FOREIGN_HOST",
			"this server answers only to its own machine: call it by localhost or 127.0.0.1, or start it with --expose", nil)
	}
	limit, advice := int64(maxUnaryBytes), "an image may have at most 8 MiB; send the crop of the face alone"
	switch r.URL.Path {
	case rollcallv1connect.AttendanceServiceRollCallProcedure:
		limit = maxRollCallBytes
	case rollcallv1connect.AttendanceServiceDetectProcedure:
		limit, advice = maxPhotoBytes, "a photo may have at most 16 MiB; save it in a lower quality"
	}
	if r.ContentLength > limit {
		return newError(connect.CodeInvalidArgument, "REQUEST_TOO_LARGE",
			fmt.Sprintf("the request has %d bytes, more than the %d allowed: %s", r.ContentLength, limit, advice), nil)
	}
	return nil
}

// isLoopback says whether a Host header names this machine's loopback interface.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// streams says whether the body of r is a stream that may stay open.
func streams(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "Stream") || strings.HasPrefix(r.URL.Path, "/grpc.")
}

// finish counts and logs a call.
func (s *Server) finish(r *http.Request, record *callRecord, status int, took time.Duration) {
	if record.code == "" { // refused by Connect before a handler saw it
		record.code = codeOfStatus(status)
	}
	procedure := procedureLabel(r.URL.Path)
	s.opts.Metrics.request(procedure, record.code, took)
	level := slog.LevelInfo
	switch record.code {
	case connect.CodeInternal.String(), connect.CodeUnknown.String(), connect.CodeDataLoss.String():
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("procedure", procedure),
		slog.String("code", record.code),
		slog.Duration("took", took.Round(time.Microsecond)),
		slog.String("request_id", record.id),
	}
	if record.reason != "" {
		attrs = append(attrs, slog.String("reason", record.reason))
	}
	if record.internal != nil {
		attrs = append(attrs, slog.Any("error", record.internal))
	}
	s.opts.Logger.LogAttrs(r.Context(), level, "call", attrs...)
}

// procedureLabel is the path of a call if it is one of ours: a client must not
// make labels. Health checks and reflection go by their services' names.
func procedureLabel(path string) string {
	if procedures()[path] {
		return path
	}
	switch service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); service {
	case grpchealth.HealthV1ServiceName, grpcreflect.ReflectV1ServiceName, grpcreflect.ReflectV1AlphaServiceName:
		return service
	}
	return "unknown"
}

// procedures are the paths of all methods of the contract.
var procedures = sync.OnceValue(func() map[string]bool {
	paths := make(map[string]bool)
	for _, file := range []protoreflect.FileDescriptor{pb.File_rollcall_v1_attendance_proto, pb.File_rollcall_v1_gallery_proto, pb.File_rollcall_v1_model_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				paths[fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(j).Name())] = true
			}
		}
	}
	return paths
})

// codeOfStatus names the code of a call that Connect answered by itself.
func codeOfStatus(status int) string {
	switch status {
	case http.StatusOK:
		return "ok"
	case http.StatusNotFound:
		return connect.CodeUnimplemented.String()
	case http.StatusTooManyRequests, http.StatusRequestEntityTooLarge:
		return connect.CodeResourceExhausted.String()
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusMethodNotAllowed:
		return connect.CodeInvalidArgument.String()
	}
	return fmt.Sprintf("http_%d", status)
}

// requestID is the client's id where that is harmless to log, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, notIDRune) {
		return rand.Text()
	}
	return id
}

func notIDRune(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:", c))
}

// statusWriter remembers the status. Unwrap keeps flushing and deadlines
// within reach of http.ResponseController, Flush that of Connect's streams.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush lets answers of a stream out at once.
func (w *statusWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}
