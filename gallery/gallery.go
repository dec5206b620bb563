// Package gallery is the meaning of the vectors: who is enrolled with which
// crops, whose face a probe shows, and who of a class is there.
//
// A server opens its [Galleries] and takes the one that a call is about with
// [Galleries.Use]; [Open] opens one alone. [Gallery.Enroll] stores a crop's
// embedding under a student; [Gallery.Identify] and [Gallery.IdentifyCrop] ask
// whose face an embedding comes from; [Gallery.RollCall] asks it for all crops of
// one photo at once. The other methods look after students, crops and settings,
// and [Gallery.CheckConsistency] compares what is on disk with what is searched.
//
// # How one enrolment travels
//
// Enroll (enroll.go) hands a decision to the writer (writer.go), which runs it on
// an edit (edit.go): it reads records from memory and puts new ones. The writer
// stores all waiting edits in one commit. Then it applies the same records to
// memory (memory.go), where searches find them (search.go). The start (load.go)
// applies what is stored in the same way. No rule is written twice: apply says what
// a record means in memory, and an edit says when the record is written.
//
// Where to read on: verdict.go, threshold.go and score.go say how a verdict is made,
// calibrate.go and tail.go how the gallery turns a rate into a threshold; burst.go and
// rounds.go, what is made of several frames and of a class photo; duplicate.go and
// unlike.go, when an enrolment is refused; undo.go, what can be taken back; people.go,
// which student and crop a vector belongs to; space.go, how the vectors of a model lie
// in its index.
//
// Two promises hold for every change: nothing is acknowledged before it is on
// disk, and nothing is searchable before it is on disk. A search sees each change
// whole or not at all.
package gallery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"rollcall/index"
	"rollcall/storage"
)

// DefaultEngine searches everything, so that every verdict is exact.
const DefaultEngine = "exact"

// Options configure galleries. Models is needed; the rest has good defaults.
type Options struct {
	// Models returns what verdicts need to know of a model by its name. Every call
	// asks it, so it should be quick; the call returns its errors. It must be safe
	// for concurrent use.
	Models func(name string) (Model, error)

	// New are the settings that a gallery made from now on starts with. An FPIR or
	// a margin of 0 means the default; a negative margin means none.
	New Settings

	// Engine is the name of the index engine, one of index.Engines. Default:
	// DefaultEngine.
	Engine string

	// Logger takes ids and counts, never vectors. Default: nothing is logged.
	Logger *slog.Logger

	// Progress, if any, is called while a gallery is loaded: done of about total
	// embeddings are in.
	Progress func(done, total int)
}

// Gallery is an open gallery. It is safe for concurrent use.
type Gallery struct {
	opts    Options // every field set, but for Progress
	writer  *writer
	closing sync.Once

	changed    chan struct{} // something was stored since the calibrator looked
	calibrated chan struct{} // closed when the calibrator has ended
}

// Open loads the gallery of a partition. Nobody else may write to the partition
// while the gallery is open. An empty partition becomes an empty gallery with the
// settings [Options.New]. The errors are those of the options and of storage, and
// ctx's.
func Open(ctx context.Context, partition *storage.Partition, opts Options) (*Gallery, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open gallery: %w", err)
	}
	return openPartition(ctx, partition, opts)
}

// openPartition is Open with options that have every field set. (Setting defaults
// twice would turn a margin of none into the default one.)
func openPartition(ctx context.Context, partition *storage.Partition, opts Options) (*Gallery, error) {
	g := &Gallery{opts: opts, changed: make(chan struct{}, 1), calibrated: make(chan struct{})}
	var err error
	if g.writer, err = newWriter(ctx, partition, &g.opts, g.poke); err != nil {
		return nil, fmt.Errorf("open gallery: %w", err)
	}
	g.poke()
	go g.calibrator()
	if g.writer.memory.Load().seq == 0 {
		if _, err := g.writer.do(ctx, "make gallery", func(e *edit) error { e.putSettings(opts.New); return nil }); err != nil {
			return nil, fmt.Errorf("make gallery: %w", errors.Join(err, g.Close()))
		}
	}
	return g, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Models == nil {
		return Options{}, errors.New("no models are given")
	}
	if o.Engine == "" {
		o.Engine = DefaultEngine
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if !slices.Contains(index.Engines, o.Engine) {
		return Options{}, fmt.Errorf("no index engine %q; there are %v", o.Engine, index.Engines)
	}
	o.New, err = o.New.withDefaults()
	return o, err
}

// Close waits for the edits that are under way. Later calls return ErrClosed, and
// so does a second Close. It does not close the store.
func (g *Gallery) Close() error {
	err := ErrClosed
	g.closing.Do(func() {
		close(g.writer.stop)
		<-g.writer.stopped
		<-g.calibrated
		err = nil
	})
	return err
}

// read returns the memory, locked for reading until release is called. The errors
// are ErrClosed, ErrUnavailable and ctx's.
func (g *Gallery) read(ctx context.Context) (m *memory, release func(), err error) {
	select {
	case <-g.writer.stop:
		return nil, nil, ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if m = g.writer.memory.Load(); m == nil {
		return nil, nil, errReloading
	}
	m.mu.RLock()
	if m.broken {
		m.mu.RUnlock()
		return nil, nil, errReloading
	}
	return m, m.mu.RUnlock, nil
}
