// Package rpc answers over HTTP: the services of rollcall.v1 over Connect,
// gRPC and gRPC-Web on one port (HTTP/1.1 and h2c), health checks, reflection,
// /healthz and /metrics. It is the one package that knows HTTP, and the one
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
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

const (
	// maxUnaryBytes bounds one decoded message: an image of 8 MiB is 10.7 MiB
	// as base64 in JSON.
	maxUnaryBytes = 12 << 20
	// maxPhotoBytes bounds a photo: 16 MiB are 21.3 MiB as base64 in JSON.
	maxPhotoBytes = 23 << 20
	// maxRollCallBytes bounds the crops of one class photo taken together.
	maxRollCallBytes = 64 << 20

	// compressFrom is where compressing an answer begins to pay: only long lists
	// are that large. For a verdict it cost more than all else in this package.
	compressFrom = 16 << 10

	readHeaderTimeout = 10 * time.Second
	readBodyTimeout   = time.Minute // a unary body; stops clients that trickle
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Options configures a [Server].
type Options struct {
	// AllowEmbeddings lets Embed return the embedding to a client that asks.
	// Default false: a face can be rebuilt from it.
	AllowEmbeddings bool
	// LocalOnly refuses calls whose Host is not this machine's loopback name or
	// address. It is for servers that nobody logs in to: a web page that has its
	// own name resolve to 127.0.0.1 could call them from a browser here.
	LocalOnly bool
	// StreamWorkers is how many crops of one EnrollStream are worked on at
	// once. Default 4; the number of embedder sessions fits best.
	StreamWorkers int
	// RequestTimeout ends a unary call that takes longer. Default 30 s. A
	// client's own shorter deadline counts first.
	RequestTimeout time.Duration
	// DrainTimeout is how long Serve waits for calls in flight once its
	// context is done. Default 20 s.
	DrainTimeout time.Duration
	// Logger takes one line a request. Default slog.Default().
	Logger *slog.Logger
	// Metrics takes the counts. Default a new one.
	Metrics *Metrics
}

func (o *Options) setDefaults() {
	if o.StreamWorkers <= 0 {
		o.StreamWorkers = 4
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 30 * time.Second
	}
	if o.DrainTimeout <= 0 {
		o.DrainTimeout = 20 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
}

// Server is the HTTP side of Rollcall. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	health   *health
	rejecter *connect.ErrorWriter
	// routes is nil until Ready.
	routes atomic.Pointer[http.ServeMux]
	// draining is closed when Serve begins to end.
	draining chan struct{}
}

// New returns a server that answers unavailable until [Server.Ready].
func New(opts Options) *Server {
	opts.setDefaults()
	return &Server{
		opts:     opts,
		health:   newHealth(),
		rejecter: connect.NewErrorWriter(),
		draining: make(chan struct{}),
	}
}

// Ready opens the services on a backend. Call it once.
func (s *Server) Ready(b Backend) {
	api := &api{Backend: b, server: s, logger: s.opts.Logger}
	s.opts.Metrics.watch(b)

	common := []connect.HandlerOption{
		connect.WithCodec(jsonCodec{}),
		connect.WithInterceptors(interceptor{api}),
		connect.WithRecover(s.recovered),
		connect.WithCompressMinBytes(compressFrom),
	}
	limited := func(max int) []connect.HandlerOption {
		return append([]connect.HandlerOption{connect.WithReadMaxBytes(max)}, common...)
	}
	mux := http.NewServeMux()
	path, attendance := rollcallv1connect.NewAttendanceServiceHandler(attendanceService{api}, limited(maxUnaryBytes)...)
	mux.Handle(path, attendance)
	_, big := rollcallv1connect.NewAttendanceServiceHandler(attendanceService{api}, limited(maxRollCallBytes)...)
	mux.Handle(rollcallv1connect.AttendanceServiceRollCallProcedure, big)
	_, photos := rollcallv1connect.NewAttendanceServiceHandler(attendanceService{api}, limited(maxPhotoBytes)...)
	mux.Handle(rollcallv1connect.AttendanceServiceDetectProcedure, photos)
	mux.Handle(rollcallv1connect.NewGalleryServiceHandler(galleryService{api}, limited(maxUnaryBytes)...))
	mux.Handle(rollcallv1connect.NewModelServiceHandler(modelService{api}, limited(maxUnaryBytes)...))
	mux.Handle(grpchealth.NewHandler(s.health))
	s.compileRules()
	reflector := grpcreflect.NewStaticReflector(serviceNames...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector))
	s.routes.Store(mux)
	s.health.set(grpchealth.StatusServing)
}

// compileRules has the rules of the .proto files compiled now: it takes some 80
// milliseconds, which the first callers would wait for.
func (s *Server) compileRules() {
	for _, m := range []proto.Message{
		&pb.EmbedRequest{}, &pb.IdentifyRequest{}, &pb.RollCallRequest{}, &pb.DetectRequest{}, &pb.EnrollStreamRequest{},
		&pb.GetStudentRequest{}, &pb.ListStudentsRequest{}, &pb.UpdateStudentRequest{}, &pb.DeleteStudentRequest{},
		&pb.GetCropRequest{}, &pb.AssignCropRequest{}, &pb.DeleteCropRequest{}, &pb.CheckConsistencyRequest{},
		&pb.GetSettingsRequest{}, &pb.UpdateSettingsRequest{}, &pb.ListModelsRequest{}, &pb.GetModelRequest{},
	} {
		// That an empty request is invalid is what the rules are for.
		if err := validate(m); err != nil && connect.CodeOf(err) != connect.CodeInvalidArgument {
			s.opts.Logger.Error("the rules of a request do not compile", "request", m.ProtoReflect().Descriptor().Name(), "error", err)
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
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.opts.Logger.Info("draining: calls in flight are finished, new ones refused", "at_most", s.opts.DrainTimeout)
	close(s.draining)
	s.health.set(grpchealth.StatusNotServing)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.DrainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(errors.New("calls were still in flight after the drain timeout"), err, server.Close())
	}
	s.opts.Logger.Info("stopped")
	return nil
}

// isDraining says whether Serve has begun to end.
func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}
