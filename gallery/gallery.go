// Package gallery is the meaning of the vectors: who is enrolled with which
// crops, whose face a probe shows, and who of a class is there.
//
// Start with [Open]. [Gallery.Enroll] stores a crop's embedding under a student;
// [Gallery.Identify] and [Gallery.IdentifyCrop] ask whose face a vector comes
// from; [Gallery.RollCall] asks it for all crops of one picture at once. The
// other methods look after students and crops, and [Gallery.CheckConsistency]
// compares what is on disk with what is searched.
//
// Read on by question: what a verdict rests on is in verdict.go and threshold.go;
// how a search finds students where the index finds vectors, in search.go; when
// an enrolment is refused as a duplicate, in duplicate.go; how storage and memory
// stay in step under concurrent writers, in change.go, order.go and step.go; how
// a start is spared the building of indexes, and what becomes of deleted vectors
// there, in snapshot.go and restore.go.
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
	"sync"
	"sync/atomic"

	"rollcall/storage"
)

// DefaultMargin is how much more similar than any other student the best one
// must be for a match: half the standard deviation (0.10) of the similarities of
// different people. Measured with mobilefacenet-128 on aligned pictures of 603
// people of LFW, all enrolled: of 625 probes it asks a person about one, whose best
// student was somebody else; every match was right. At 0.15 it would ask about 11.
const DefaultMargin = 0.05

// Options configure a gallery. The zero value is a good choice.
type Options struct {
	// Engine is the name of the index engine, one of index.Engines. Default:
	// "auto".
	Engine string

	// FPIR is the wanted false positive identification rate, (0, 1), of a search
	// that does not ask for another. Default: DefaultFPIR.
	FPIR float64

	// Margin is the similarity, up to 2, by which the best student must be ahead
	// of the next one for a match. Default: DefaultMargin. Negative: none.
	Margin float32

	// VectorsInStorage keeps the vectors out of memory, but for their coding in a
	// quarter of the size: a search then reads a few dozen of them from storage.
	// Answers are the same. The engine "coder-hnsw" ignores it.
	VectorsInStorage bool

	// SnapshotDir is a folder of the gallery's own, made when missing, for copies of
	// the indexes, so that Open need not build them again. They hold embeddings; see
	// snapshot.go. Default: none are kept.
	SnapshotDir string

	// Logger takes ids and counts, never vectors. Default: nothing is logged.
	Logger *slog.Logger

	// Progress, if any, is called while Open rebuilds the indexes: done of total
	// crops have been read. It is called from Open's goroutine.
	Progress func(done, total int)

	policy snapshotPolicy // for tests; zero: defaultPolicy
}

// Gallery is an open gallery. It is safe for concurrent use.
type Gallery struct {
	store *storage.Store
	opts  Options // every field set, but for Progress

	closed    atomic.Bool
	writer    writer
	snapshots *snapshots // nil: none are kept

	// mu guards the fields that follow. Changes alter them only at their turn
	// (see order), so whoever is at turn may read them without the lock.
	mu     sync.RWMutex
	state  state
	failed error // why no further change is taken; nil while they are
}

// Open makes a gallery of what is stored: it takes the indexes, one for each
// model, from their snapshots where there are any that can be used, and rebuilds
// them otherwise. The store must not be written to by anybody else while the gallery is
// open. The errors are those of the options and of the store, and ctx's.
func Open(ctx context.Context, store *storage.Store, opts Options) (*Gallery, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open gallery: %w", err)
	}
	g := &Gallery{store: store, opts: opts, state: newState()}
	g.writer.order = newOrder()
	if opts.SnapshotDir != "" {
		if g.snapshots, err = newSnapshots(&g.opts, store); err != nil {
			return nil, fmt.Errorf("open gallery: %w", err)
		}
	}
	if err := g.rebuild(ctx); err != nil {
		return nil, fmt.Errorf("open gallery: %w", err)
	}
	if g.snapshots != nil {
		g.snapshots.start(g.moment)
	}
	// No search began before this one: there is nothing to remember for it.
	g.writer.recent.forgotten = g.state.seq
	return g, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Engine == "" {
		o.Engine = "auto"
	}
	if o.FPIR == 0 {
		o.FPIR = DefaultFPIR
	}
	if err := checkFPIR(o.FPIR); err != nil {
		return Options{}, err
	}
	switch {
	case o.Margin == 0:
		o.Margin = DefaultMargin
	case o.Margin < 0:
		o.Margin = 0
	case !(o.Margin <= 2): // or NaN
		return Options{}, errors.New("margin is no difference of similarities")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Close waits for changes that are under way, and lets no further call in: they
// return ErrClosed, and so does a second Close. Then it writes the snapshots, if
// they are kept. It does not close the store.
func (g *Gallery) Close() error {
	if !g.shut() {
		return ErrClosed
	}
	if g.snapshots != nil {
		g.snapshots.stop()
	}
	return nil
}

// shut lets no further call in, and reports whether it was the first to do so.
func (g *Gallery) shut() bool {
	g.writer.Lock()
	defer g.writer.Unlock()
	if g.closed.Swap(true) {
		return false
	}
	g.quiet()
	return true
}

// readable returns why nothing can be read, if so.
func (g *Gallery) readable(ctx context.Context) error {
	if g.closed.Load() {
		return ErrClosed
	}
	return ctx.Err()
}
