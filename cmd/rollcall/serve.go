package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"rollcall/embedder"
	"rollcall/embedder/ortlib"
	"rollcall/gallery"
	"rollcall/index"
	"rollcall/models"
	"rollcall/rpc"
	"rollcall/storage"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	listen, data string
	expose       bool
	noSnapshots  bool
	library      libraryOptions
	install      installOptions
	ort          runtimeOptions
	embedder     embedder.Options
	memoryMiB    int64
	gallery      gallery.Options
	rpc          rpc.Options
	logFormat    string
	logLevel     string
}

func serveCommand() command {
	var o serveOptions
	return command{
		name:  "serve",
		short: "run the server",
		long: `Runs the server until it is interrupted, then lets calls in flight finish.
ONNX Runtime is installed into the user's cache on the first start. Where a
model that --model, --locator or --detector names is not installed, serve asks
whether to pull it.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("serve takes no arguments")
			}
			return runServe(ctx, c, o)
		},
	}
}

func (o *serveOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.listen, "listen", "127.0.0.1:8787", "address to answer on; port 0 takes a free one")
	set.BoolVar(&o.expose, "expose", false, "allow --listen on more than this machine, though nobody has to log in")
	set.StringVar(&o.data, "data", "rollcall-data", "folder of the gallery; made when missing")
	o.library.addFlags(set)
	set.StringVar(&o.rpc.Model, "model", "", "embedder for requests that name none; empty: the best one installed")
	set.StringVar(&o.embedder.Locator, "locator", "", "locator that finds landmarks; none: embed without alignment; empty: the best one installed")
	set.StringVar(&o.embedder.Detector, "detector", "", "detector that finds the faces of photos; empty: the best one installed")
	o.install.addFlags(set)
	set.IntVar(&o.embedder.Sessions, "sessions", 0, "locked sessions for each model; 0: cores / threads-per-session")
	set.IntVar(&o.embedder.ThreadsPerSession, "threads-per-session", 1, "cores that one run may use: more answer one caller sooner, but fewer in all")
	set.IntVar(&o.embedder.Queue, "queue", 0, "callers that may wait for a session; 0: 4 x sessions")
	set.DurationVar(&o.embedder.TTL, "model-ttl", 0, "unload a model that was idle this long; 0: never")
	set.Int64Var(&o.memoryMiB, "model-memory", 0, "MiB that loaded models may take; 0: no limit")
	set.StringVar(&o.gallery.Engine, "index-engine", "auto", fmt.Sprintf("how vectors are searched: one of %v", index.Engines))
	set.BoolVar(&o.gallery.VectorsInStorage, "vectors-in-storage", false, "keep a quarter of each vector in memory and read the rest where a search needs it: for very large galleries")
	set.BoolVar(&o.noSnapshots, "no-snapshots", false, "keep no copy of the indexes in the gallery's folder: each start reads all embeddings and builds them again")
	set.Float64Var(&o.gallery.FPIR, "fpir", gallery.DefaultFPIR, "wanted share of strangers' probes that get a MATCH, for calibrated models")
	set.Float32Var(&o.gallery.Margin, "margin", gallery.DefaultMargin, "similarity by which the best student must be ahead of the next")
	set.BoolVar(&o.rpc.AllowEmbeddings, "allow-embeddings", false, "give embeddings to clients that ask; a face can be rebuilt from one")
	set.DurationVar(&o.rpc.RequestTimeout, "request-timeout", 30*time.Second, "end a call that takes longer")
	set.DurationVar(&o.rpc.DrainTimeout, "drain-timeout", 20*time.Second, "wait this long for calls in flight when stopping")
	set.StringVar(&o.logFormat, "log-format", "text", "text or json")
	set.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	o.ort.addFlags(set)
}

// logger writes to standard error; standard output is for results.
func (o *serveOptions) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, usageError("--log-level is %q; it can be debug, info, warn or error", o.logLevel)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, usageError("--log-format is %q; it can be text or json", o.logFormat)
}

// openListener listens, but beyond this machine only where that was asked for.
func (o *serveOptions) openListener() (net.Listener, error) {
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; name another address with --listen", o.listen, err)
	}
	if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() && !o.expose {
		return nil, errors.Join(usageError("--listen %s can be reached from other machines, and nobody has to log in: put a proxy that authenticates in front, and say --expose", o.listen), ln.Close())
	}
	return ln, nil
}

func runServe(ctx context.Context, c console, o serveOptions) (err error) {
	logger, err := o.logger(c.err)
	if err != nil {
		return err
	}
	if err := o.installMissing(ctx, c); err != nil {
		return err
	}
	ln, err := o.openListener()
	if err != nil {
		return err
	}
	o.rpc.LocalOnly = !o.expose
	o.rpc.Logger = logger
	o.rpc.Metrics = rpc.NewMetrics()
	// One session's worth of crops in flight for each core keeps a stream fed.
	o.rpc.StreamWorkers = 2 * runtime.GOMAXPROCS(0)
	server := rpc.New(o.rpc)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()

	parts, err := o.open(ctx, c, logger)
	if err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	server.Ready(rpc.Backend{Embedder: parts.embedder, Gallery: parts.gallery, Models: parts.library})
	o.announce(ctx, c.out, ln, parts)
	return <-served
}

// worthProgress is how many crops take long enough to read, about a second,
// that somebody wonders.
const worthProgress = 100_000

// serveParts is what serve has opened, in the order of opening.
type serveParts struct {
	runtime  ortlib.Library
	store    *storage.Store
	gallery  *gallery.Gallery
	library  *models.Library
	embedder *embedder.Embedder
}

// open opens everything below rpc. On an error nothing stays open.
func (o *serveOptions) open(ctx context.Context, c console, logger *slog.Logger) (p *serveParts, err error) {
	p = new(serveParts)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
			p = nil
		}
	}()
	// The store first: a second server of the same folder fails at once.
	if p.store, err = storage.Open(o.data, storage.Options{Logger: logger}); err != nil {
		return p, fmt.Errorf("open the gallery in %s: %w", o.data, err)
	}
	if p.library, err = o.library.open(); err != nil {
		return p, err
	}
	if p.runtime, err = o.ort.start(ctx, c, logger); err != nil {
		return p, err
	}
	o.embedder.MemoryBudget = o.memoryMiB << 20
	o.embedder.Logger = logger
	o.embedder.Observe = o.rpc.Metrics.ObserveStage
	if p.embedder, err = embedder.New(p.library, o.embedder); err != nil {
		return p, err
	}
	if err := o.placeSnapshots(); err != nil {
		return p, err
	}
	rebuild := &meter{out: c.err, what: "reading the gallery"}
	o.gallery.Logger = logger
	o.gallery.Progress = func(done, total int) {
		if total >= worthProgress {
			rebuild.step(int64(done), int64(total))
		}
	}
	p.gallery, err = gallery.Open(ctx, p.store, o.gallery)
	rebuild.end()
	return p, err
}

// placeSnapshots says where the gallery keeps its snapshots, beside the store's
// own files. Where none are wanted, those of earlier runs must not stay either:
// they hold embeddings, and nobody would take deleted ones out of them.
func (o *serveOptions) placeSnapshots() error {
	dir := filepath.Join(o.data, "snapshots")
	if !o.noSnapshots {
		o.gallery.SnapshotDir = dir
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the snapshots in %s: %w", dir, err)
	}
	return nil
}

// close closes what is open, last first.
func (p *serveParts) close() error {
	var errs []error
	if p.gallery != nil {
		errs = append(errs, p.gallery.Close())
	}
	if p.embedder != nil {
		errs = append(errs, p.embedder.Close())
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	return errors.Join(errs...)
}

// announce says where the server answers, with what, and what to try.
func (o *serveOptions) announce(ctx context.Context, out io.Writer, ln net.Listener, p *serveParts) {
	url := "http://" + ln.Addr().String()
	stats := p.gallery.Stats()
	fmt.Fprintf(out, "Rollcall %s answers at %s\n", version, url)
	fmt.Fprintf(out, "  gallery  %d students, %d crops in %s\n", stats.Students, stats.Crops, o.data)
	fmt.Fprintf(out, "  runtime  ONNX Runtime %s (%s)\n", p.runtime.Version, p.runtime.Origin)
	o.announceModel(ctx, out, p)
	fmt.Fprintf(out, "Try it:\n  printf '{\"image\":\"%%s\"}' \"$(base64 < probe.jpg | tr -d '\\n')\" |\n    curl -s --json @- %s/rollcall.v1.AttendanceService/Identify\n", url)
}

// announceModel loads the model that is used by default and says which it is,
// or what to do where there is none: the server takes it up without a restart.
func (o *serveOptions) announceModel(ctx context.Context, out io.Writer, p *serveParts) {
	loaded, err := p.embedder.Load(ctx, o.rpc.Model)
	if err == nil {
		fmt.Fprintf(out, "  model    %s, %d-D, sha256 %.12s…, %d sessions, loaded in %s\n",
			loaded.Contract.Name, loaded.Contract.Output.Dimension, loaded.Contract.SHA256, loaded.Sessions, loaded.Took.Round(time.Millisecond))
		return
	}
	if !errors.Is(err, models.ErrNoneInstalled) {
		fmt.Fprintf(out, "  model    none can be used: %v\n", err)
		return
	}
	fmt.Fprintf(out, "  model    none can be used yet\n")
	for _, kind := range []models.Kind{models.Locator, models.Embedder} {
		if _, err := p.library.Default(kind); err != nil {
			fmt.Fprintf(out, "           %v\n", err)
		}
	}
}
