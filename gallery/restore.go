package gallery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"rollcall/index"
	"rollcall/storage"
)

// restoring fills the indexes of a gallery that is being opened: from snapshots
// and what changed since where that can be, and from storage alone otherwise.
type restoring struct {
	g        *Gallery
	leftOut  int  // records that do not fit
	changes  int  // that the snapshots lack
	outdated bool // a snapshot has a vector that may have been deleted since

	loaded  map[string]*loaded             // by model: the snapshots that were read
	adopted map[*space]map[string]struct{} // crops that changed since the space's snapshot
	bulks   map[*space]*bulk
}

// loaded is a snapshot that was read and is not believed yet.
type loaded struct {
	engine index.Engine
	names  *cropNames
	index.Snapshot
	note note
	err  error // why there is none
}

func newRestoring(g *Gallery) *restoring {
	return &restoring{
		g:       g,
		loaded:  make(map[string]*loaded),
		adopted: make(map[*space]map[string]struct{}),
		bulks:   make(map[*space]*bulk),
	}
}

// load begins to read the snapshots; the function that it returns waits until
// that is done.
func (r *restoring) load() (await func()) {
	if r.g.snapshots == nil {
		return func() {}
	}
	var models []storage.Model
	for _, sp := range r.g.state.spaces {
		models = append(models, sp.model)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, m := range models {
			r.loaded[m.Name] = r.g.read(m)
		}
	}()
	return sync.OnceFunc(func() { <-done })
}

// Why a snapshot is not used, beside what index and storage say.
var (
	errOtherModel   = errors.New("it is of another model")
	errOtherHistory = errors.New("it is of another store, or of another time of this one")
	errOtherCrops   = errors.New("it does not fit the enrolled crops")
)

// read reads the snapshot of a model.
func (g *Gallery) read(m storage.Model) *loaded {
	l := new(loaded)
	opts, names := g.engineOptions(m)
	l.names = names
	l.engine, l.Snapshot, l.err = index.ReadSnapshot(g.snapshots.path(m.Name), g.opts.Engine, m.Dimension, opts)
	if l.err != nil {
		return l
	}
	if l.note, l.err = decodeNote(l.Note); l.err == nil && (l.note.model != m.Name || l.note.digest != m.Digest) {
		l.err = errOtherModel
	}
	return l
}

// restore fills the indexes.
// REQUIRES: students and enrolled crops are in the state; load is done.
func (r *restoring) restore(ctx context.Context) error {
	g := r.g
	for _, name := range slices.Sorted(maps.Keys(r.loaded)) {
		l, sp := r.loaded[name], g.state.spaces[name]
		err := r.adopt(sp, l)
		if err == nil {
			g.opts.Logger.Info("index taken from its snapshot", "model", name, "sequence", l.Sequence,
				"embeddings", sp.engine.Len(), "changed crops", len(r.adopted[sp]))
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			g.opts.Logger.Warn("snapshot not used: the index is built anew", "model", name, "error", err)
		}
		if err := g.snapshots.drop(name); err != nil {
			return fmt.Errorf("remove a snapshot: %w", err)
		}
	}
	if err := r.replay(ctx); err != nil {
		return err
	}
	if err := r.rebuildIndexes(ctx); err != nil {
		return err
	}
	return r.finish()
}

// adopt makes a snapshot's vectors those of the space, but for those of crops that
// changed since. On an error the space is as it was.
func (r *restoring) adopt(sp *space, l *loaded) error {
	if l.err != nil {
		return l.err
	}
	changed, err := r.g.changedSince(l.Sequence, l.note.origin)
	if err != nil {
		return err
	}
	stored := index.NewSet(l.IDs...)
	var kept []placed
	seen := make(map[*crop]struct{}, len(l.note.owners))
	outdated := false
	for _, o := range l.note.owners {
		c := r.g.state.crops[o.crop]
		if _, ok := changed[o.crop]; ok {
			outdated = true
			continue
		}
		if _, twice := seen[c]; twice || c == nil || !stored.Has(o.id) {
			return errOtherCrops
		}
		seen[c] = struct{}{}
		kept = append(kept, placed{o.crop, place{sp, o.id}})
		l.names.set(o.id, o.crop)
	}

	sp.engine, sp.names = l.engine, l.names
	for _, p := range kept { // by ascending ID
		for ; sp.ids.next < p.place.id; sp.ids.next++ {
			sp.ids.give(sp.ids.next)
		}
		sp.ids.next++
		r.g.state.place(r.g.state.crops[p.crop], p.place)
	}
	for _, id := range l.IDs { // on the way in or out when they were written, or changed since
		if sp.owner(id) == nil {
			sp.engine.Delete(id)
		}
	}
	r.adopted[sp] = changed
	r.g.snapshots.sequences[sp.model.Name] = l.Sequence
	r.changes = max(r.changes, int(r.g.state.seq-l.Sequence))
	r.outdated = r.outdated || outdated
	return nil
}

// changedSince returns the crops that changes after the given one touched, or why
// that cannot be known.
func (g *Gallery) changedSince(seq, origin uint64) (map[string]struct{}, error) {
	if seq > g.state.seq {
		return nil, errOtherHistory
	}
	changed := make(map[string]struct{})
	last := seq
	for c, err := range g.store.LoggedChanges(seq) {
		if err != nil {
			return nil, fmt.Errorf("read the log of changes: %w", err)
		}
		last = c.Seq
		if c.Seq > seq {
			for _, crop := range c.Crops {
				changed[crop] = struct{}{}
			}
		} else if c.Origin != origin {
			return nil, errOtherHistory
		}
	}
	if last != g.state.seq {
		return nil, errors.New("the log of changes ends too early")
	}
	return changed, nil
}

// replay reads the crops that changed since the snapshots.
func (r *restoring) replay(ctx context.Context) error {
	all := make(map[string]struct{})
	for _, changed := range r.adopted {
		maps.Copy(all, changed)
	}
	for i, id := range slices.Sorted(maps.Keys(all)) {
		if i%progressEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c := r.g.state.crops[id]
		if c == nil {
			continue
		}
		for e, err := range r.g.store.EmbeddingsOf(id) {
			if err != nil {
				return fmt.Errorf("read embeddings of crop %q: %w", id, err)
			}
			if changed, ok := r.adopted[r.g.state.spaces[e.Model]]; ok {
				if _, ok := changed[id]; ok {
					r.add(c, e)
				}
			}
		}
	}
	r.flushAll()
	return nil
}

// rebuildIndexes inserts the embeddings of the enrolled crops under the models
// without a snapshot.
func (r *restoring) rebuildIndexes(ctx context.Context) error {
	g := r.g
	total, done, last := g.state.stored, 0, ""
	if len(r.adopted) == len(g.state.spaces) && len(r.adopted) > 0 {
		g.progress(total, total)
		return nil
	}
	for e, err := range g.store.Embeddings() { // by crop
		if err != nil {
			return fmt.Errorf("read embeddings: %w", err)
		}
		if e.CropID != last {
			if done%progressEvery == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
				g.progress(done, total)
			}
			last = e.CropID
			done++
		}
		if _, ok := r.adopted[g.state.spaces[e.Model]]; ok {
			continue
		}
		if c := g.state.crops[e.CropID]; c != nil {
			r.changes++
			r.add(c, e)
		}
	}
	r.flushAll()
	g.progress(total, total)
	return nil
}

// finish tells the keeper of snapshots what the present ones lack.
func (r *restoring) finish() error {
	g := r.g
	if g.snapshots == nil {
		if err := g.store.TrimChanges(g.state.seq); err != nil { // nobody needs it
			return fmt.Errorf("trim the log of changes: %w", err)
		}
		return nil
	}
	var err error
	if r.leftOut > 0 {
		// A snapshot would hide at the next start what is wrong.
		g.opts.Logger.Warn("no snapshots are kept: there are records that do not fit", "records", r.leftOut)
		err = g.snapshots.dropAll()
		g.snapshots = nil
	} else {
		err = g.snapshots.sweep(slices.Collect(maps.Keys(g.state.spaces)))
		g.snapshots.note(r.changes, g.vectors(), r.outdated)
	}
	if err != nil {
		return fmt.Errorf("remove snapshots: %w", err)
	}
	return nil
}

// moment returns what a snapshot is made of now.
func (g *Gallery) moment() (moment, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.failed != nil {
		return moment{}, g.failed // the engines may hold half of a change
	}
	p := moment{seq: g.state.seq}
	for _, sp := range g.state.spaces {
		p.spaces = append(p.spaces, spaceMoment{sp.model, sp.engine, slices.Clone(sp.owners)})
	}
	return p, nil
}
