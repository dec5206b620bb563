package gallery

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/index"
	"rollcall/storage"
)

// A snapshot saves Open from reading every embedding and building every index
// again: it is a copy of one model's index on disk, with whose the vectors are.
// It is tied to a change by its sequence number; what came after it is in
// storage's log of changes, by crop, and is read from storage. So it need not be
// a picture of one moment: whose the vectors are is taken first, at the change
// that the number names, and the vectors are written while changes go on. A
// crop that none of these touched has its vector in the file, under the ID that
// it had, since a vector is never replaced under its ID; every other crop is read
// from storage anyway.
//
// # Privacy
//
// A snapshot holds embeddings, as storage does; it lies in files that only their
// owner can read. A vector that was deleted from the gallery is in the last
// snapshot still, so a deletion makes a new one due: within erasureDelay it is
// written, or, if that fails, the old one removed. (The disk may keep the bytes
// of a file that was replaced or removed until it needs the room.) After a crash
// the next Open does the same.

const (
	// snapshotShare and snapshotLeast say when a snapshot is out of date: after as
	// many changes as one in snapshotShare of the vectors, but never for fewer than
	// snapshotLeast. Reading so many crops one by one costs an Open about as much
	// as the snapshot saves on the twentyfold number; and 1,000 of them take some
	// milliseconds, so there is nothing to be saved below.
	snapshotShare = 20
	snapshotLeast = 1000

	// snapshotMost bounds that for galleries of millions: further back than
	// storage's log a snapshot is of no use.
	snapshotMost = storage.MaxLogged / 2

	// erasureDelay is how long a deleted vector may stay in a snapshot: deletions
	// often come in numbers (a class leaves), and one snapshot serves them all.
	erasureDelay = time.Minute
)

// snapshotPolicy is when snapshots are written.
type snapshotPolicy struct {
	share, least int
	erasureDelay time.Duration
}

var defaultPolicy = snapshotPolicy{snapshotShare, snapshotLeast, erasureDelay}

// snapshots keeps the snapshots of a gallery. Between start and stop a goroutine
// writes them; nobody else does meanwhile.
type snapshots struct {
	dir    string
	store  *storage.Store
	log    *slog.Logger
	policy snapshotPolicy

	moment func() (moment, error) // what is to be written
	wake   chan struct{}          // holds one, if something was noted
	quit   chan struct{}
	done   chan struct{} // closed when the goroutine has ended

	// sequences has the models that have a file, with the sequence number that it
	// is tied to. Touched by Open, then by the goroutine, then by Close.
	sequences map[string]uint64

	mu      sync.Mutex // guards the fields that follow
	vectors int        // searchable
	changes int        // since the last moment that was written; one of several vectors counts for as many
	erase   time.Time  // when a deleted vector must be out of the files; zero: there is none
	wrong   bool       // memory differs from storage: no snapshot may be made of it
}

// newSnapshots returns the keeper of the folder's snapshots.
func newSnapshots(opts *Options, store *storage.Store) (*snapshots, error) {
	if err := os.MkdirAll(opts.SnapshotDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of snapshots: %w", err)
	}
	s := &snapshots{
		dir: opts.SnapshotDir, store: store, log: opts.Logger, policy: defaultPolicy,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		sequences: make(map[string]uint64),
	}
	if opts.policy != (snapshotPolicy{}) {
		s.policy = opts.policy
	}
	return s, nil
}

// start lets the goroutine run that writes snapshots when they are due.
func (s *snapshots) start(now func() (moment, error)) {
	s.moment = now
	go s.run()
}

// stop ends the goroutine, after what it is writing, and writes what changed
// since.
func (s *snapshots) stop() {
	close(s.quit)
	<-s.done
	s.mu.Lock()
	changed := s.changes > 0 || !s.erase.IsZero() || s.wrong
	s.mu.Unlock()
	if changed {
		s.write()
	}
}

// note says how many changes there were, how many vectors there are now, and
// whether one was deleted. It costs a change next to nothing.
func (s *snapshots) note(changes, vectors int, deleted bool) {
	s.mu.Lock()
	s.vectors = vectors
	s.changes += changes
	if deleted && s.erase.IsZero() {
		s.erase = time.Now().Add(s.policy.erasureDelay)
	}
	s.mu.Unlock()
	s.nudge()
}

// distrust ends the snapshots: memory was found to differ from storage, which a
// snapshot would carry over into the next start.
func (s *snapshots) distrust() {
	s.mu.Lock()
	s.wrong = true
	s.mu.Unlock()
	s.nudge()
}

// nudge makes the goroutine look whether a snapshot is due.
func (s *snapshots) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake, or will look
	}
}

// run writes snapshots when they are due.
func (s *snapshots) run() {
	defer close(s.done)
	for {
		wait, due := s.due()
		if due {
			s.write()
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-s.quit:
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// due reports whether a snapshot is due, or else how long it may take.
func (s *snapshots) due() (wait time.Duration, due bool) {
	const long = 24 * time.Hour // somebody will note something
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong && len(s.sequences) > 0 {
		return 0, true
	}
	if s.changes >= min(max(s.policy.least, s.vectors/s.policy.share), snapshotMost) {
		return 0, true
	}
	if s.erase.IsZero() {
		return long, false
	}
	wait = time.Until(s.erase)
	return wait, wait <= 0
}

// moment is what a snapshot of every index is made of: the gallery at one change.
type moment struct {
	seq    uint64
	spaces []spaceMoment
}

// spaceMoment is whose the vectors of one model's index are.
type spaceMoment struct {
	model  storage.Model
	engine index.Engine
	owners []*crop // by ID; of a crop only its id may be read
}

// write writes a snapshot of every index, and trims the log to what they leave
// of it to read. An error is logged: without a snapshot the next Open takes
// longer, and that is all; but then no old one may keep what was deleted.
func (s *snapshots) write() {
	s.mu.Lock()
	deleted, wrong := !s.erase.IsZero(), s.wrong
	s.changes, s.erase = 0, time.Time{} // before the moment, so that nothing is forgotten
	s.mu.Unlock()

	err := errWrong
	if !wrong {
		err = s.writeAll()
	}
	if err == nil {
		err = s.trim()
		deleted = false
	}
	if err != nil {
		s.log.Warn("snapshot failed: the next start may have to read every embedding", "error", err)
	}
	if !deleted && !wrong {
		return
	}
	if err := s.dropAll(); err != nil {
		s.log.Error("a snapshot that must go cannot be removed", "error", err)
		s.mu.Lock()
		s.erase = time.Now().Add(s.policy.erasureDelay) // again in a while
		s.mu.Unlock()
	}
}

// errWrong says why there are no snapshots any more.
var errWrong = errors.New("memory differs from storage: snapshots are removed, so that the next start reads storage")

func (s *snapshots) writeAll() error {
	start := time.Now()
	p, err := s.moment()
	if err != nil {
		return err
	}
	origin, err := s.origin(p.seq)
	if err != nil {
		return err
	}
	vectors := 0
	for _, sp := range p.spaces {
		// Codes and tables, which Bytes counts and the file has not, make up for the
		// ids of the crops.
		if err := s.store.Room(sp.engine.Bytes()); err != nil {
			return err
		}
		n := note{model: sp.model.Name, digest: sp.model.Digest, origin: origin, owners: owned(sp.owners)}
		err := index.WriteSnapshot(s.path(sp.model.Name), sp.engine, index.Snapshot{Sequence: p.seq, Note: n.encode()})
		if err != nil {
			return fmt.Errorf("model %q: %w", sp.model.Name, err)
		}
		s.sequences[sp.model.Name] = p.seq
		vectors += len(n.owners)
	}
	s.log.Info("snapshot written", "sequence", p.seq, "models", len(p.spaces), "embeddings", vectors, "took", time.Since(start))
	return nil
}

// origin returns the origin of a change, which names it together with its number.
func (s *snapshots) origin(seq uint64) (uint64, error) {
	for c, err := range s.store.LoggedChanges(seq) {
		if err != nil {
			return 0, fmt.Errorf("read the log of changes: %w", err)
		}
		return c.Origin, nil
	}
	return 0, fmt.Errorf("read the log of changes: %w", storage.ErrNotFound)
}

// trim takes from the log what no snapshot needs: all before the change that the
// oldest one is tied to.
func (s *snapshots) trim() error {
	first := true
	var oldest uint64
	for _, seq := range s.sequences {
		if first || seq < oldest {
			first, oldest = false, seq
		}
	}
	if first {
		return nil
	}
	return s.store.TrimChanges(oldest)
}

// drop removes a model's snapshot.
func (s *snapshots) drop(model string) error {
	delete(s.sequences, model)
	return remove(s.path(model))
}

// dropAll removes every snapshot, and what a crash left of one.
func (s *snapshots) dropAll() error {
	clear(s.sequences)
	return s.sweep(nil)
}

// sweep removes the files that are no snapshot of one of the models.
func (s *snapshots) sweep(models []string) error {
	keep := make([]string, len(models))
	for i, model := range models {
		keep[i] = filepath.Base(s.path(model))
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read the folder of snapshots: %w", err)
	}
	var errs []error
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasSuffix(name, snapshotSuffix) || strings.HasSuffix(name, snapshotSuffix+".tmp")
		if ours && !slices.Contains(keep, name) {
			errs = append(errs, remove(filepath.Join(s.dir, name)))
		}
	}
	return errors.Join(errs...)
}

// remove removes a file if it is there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
