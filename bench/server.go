package bench

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/rpc"
	"rollcall/storage"
)

// clock adds up where the time of calls goes, beside what the clients see.
type clock struct {
	stages  [len(embedder.Timings{})]atomic.Int64 // nanoseconds, by embedder.Stage
	gallery atomic.Int64                          // nanoseconds in Enroll: search for duplicates, disk, index
}

func (c *clock) observe(stage embedder.Stage, d time.Duration) { c.stages[stage].Add(int64(d)) }

// reset returns what was added up since the last reset, by name.
func (c *clock) reset() map[string]time.Duration {
	sums := map[string]time.Duration{stageGallery: time.Duration(c.gallery.Swap(0))}
	for i := range c.stages {
		sums[embedder.Stage(i).String()] = time.Duration(c.stages[i].Swap(0))
	}
	return sums
}

// timedGallery is a gallery whose enrolments are timed.
type timedGallery struct {
	rpc.Gallery
	clock *clock
}

func (g timedGallery) Enroll(ctx context.Context, e gallery.Enrolment) (gallery.Enrolled, error) {
	start := time.Now()
	defer func() { g.clock.gallery.Add(int64(time.Since(start))) }()
	return g.Gallery.Enroll(ctx, e)
}

// server is a Rollcall server in this process, with an empty gallery in a folder
// that lasts as long as it.
type server struct {
	url      string
	embedder *embedder.Embedder
	clock    *clock

	closers []func() error // last first
}

// startServer starts a server on a free port of this machine, set up as "serve"
// does it. The caller closes it.
func startServer(ctx context.Context, w *workbench, allowEmbeddings bool) (_ *server, err error) {
	s := &server{clock: new(clock)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	dir, remove, err := tempData()
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, remove)
	store, err := storage.Open(dir, storage.Options{})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, store.Close)
	g, err := gallery.Open(ctx, store, gallery.Options{})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, g.Close)
	metrics := rpc.NewMetrics()
	s.embedder, err = w.newEmbedder(embedder.Options{Observe: func(stage embedder.Stage, d time.Duration) {
		metrics.ObserveStage(stage, d)
		s.clock.observe(stage, d)
	}})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.embedder.Close)
	if _, err := s.embedder.Load(ctx, w.embedder.Contract.Name); err != nil {
		return nil, err
	}
	// The log lines are written, as they are in a server, and go nowhere.
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	rpcServer := rpc.New(rpc.Options{Model: w.embedder.Contract.Name, AllowEmbeddings: allowEmbeddings, Logger: logger, Metrics: metrics})
	rpcServer.Ready(rpc.Backend{Embedder: s.embedder, Gallery: timedGallery{g, s.clock}, Models: w.library})
	return s, s.listen(ctx, rpcServer)
}

// listen serves until the server is closed.
func (s *server) listen(ctx context.Context, rpcServer *rpc.Server) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + ln.Addr().String()
	// Calls in flight are let finish when ctx ends: close says when.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- rpcServer.Serve(serving, ln) }()
	s.closers = append(s.closers, func() error {
		stop()
		return <-served
	})
	return nil
}

func (s *server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// newHTTPClient returns a client that keeps a connection for each of n callers.
func newHTTPClient(n int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n, MaxConnsPerHost: n}}
}

// tempData makes a folder for a gallery that lasts as long as the bench.
func tempData() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("", "rollcall-bench-data-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}
