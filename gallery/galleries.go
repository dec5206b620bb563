package gallery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rollcall/storage"
)

// DefaultGallery is the gallery of calls that name none.
const DefaultGallery = "default"

// Galleries are the galleries of a server. A gallery is loaded when it is first
// used. It may leave memory when nobody uses it and others need the room. It is
// safe for concurrent use.
type Galleries struct {
	store  *storage.Store
	own    *storage.Partition // the server's: the list of galleries
	opts   Options
	budget int64

	listing sync.Mutex // of who changes the list; taken before mu

	mu     sync.Mutex // guards the fields that follow
	known  map[string]*entry
	clock  uint64 // counts uses, for the least recent one
	bytes  int64  // of memory, as last measured
	closed bool
}

// entry is a gallery of the list.
type entry struct {
	id    string
	users int      // calls that use it, and its load
	used  uint64   // when it was last taken or given back
	load  *loading // nil: not in memory
	bytes int64    // of memory, when it was last given back; 0 without a budget

	// leaving is not nil while the gallery is being deleted: nobody takes it any more.
	// It is closed when nobody uses it.
	leaving chan struct{}
}

// loading is a gallery that is, or is being, loaded.
type loading struct {
	done    chan struct{} // closed when gallery and err are set
	gallery *Gallery
	err     error
}

// OpenGalleries opens the galleries of a store. Nobody else may write to the store.
// It makes the default gallery if there is none, and loads no gallery. Budget is in
// bytes: when the galleries take more memory, those that nobody uses leave it; 0:
// no limit.
func OpenGalleries(ctx context.Context, store *storage.Store, opts Options, budget int64) (*Galleries, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open galleries: %w", err)
	}
	own, err := store.Partition(storage.ServerPartition)
	if err != nil {
		return nil, err
	}
	s := &Galleries{store: store, own: own, opts: opts, budget: budget, known: make(map[string]*entry)}
	if _, err := s.readList(ctx); err != nil {
		return nil, err
	}
	if s.known[DefaultGallery] == nil {
		if err := s.Create(ctx, DefaultGallery); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Writable returns why changes are refused now: ErrReadOnly while the disk is nearly
// full, ErrClosed; or nil.
func (s *Galleries) Writable() error { return s.store.Writable() }

// Overview is what can be told about a gallery without loading it.
type Overview struct {
	ID         string
	Settings   Settings
	Recipe     string // that is expected under the model of the settings; "": there is none
	Calibrated bool   // it has a calibration of its own for that model
	Err        error  // why the gallery cannot be read; the fields above are then those of a new one
}

// Overview returns all galleries, by id. One that is damaged has an Err. The error is any
// other one of the disk, or ctx's.
func (s *Galleries) Overview(ctx context.Context) ([]Overview, error) {
	var list []Overview
	for _, id := range s.List() {
		o, err := s.overview(ctx, id)
		if errors.Is(err, ErrDamaged) {
			o = Overview{ID: id, Settings: s.opts.New, Err: err}
		} else if err != nil {
			return nil, fmt.Errorf("read the settings of gallery %q: %w", id, err)
		}
		list = append(list, o)
	}
	return list, nil
}

func (s *Galleries) overview(ctx context.Context, id string) (Overview, error) {
	o := Overview{ID: id, Settings: s.opts.New} // of a gallery that was never loaded
	partition, err := s.store.Partition(id)
	if err != nil {
		return o, err
	}
	records, err := partition.Fetch(ctx, settingsRef)
	if err != nil || len(records) == 0 {
		return o, err
	}
	o.Settings = settingsOf(records[0].(storage.Settings))
	if o.Settings.Model == "" {
		return o, nil
	}
	if records, err = partition.Fetch(ctx, modelRef(o.Settings.Model)); err == nil && len(records) > 0 {
		m := records[0].(storage.Model)
		o.Recipe, o.Calibrated = m.Recipe, len(m.Calibration.Points) > 0
	}
	return o, err
}

// Find returns the id of a gallery as the server keeps it, in NFC, without loading the
// gallery. The error is ErrGalleryNotFound.
func (s *Galleries) Find(id string) (string, error) {
	id, err := parseID("gallery", id)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrGalleryNotFound, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[id] == nil {
		return "", fmt.Errorf("%w: %q", ErrGalleryNotFound, id)
	}
	return id, nil
}

// Use returns a gallery. It stays in memory until release is called, which must be
// done once. The first use loads the gallery, and others wait for that. The errors
// are ErrGalleryNotFound, ErrUnavailable (it is being deleted), ErrClosed, those of
// [Open] and ctx's.
func (s *Galleries) Use(ctx context.Context, id string) (g *Gallery, release func(), err error) {
	if id, err = ParseID(id); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrGalleryNotFound, err)
	}
	e, l, err := s.take(id)
	if err != nil {
		return nil, nil, err
	}
	release = func() { s.giveBack(e) }
	select {
	case <-l.done:
	case <-ctx.Done():
		release()
		return nil, nil, ctx.Err()
	}
	if l.err != nil {
		release()
		return nil, nil, fmt.Errorf("load gallery %q: %w", id, l.err)
	}
	return l.gallery, release, nil
}

// take makes the caller a user of the gallery, and starts the load if there is
// none.
func (s *Galleries) take(id string) (*entry, *loading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	e := s.known[id]
	if e == nil {
		return nil, nil, fmt.Errorf("%w: %q", ErrGalleryNotFound, id)
	}
	if e.leaving != nil {
		return nil, nil, errLeaving
	}
	e.users++
	s.touch(e)
	if e.load == nil {
		e.load = &loading{done: make(chan struct{})}
		e.users++ // the load itself: nobody evicts what is being loaded
		go s.load(e, e.load)
	}
	return e, e.load, nil
}

func (s *Galleries) touch(e *entry) {
	s.clock++
	e.used = s.clock
}

// load loads a gallery. A caller that waits for it may give up; the load goes on
// for the next one.
func (s *Galleries) load(e *entry, l *loading) {
	defer s.giveBack(e)
	defer close(l.done)
	partition, err := s.store.Partition(e.id)
	if err == nil {
		opts := s.opts
		opts.Logger = opts.Logger.With("gallery", e.id)
		l.gallery, err = openPartition(context.Background(), partition, opts)
	}
	if l.err = err; err != nil {
		s.opts.Logger.Error("a gallery cannot be loaded", "gallery", e.id, "error", err)
		s.mu.Lock()
		e.load = nil // the next use tries again
		s.mu.Unlock()
	}
}

// giveBack ends a use, and evicts idle galleries while the budget is exceeded.
func (s *Galleries) giveBack(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.users--
	s.touch(e)
	if e.leaving != nil && e.users == 0 {
		close(e.leaving)
	}
	if s.budget <= 0 || e.load == nil || !e.load.ready() || s.closed {
		return
	}
	now := e.load.gallery.Stats().Bytes()
	s.bytes += now - e.bytes
	e.bytes = now
	for s.bytes > s.budget {
		e := s.idle()
		if e == nil {
			return
		}
		s.evict(e)
	}
}

// idle returns the gallery that nobody has used for longest, or nil.
func (s *Galleries) idle() *entry {
	var oldest *entry
	for _, e := range s.known {
		if e.users == 0 && e.load != nil && e.load.gallery.writer.memory.Load() != nil && (oldest == nil || e.used < oldest.used) {
			oldest = e
		}
	}
	return oldest
}

// evict takes a gallery that nobody uses out of memory. Its writer is idle, or stores a
// calibration, so closing takes one commit at most. Nobody can load the gallery again before it is closed,
// since mu is held.
func (s *Galleries) evict(e *entry) {
	if err := e.load.gallery.Close(); err != nil {
		s.opts.Logger.Error("a gallery was closed twice", "error", err)
	}
	s.bytes -= e.bytes
	e.load, e.bytes = nil, 0
}

// Stats returns the sizes of the galleries that are in memory, by id.
func (s *Galleries) Stats() map[string]Stats {
	loaded := make(map[string]*Gallery)
	s.mu.Lock()
	for id, e := range s.known {
		if e.load != nil && e.load.ready() {
			loaded[id] = e.load.gallery
		}
	}
	s.mu.Unlock()
	stats := make(map[string]Stats, len(loaded))
	for id, g := range loaded {
		stats[id] = g.Stats()
	}
	return stats
}

// ready reports whether the gallery was loaded.
func (l *loading) ready() bool {
	select {
	case <-l.done:
		return l.err == nil
	default:
		return false
	}
}

// Close refuses further calls, waits for the edits that are under way, and closes
// the galleries, but not the store. A second Close returns ErrClosed.
func (s *Galleries) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	loads := s.loads()
	var errs []error
	for _, l := range loads {
		<-l.done
		if l.err == nil {
			errs = append(errs, l.gallery.Close())
		}
	}
	return errors.Join(errs...)
}

// loads returns what is, or is being, loaded, once nobody changes the list any more.
// REQUIRES: closed is set.
func (s *Galleries) loads() (loads []*loading) {
	s.listing.Lock()
	defer s.listing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.known {
		if e.load != nil {
			loads = append(loads, e.load)
		}
	}
	return loads
}
