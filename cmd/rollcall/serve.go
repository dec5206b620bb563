package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/embedder/ortlib"
	"rollcall/gallery"
	"rollcall/models"
	"rollcall/rpc"
	"rollcall/rpc/erasure"
	"rollcall/storage"
)

func serveCommand() command {
	var config serveConfig
	return command{
		name:  "serve",
		short: "run the server",
		long: `Runs the server until it is interrupted, then lets calls in flight finish.
On the first start it installs ONNX Runtime into the user's cache. If a model
that --model, --locator or --detector names is not installed, serve asks whether
to pull it.`,
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
	logger, metrics := config.logger(c.err), rpc.NewMetrics()
	opts := config.rpcOptions(logger, metrics)
	if err := config.network.apply(&opts, logger); err != nil {
		return err
	}
	if err := config.installMissing(ctx, c); err != nil {
		return err
	}
	ln, err := config.network.open()
	if err != nil {
		return err
	}
	server := rpc.New(opts)

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
	if err := config.network.allow(parts.tokens.Any()); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	backend := rpc.Backend{Embedder: parts.embedder, Eraser: parts.eraser, Galleries: parts.galleries, Journals: parts.journals, Models: parts.library, Tokens: parts.tokens, FreeBytes: parts.store.FreeBytes}
	if backend.Backups, err = config.backups.start(ctx, parts, logger); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	server.Ready(backend)
	if err := config.announce(ctx, c.out, ln, parts); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	return <-served
}

// worthProgress is the number of crops from which progress is shown: reading them takes
// about a second.
const worthProgress = 100_000

// serveParts is what serve has opened, in the order of opening.
type serveParts struct {
	runtime   ortlib.Library
	store     *storage.Store
	tokens    *access.Tokens
	galleries *gallery.Galleries
	journals  *journal.Journals
	library   *models.Library
	embedder  *embedder.Embedder
	eraser    *erasure.Eraser

	stopBackups func() // nil: none are written
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
	// Open the store first, so that a second server on the same folder fails at once.
	if p.store, err = config.sealKey.open(ctx, config.data, storage.Options{Logger: logger, AcceptLoss: config.acceptLoss}); err != nil {
		return p, err
	}
	if p.tokens, err = access.OpenTokens(ctx, p.store, logger); err != nil {
		return p, err
	}
	p.journals = journal.Open(p.store, logger)
	if p.library, err = config.library.open(); err != nil {
		return p, err
	}
	if p.runtime, err = startRuntime(ctx, c, config.ort, logger); err != nil {
		return p, err
	}
	if p.embedder, err = embedder.New(p.library, config.embedderOptions(logger, metrics)); err != nil {
		return p, err
	}
	return p, p.openGalleries(ctx, c, config, logger)
}

// openGalleries opens the galleries, and loads the default one.
func (p *serveParts) openGalleries(ctx context.Context, c console, config *serveConfig, logger *slog.Logger) (err error) {
	reading := terminal.NewMeter(c.err, "reading the gallery", "crops")
	defer reading.End()
	opts := config.galleryOptions(logger)
	opts.Models = rpc.Facts(p.library, p.embedder)
	opts.Progress = func(done, total int) {
		if total >= worthProgress {
			reading.Step(int64(done), int64(total))
		}
	}
	if p.galleries, err = gallery.OpenGalleries(ctx, p.store, opts, config.galleryMemoryMiB<<20); err != nil {
		return err
	}
	p.eraser = erasure.Open(p.store, p.galleries, p.journals, logger)
	_, release, err := p.galleries.Use(ctx, gallery.DefaultGallery)
	if errors.Is(err, gallery.ErrDamaged) && len(p.galleries.List()) > 1 {
		return nil // the other galleries go on
	}
	if err != nil {
		return err
	}
	release()
	return nil
}

// close closes what is open, last first.
func (p *serveParts) close() error {
	var errs []error
	if p.eraser != nil {
		p.eraser.Close()
	}
	if p.stopBackups != nil {
		p.stopBackups()
	}
	if p.galleries != nil {
		errs = append(errs, p.galleries.Close())
	}
	if p.embedder != nil {
		errs = append(errs, p.embedder.Close())
	}
	if p.journals != nil {
		errs = append(errs, p.journals.Close())
	}
	if p.tokens != nil {
		errs = append(errs, p.tokens.Close())
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	return errors.Join(errs...)
}

// announce prints the server's address, what it uses, and a command to try.
func (config *serveConfig) announce(ctx context.Context, out io.Writer, ln net.Listener, p *serveParts) error {
	list, err := p.galleries.Overview(ctx)
	if err != nil {
		return err
	}
	url := config.network.url(ln)
	fmt.Fprintf(out, "Rollcall %s answers at %s\n", version, url)
	for id, stats := range p.galleries.Stats() {
		fmt.Fprintf(out, "  gallery  %s: %s, %s in %s\n", id, count(stats.Students, "student"), count(stats.Crops, "crop"), config.data)
	}
	fmt.Fprintf(out, "  runtime  ONNX Runtime %s (%s)\n", p.runtime.Version, p.runtime.Origin)
	fmt.Fprintf(out, "  callers  %s\n", whoMayCall(p.tokens))
	for _, o := range list {
		if o.Err != nil {
			terminal.Printf(out, "  damaged  gallery %s: %v\n", o.ID, o.Err)
		}
		if o.ID == gallery.DefaultGallery {
			announceModel(ctx, out, p, o.Settings.Model)
		}
	}
	for _, o := range list {
		config.announceDifferences(out, p, o)
	}
	fmt.Fprintf(out, "Try it:\n  printf '{\"image\":\"%%s\"}' \"$(base64 < probe.jpg | tr -d '\\n')\" |\n    curl -s %s--json @- %s/rollcall.v1.AttendanceService/Identify\n", config.network.curl(), url)
	return nil
}

// whoMayCall says who may call the server.
func whoMayCall(tokens *access.Tokens) string {
	if !tokens.Any() {
		return "everybody: nobody has to log in, until there is a token (rollcall tokens create)"
	}
	good := 0
	for _, t := range tokens.List() {
		if !t.Ended(time.Now()) {
			good++
		}
	}
	return "who has one of " + count(good, "token")
}

// announceModel loads the model of the gallery, or the preferred one if the gallery has
// chosen none, and prints which it is. If there is none it prints what to do; the server
// then uses the new model without a restart.
func announceModel(ctx context.Context, out io.Writer, p *serveParts, name string) {
	loaded, err := p.embedder.Load(ctx, name)
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

// announceDifferences prints the settings of a gallery that differ from the given flags,
// and whether this server embeds crops in another way than the gallery's were embedded.
func (config *serveConfig) announceDifferences(out io.Writer, p *serveParts, o gallery.Overview) {
	note := func(format string, args ...any) {
		fmt.Fprintf(out, "  note     gallery %s: %s\n", o.ID, fmt.Sprintf(format, args...))
	}
	for _, flag := range []struct {
		name       string
		told, kept any
	}{
		{"model", config.model, o.Settings.Model},
		{"fpir", config.fpir, o.Settings.FPIR},
		{"margin", config.margin, o.Settings.Margin},
	} {
		if config.set.Changed(flag.name) && flag.told != flag.kept {
			note("--%s is for new galleries; this one keeps %v (\"rollcall settings set %s=%v\" changes it)", flag.name, flag.kept, flag.name, flag.told)
		}
	}
	if o.Settings.Model == "" {
		return
	}
	if m, err := p.library.Model(o.Settings.Model); err == nil && len(m.Contract.Calibration) == 0 && !o.Calibrated && o.Settings.FPIR != gallery.DefaultFPIR {
		note("its fpir of %v has no effect, because model %s has no calibration: a MATCH needs the similarity %v that the model's makers publish, whatever the size of the gallery", o.Settings.FPIR, o.Settings.Model, m.Contract.Threshold)
	}
	recipe, err := p.embedder.Recipe(o.Settings.Model)
	switch {
	case err != nil:
		note("its model %s cannot be used, and nobody is recognised without it: %v", o.Settings.Model, err)
	case o.Recipe != "" && o.Recipe != recipe:
		note("its embeddings were made in another way (%s) than this server makes them (%s), and compare less well: use the same locator, or \"rollcall models use %s\" and enrol the crops again", o.Recipe, recipe, o.Settings.Model)
	}
}
