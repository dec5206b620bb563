package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"rollcall/embedder"
	"rollcall/embedder/ortlib"
	"rollcall/gallery"
	"rollcall/models"
	"rollcall/rpc"
	"rollcall/storage"
	"rollcall/terminal"
)

func serveCommand() command {
	var config serveConfig
	return command{
		name:  "serve",
		short: "run the server",
		long: `Runs the server until it is interrupted, then lets calls in flight finish.
ONNX Runtime is installed into the user's cache on the first start. Where a
model that --model, --locator or --detector names is not installed, serve asks
whether to pull it.`,
		flags: config.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("serve takes no arguments")
			}
			return runServe(ctx, c, config)
		},
	}
}

func runServe(ctx context.Context, c console, config serveConfig) (err error) {
	if err := config.validate(); err != nil {
		return err
	}
	if err := config.installMissing(ctx, c); err != nil {
		return err
	}
	ln, err := net.ListenTCP("tcp", config.address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; name another address with --listen", config.listen, err)
	}
	logger, metrics := config.logger(c.err), rpc.NewMetrics()
	server := rpc.New(config.rpcOptions(logger, metrics))

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()

	parts, err := config.open(ctx, c, logger, metrics)
	if err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	server.Ready(rpc.Backend{Embedder: parts.embedder, Gallery: parts.gallery, Models: parts.library})
	config.announce(ctx, c.out, ln, parts)
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
func (config *serveConfig) open(ctx context.Context, c console, logger *slog.Logger, metrics *rpc.Metrics) (p *serveParts, err error) {
	p = new(serveParts)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
			p = nil
		}
	}()
	// The store first: a second server of the same folder fails at once.
	if p.store, err = storage.Open(config.data, storage.Options{Logger: logger}); err != nil {
		return p, fmt.Errorf("open the gallery in %s: %w", config.data, err)
	}
	if p.library, err = config.library.open(); err != nil {
		return p, err
	}
	if p.runtime, err = startRuntime(ctx, c, config.ort, logger); err != nil {
		return p, err
	}
	if p.embedder, err = embedder.New(p.library, config.embedderOptions(logger, metrics)); err != nil {
		return p, err
	}
	rebuild := terminal.NewMeter(c.err, "reading the gallery", "crops")
	opts := config.galleryOptions(logger)
	opts.SnapshotDir = filepath.Join(config.data, "snapshots")
	opts.Progress = func(done, total int) {
		if total >= worthProgress {
			rebuild.Step(int64(done), int64(total))
		}
	}
	p.gallery, err = gallery.Open(ctx, p.store, opts)
	rebuild.End()
	return p, err
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
func (config *serveConfig) announce(ctx context.Context, out io.Writer, ln net.Listener, p *serveParts) {
	url := "http://" + ln.Addr().String()
	stats := p.gallery.Stats()
	fmt.Fprintf(out, "Rollcall %s answers at %s\n", version, url)
	fmt.Fprintf(out, "  gallery  %d students, %d crops in %s\n", stats.Students, stats.Crops, config.data)
	fmt.Fprintf(out, "  runtime  ONNX Runtime %s (%s)\n", p.runtime.Version, p.runtime.Origin)
	config.announceModel(ctx, out, p)
	fmt.Fprintf(out, "Try it:\n  printf '{\"image\":\"%%s\"}' \"$(base64 < probe.jpg | tr -d '\\n')\" |\n    curl -s --json @- %s/rollcall.v1.AttendanceService/Identify\n", url)
}

// announceModel loads the model that is used by default and says which it is,
// or what to do where there is none: the server takes it up without a restart.
func (config *serveConfig) announceModel(ctx context.Context, out io.Writer, p *serveParts) {
	loaded, err := p.embedder.Load(ctx, config.model)
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
