// Package rpc answers over HTTP: the services of rollcall.v1 over Connect,
// gRPC and gRPC-Web on one port (HTTP/1.1 and HTTP/2, with TLS or without), health checks,
// reflection, /livez, /readyz, /metrics, and /session for browsers. Only this package knows
// HTTP, and only here errors become codes (see errors.go). Who may make which call is said
// in rights.go.
//
// Make a [Server] with [New], listen, and call [Server.Serve]. Open the [Backend] and
// give it to the server with [Server.Ready]. Until then the server answers every call
// with the code unavailable.
//
// No log, metric or answer of this package holds a crop or an embedding. One exception:
// Embed returns the embedding if the call asks for it and the caller may have it.
package rpc

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"rollcall/access"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

const (
	// compressFrom is the size in bytes from which an answer is compressed. Only long
	// lists are so large. To compress a verdict cost more time than everything else in
	// this package.
	compressFrom = 16 << 10

	readHeaderTimeout = 10 * time.Second
	maxHeaderBytes    = 64 << 10
)

// Options configures a [Server].
type Options struct {
	// TLS is the configuration with which Serve speaks TLS, over HTTP/1.1 and HTTP/2.
	// Default nil: it speaks clear text (HTTP/1.1 and h2c).
	TLS *tls.Config
	// Exposed lets clients name the server by any IP address. Default false: only by a
	// loopback address of this machine.
	Exposed bool
	// Hosts are the names by which clients may call the server, besides localhost.
	// Other names are refused: the owner of a web page can make its name resolve to any
	// address, so that a visitor's browser calls the server there.
	Hosts []string
	// TrustedProxies are the addresses of proxies in front of the server, which tell the
	// address, the scheme and the name of a call in X-Forwarded-For, X-Forwarded-Proto
	// and X-Forwarded-Host. From all others these headers are ignored. Default none.
	TrustedProxies []netip.Prefix
	// RequestBytes is how many bytes of requests the server holds at once. A caller with a
	// token holds at most as many as are left for all others. A request that finds no
	// room is refused with resource_exhausted and a delay. At least
	// [MinRequestBytes]. Default 256 MiB.
	RequestBytes int64
	// StreamWorkers is how many crops of one EnrollStream, RollCall or IdentifyBurst the
	// server works on at once. Default 4.
	StreamWorkers int
	// RequestTimeout ends a unary call that takes longer. Default 30 s. A shorter
	// deadline of the client counts first.
	RequestTimeout time.Duration
	// ReadTimeout is how long the body of a unary request may take to arrive.
	// Default 1 min.
	ReadTimeout time.Duration
	// WriteTimeout is how long a client may take to read an answer, or each answer of a
	// stream. Default 1 min.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection without a request is kept, and how long a
	// client may be silent on a stream that waits for it. The server itself is never silent
	// for more than a quarter of this on a stream that it answers. Default 2 min.
	IdleTimeout time.Duration
	// DrainTimeout is how long Serve waits for calls in flight once its context is
	// done. Requests that are still arriving have half of it. Default 20 s.
	DrainTimeout time.Duration
	// Console answers GETs of "/" and of what lies under "/console/", for everybody.
	// Default nil: there are no pages.
	Console http.Handler
	// Limits bound how often callers with a token may ask. Default: no limits.
	Limits access.LimitOptions
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

// MinRequestBytes is the least Options.RequestBytes, 128 MiB: one roll call may have the
// half that one caller may hold.
const MinRequestBytes = 2 * rollCallBytes

// Server is the HTTP side of Rollcall. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	health   *health
	rejecter *connect.ErrorWriter
	limits   *access.Limits
	room     *room // Options.RequestBytes
	// open is nil until Ready.
	open atomic.Pointer[opened]
	// draining is done when Serve begins to shut down.
	draining   context.Context
	drain      context.CancelFunc
	turnedAway atomic.Int64 // calls that were refused since
}

// opened is what answers calls once there is a backend.
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
		limits:   access.NewLimits(opts.Limits),
		room:     newRoom(opts.RequestBytes),
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
			// The limit of each message of a stream. All other limits are in body and
			// unzipper, whose errors say what to do.
			options = append(options, connect.WithReadMaxBytes(int(m.limit.bytes)))
		}
		service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		switch service {
		case rollcallv1connect.AttendanceServiceName:
			_, handler := rollcallv1connect.NewAttendanceServiceHandler(attendanceService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.BackupServiceName:
			_, handler := rollcallv1connect.NewBackupServiceHandler(backupService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.ExportServiceName:
			_, handler := rollcallv1connect.NewExportServiceHandler(exportService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.GalleryServiceName:
			_, handler := rollcallv1connect.NewGalleryServiceHandler(galleryService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.JournalServiceName:
			_, handler := rollcallv1connect.NewJournalServiceHandler(journalService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.ModelServiceName:
			_, handler := rollcallv1connect.NewModelServiceHandler(modelService{api}, options...)
			mux.Handle(path, handler)
		case rollcallv1connect.TokenServiceName:
			_, handler := rollcallv1connect.NewTokenServiceHandler(tokenService{api}, options...)
			mux.Handle(path, handler)
		}
	}
	// There is no interceptor here that could return kept errors, so keep none.
	plain := connect.WithHandlerOptions(codecs(false), gzipped(noImage), connect.WithRecover(s.recovered), connect.WithReadMaxBytes(int(noImage.bytes)))
	mux.Handle(grpchealth.NewHandler(s.health, plain))
	reflector := grpcreflect.NewStaticReflector(serviceNames...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, plain))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, plain))
	s.open.Store(&opened{api, mux})
	s.health.set(grpchealth.StatusServing)
}

// compileRules compiles the rules of the .proto files now. This takes some 80
// milliseconds, and else the first callers would wait for it.
func (s *Server) compileRules() {
	for _, m := range methods() {
		if m.input == nil {
			continue
		}
		// An empty request may well be invalid: that is no error of the rules.
		if err := validate(dynamicpb.NewMessage(m.input)); err != nil && connect.CodeOf(err) != connect.CodeInvalidArgument {
			s.opts.Logger.Error("the rules of a request do not compile", "request", m.input.Name(), "error", err)
		}
	}
}

// serviceNames are the services that health checks and reflection know.
var serviceNames = []string{
	rollcallv1connect.AttendanceServiceName,
	rollcallv1connect.BackupServiceName,
	rollcallv1connect.ExportServiceName,
	rollcallv1connect.GalleryServiceName,
	rollcallv1connect.JournalServiceName,
	rollcallv1connect.ModelServiceName,
	rollcallv1connect.TokenServiceName,
}

// Serve answers on ln until ctx is done. Then it refuses new calls with unavailable until
// callers have stopped coming, a second at most, closes ln, and waits for the calls in
// flight, in all at most Options.DrainTimeout. It returns nil if all of these calls have
// ended. Call it once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(s.opts.TLS != nil)
	protocols.SetUnencryptedHTTP2(s.opts.TLS == nil)
	server := &http.Server{
		TLSConfig:         s.opts.TLS,
		Handler:           s.Handler(),
		Protocols:         &protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// The deadlines of answers end streams, but not a connection whose client reads nothing at all.
		HTTP2:    &http.HTTP2Config{WriteByteTimeout: s.opts.WriteTimeout},
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { drained <- s.shutDown(ctx, server) })
	var err error
	if s.opts.TLS != nil {
		err = server.ServeTLS(ln, "", "")
	} else {
		err = server.Serve(ln)
	}
	if stop() {
		return err
	}
	return <-drained
}

// shutDown waits for the calls in flight to end.
func (s *Server) shutDown(ctx context.Context, server *http.Server) error {
	s.opts.Logger.Info("draining: calls in flight may finish, new calls are refused", "at_most", s.opts.DrainTimeout)
	s.health.set(grpchealth.StatusNotServing)
	s.drain()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.DrainTimeout)
	defer cancel()
	s.turnAway(drain)
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(errors.New("calls were still in flight after the drain timeout"), err, server.Close())
	}
	s.opts.Logger.Info("stopped")
	return nil
}

// How long callers are told that the server is shutting down, before they find it closed:
// until none has come for quietTime, at most turnAwayTime.
const (
	quietTime    = 25 * time.Millisecond
	turnAwayTime = time.Second
)

// turnAway leaves the connections open while callers come who do not know yet that the server
// is shutting down. Else those who call again and again would find their connection cut, and
// not know whether their call was answered.
func (s *Server) turnAway(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, turnAwayTime)
	defer cancel()
	for before := int64(-1); before != s.turnedAway.Load(); {
		before = s.turnedAway.Load()
		select {
		case <-time.After(quietTime):
		case <-ctx.Done():
			return
		}
	}
}

// isDraining says whether Serve has begun to shut down.
func (s *Server) isDraining() bool { return s.draining.Err() != nil }
