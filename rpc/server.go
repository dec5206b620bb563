// Package rpc answers over HTTP: the services of rollcall.v1 over Connect,
// gRPC and gRPC-Web on one port (HTTP/1.1 and h2c), health checks, reflection,
// /livez, /readyz and /metrics. It is the one package that knows HTTP, and the one
// edge where errors become codes (see errors.go).
//
// Make a [Server] with [New], listen, call [Server.Serve], and hand it its
// [Backend] with [Server.Ready] once that has been opened: until then every
// call is answered with the code unavailable.
//
// Nothing here logs, counts or answers with a crop or an embedding, save the
// embedding of an Embed call that asks for it on a server that allows it.
package rpc

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/types/dynamicpb"

	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

const (
	// compressFrom is where compressing an answer begins to pay: only long lists
	// are that large. For a verdict it cost more than all else in this package.
	compressFrom = 16 << 10

	readHeaderTimeout = 10 * time.Second
	maxHeaderBytes    = 64 << 10
)

// Options configures a [Server].
type Options struct {
	// AllowEmbeddings lets Embed return the embedding to a client that asks.
	// Default false: a face can be rebuilt from it.
	AllowEmbeddings bool
	// Exposed lets clients name the server by any IP address. Default: by one of
	// this machine's loopback addresses alone.
	Exposed bool
	// Hosts are the names by which clients may call the server, beside localhost.
	// A web page can have a name of its own resolve to any address, and have a
	// browser call what answers there.
	Hosts []string
	// RequestBytes is how many bytes of requests the server holds at once. One that
	// finds no room is refused with resource_exhausted and a delay. At least the
	// 64 MiB that one roll call may have. Default 256 MiB.
	RequestBytes int64
	// StreamWorkers is how many crops of one EnrollStream are worked on at
	// once. Default 4; the number of embedder sessions fits best.
	StreamWorkers int
	// RequestTimeout ends a unary call that takes longer. Default 30 s. A
	// client's own shorter deadline counts first.
	RequestTimeout time.Duration
	// ReadTimeout is how long the body of a unary request may take to arrive.
	// Default 1 min.
	ReadTimeout time.Duration
	// WriteTimeout is how long a client may take to read an answer; of a stream,
	// each answer. Default 1 min.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection is kept that has no request, and how
	// long a client may say nothing on a stream that waits for it. Default 2 min.
	IdleTimeout time.Duration
	// DrainTimeout is how long Serve waits for calls in flight once its
	// context is done; requests that are still arriving have half of it.
	// Default 20 s.
	DrainTimeout time.Duration
	// Logger takes one line a request. Default slog.Default().
	Logger *slog.Logger
	// Metrics takes the counts. Default a new one.
	Metrics *Metrics
}

func (o *Options) setDefaults() {
	o.RequestBytes = cmp.Or(o.RequestBytes, 256<<20)
	o.StreamWorkers = cmp.Or(o.StreamWorkers, 4)
	o.RequestTimeout = cmp.Or(o.RequestTimeout, 30*time.Second)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, time.Minute)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, time.Minute)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 2*time.Minute)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, 20*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
}

// MinRequestBytes is the least Options.RequestBytes: the crops of one roll call.
const MinRequestBytes = 64 << 20

// Server is the HTTP side of Rollcall. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	health   *health
	rejecter *connect.ErrorWriter
	budget   *semaphore.Weighted // of Options.RequestBytes
	// open is nil until Ready.
	open atomic.Pointer[opened]
	// draining is done when Serve begins to end.
	draining context.Context
	drain    context.CancelFunc
}

// opened is what answers once there is a backend.
type opened struct {
	api    *api
	routes *http.ServeMux
}

// New returns a server that answers unavailable until [Server.Ready].
func New(opts Options) *Server {
	opts.setDefaults()
	s := &Server{
		opts:     opts,
		health:   newHealth(),
		rejecter: connect.NewErrorWriter(),
		budget:   semaphore.NewWeighted(opts.RequestBytes),
	}
	s.draining, s.drain = context.WithCancel(context.Background())
	return s
}

// Ready opens the services on a backend. Call it once.
func (s *Server) Ready(b Backend) {
	api := &api{Backend: b, server: s, logger: s.opts.Logger}
	s.opts.Metrics.watch(b)
	s.compileRules()

	mux := http.NewServeMux()
	for path, m := range methods() {
		options := []connect.HandlerOption{
			connect.WithInterceptors(interceptor{api}),
			connect.WithRecover(s.recovered),
			connect.WithCompressMinBytes(compressFrom),
			codecs(true),
			gzipped(m.limit),
		}
		if m.stream {
			// Each message. All other bounds are those of body and unzipper, whose
			// errors say what to do.
			options = append(options, connect.WithReadMaxBytes(int(m.limit.bytes)))
		}
		service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		switch service {
		case rollcallv1connect.AttendanceServiceName:
			_, handler := rollcallv1connect.NewAttendanceServiceHandler(attendanceService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.GalleryServiceName:
			_, handler := rollcallv1connect.NewGalleryServiceHandler(galleryService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.ModelServiceName:
			_, handler := rollcallv1connect.NewModelServiceHandler(modelService{api}, options...)
			mux.Handle(path, handler)
		}
	}
	// Nothing stands between these and Connect, so their codecs keep no errors.
	plain := connect.WithHandlerOptions(codecs(false), gzipped(noImage), connect.WithRecover(s.recovered), connect.WithReadMaxBytes(int(noImage.bytes)))
	mux.Handle(grpchealth.NewHandler(s.health, plain))
	reflector := grpcreflect.NewStaticReflector(serviceNames...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, plain))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, plain))
	s.open.Store(&opened{api, mux})
	s.health.set(grpchealth.StatusServing)
}

// compileRules has the rules of the .proto files compiled now: it takes some 80
// milliseconds, which the first callers would wait for.
func (s *Server) compileRules() {
	for _, m := range methods() {
		if m.input == nil {
			continue
		}
		// That an empty request is invalid is what the rules are for.
		if err := validate(dynamicpb.NewMessage(m.input)); err != nil && connect.CodeOf(err) != connect.CodeInvalidArgument {
			s.opts.Logger.Error("the rules of a request do not compile", "request", m.input.Name(), "error", err)
		}
	}
}

// serviceNames are the services that health and reflection speak of.
var serviceNames = []string{
	rollcallv1connect.AttendanceServiceName,
	rollcallv1connect.GalleryServiceName,
	rollcallv1connect.ModelServiceName,
}

// Serve answers on ln until ctx is done, then refuses new calls with
// unavailable, waits for those in flight at most Options.DrainTimeout, and
// closes ln. It returns nil after a complete drain. Call it once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           s.Handler(),
		Protocols:         &protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { drained <- s.shutDown(ctx, server) })
	err := server.Serve(ln)
	if stop() {
		return err
	}
	return <-drained
}

// shutDown lets the calls in flight end.
func (s *Server) shutDown(ctx context.Context, server *http.Server) error {
	s.opts.Logger.Info("draining: calls in flight are finished, new ones refused", "at_most", s.opts.DrainTimeout)
	s.health.set(grpchealth.StatusNotServing)
	s.drain()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.DrainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(errors.New("calls were still in flight after the drain timeout"), err, server.Close())
	}
	s.opts.Logger.Info("stopped")
	return nil
}

// isDraining says whether Serve has begun to end.
func (s *Server) isDraining() bool { return s.draining.Err() != nil }
