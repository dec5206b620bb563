package gallery

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/index"
	"rollcall/storage"
)

// eager writes snapshots at nearly every change.
var eager = snapshotPolicy{share: 1000, least: 2, erasureDelay: time.Millisecond}

// lazy writes none but at Close.
var lazy = snapshotPolicy{share: 1, least: math.MaxInt, erasureDelay: time.Hour}

// eventLog counts the messages of a gallery's log.
type eventLog struct {
	mu     sync.Mutex
	counts map[string]int
}

const (
	eventAdopted = "index taken from its snapshot"
	eventRefused = "snapshot not used: the index is built anew"
	eventWritten = "snapshot written"
	eventFailed  = "snapshot failed: the next start may have to read every embedding"
	eventOff     = "no snapshots are kept: there are records that do not fit"
)

func (l *eventLog) logger() *slog.Logger { return slog.New(l) }

func (l *eventLog) count(event string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[event]
}

func (l *eventLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *eventLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = make(map[string]int)
	}
	l.counts[r.Message]++
	return nil
}

func (l *eventLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *eventLog) WithGroup(string) slog.Handler      { return l }

// crash ends a gallery without its last snapshot.
func crash(g *Gallery) {
	g.shut()
	close(g.snapshots.quit)
	<-g.snapshots.done
}

// kept is a gallery with snapshots that is opened again and again.
type kept struct {
	t     *testing.T
	fs    vfs.FS
	dir   string
	store *storage.Store
	g     *Gallery
	log   *eventLog // since the last open
}

func openKept(t *testing.T, policy snapshotPolicy) *kept {
	k := &kept{t: t, fs: vfs.NewCrashableMem(), dir: filepath.Join(t.TempDir(), "snapshots")}
	k.open(policy)
	t.Cleanup(func() { k.close() })
	return k
}

func (k *kept) open(policy snapshotPolicy) {
	k.t.Helper()
	k.log = new(eventLog)
	k.store = openStore(k.t, k.fs)
	var err error
	k.g, err = Open(ctx, k.store, Options{Engine: "hnsw", SnapshotDir: k.dir, Logger: k.log.logger(), policy: policy})
	if err != nil {
		k.t.Fatal(err)
	}
	mustBeConsistent(k.t, k.g)
}

func (k *kept) close() {
	k.t.Helper()
	if err := k.g.Close(); err != nil {
		k.t.Error(err)
	}
	if err := k.store.Close(); err != nil {
		k.t.Error(err)
	}
}

func (k *kept) crash() {
	k.t.Helper()
	crash(k.g)
	if err := k.store.Close(); err != nil {
		k.t.Error(err)
	}
}

// enroll enrols crops named by a prefix, each under a student of its own, and
// returns their vectors.
func (k *kept) enroll(prefix string, n int) [][]float32 {
	k.t.Helper()
	rng := newRand(k.t, uint64(n))
	var vectors [][]float32
	for i := range n {
		id := fmt.Sprint(prefix, i)
		m := []Model{small, plain}[i%2]
		v := face(rng, i, m.Dimension, 1)
		mustEnroll(k.t, k.g, Enrolment{CropID: id, StudentID: id, Model: m, Vector: v, AllowDuplicate: true})
		vectors = append(vectors, v)
	}
	return vectors
}

// files returns the snapshots, by name.
func (k *kept) files() map[string][]byte {
	k.t.Helper()
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		k.t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(k.dir, e.Name()))
		if os.IsNotExist(err) {
			continue // renamed meanwhile
		}
		if err != nil {
			k.t.Fatal(err)
		}
		files[e.Name()] = b
	}
	return files
}

// holds reports whether a vector is in a snapshot.
func (k *kept) holds(v []float32) bool {
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	for _, b := range k.files() {
		if bytes.Contains(b, raw) {
			return true
		}
	}
	return false
}

// until waits for something that happens in the background.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for start := time.Now(); !happened(); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("after a minute, still not: %s", what)
		}
	}
}

func (k *kept) wantEvents(event string, n int) {
	k.t.Helper()
	if got := k.log.count(event); got != n {
		k.t.Errorf("%q was logged %d times, want %d", event, got, n)
	}
}

// TestSnapshotOnClose opens again what was closed, and what crashed afterwards.
func TestSnapshotOnClose(t *testing.T) {
	k := openKept(t, lazy)
	k.enroll("a", 40)
	k.wantEvents(eventWritten, 0)
	k.close()
	k.wantEvents(eventWritten, 1)

	k.open(lazy)
	k.wantEvents(eventAdopted, 2)
	k.enroll("b", 10)
	if _, err := k.g.AssignCrop(ctx, "a3", "b4"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.g.DeleteStudent(ctx, "a5"); err != nil {
		t.Fatal(err)
	}
	before := picture(k.g)
	k.crash()

	k.open(lazy)
	k.wantEvents(eventAdopted, 2)
	k.wantEvents(eventRefused, 0)
	if !mapsEqual(before, picture(k.g)) {
		t.Error("after the crash the gallery differs")
	}
	k.close()
	k.wantEvents(eventWritten, 1)
	k.open(lazy)
	k.close()
	k.wantEvents(eventWritten, 0) // nothing changed
	k.open(lazy)
}

// TestSnapshotWhenDue counts what is written in the background, and looks at the
// log of changes that is left.
func TestSnapshotWhenDue(t *testing.T) {
	k := openKept(t, snapshotPolicy{share: 10, least: 20, erasureDelay: time.Hour})
	written := func(n int) {
		t.Helper()
		until(t, fmt.Sprint("snapshot ", n), func() bool { return k.log.count(eventWritten) >= n })
	}
	k.enroll("a", 19)
	time.Sleep(20 * time.Millisecond)
	k.wantEvents(eventWritten, 0)
	k.enroll("b", 1)
	written(1)
	for _, err := range k.store.LoggedChanges(19) {
		if err == nil {
			t.Error("the log was not trimmed")
		}
		break
	}
	for range 20 { // no vector moves, and yet the snapshot falls behind
		if _, err := k.g.UpdateStudent(ctx, "a0", []string{"g"}); err != nil {
			t.Fatal(err)
		}
	}
	written(2)
	k.crash()
	k.open(lazy)
	k.wantEvents(eventAdopted, 2)
}

// TestPoisonedSnapshots damages the files between a close and an open: the index
// is built anew, and what is wrong is removed and written again.
func TestPoisonedSnapshots(t *testing.T) {
	k := openKept(t, lazy)
	k.enroll("a", 30)
	pathOf := func(m Model) string { return k.g.snapshots.path(m.Name) }
	// rewrite writes the file of small again, with another note or sequence.
	rewrite := func(change func(*index.Snapshot, *note)) {
		e, s, err := index.ReadSnapshot(pathOf(small), "hnsw", small.Dimension, index.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := decodeNote(s.Note)
		if err != nil {
			t.Fatal(err)
		}
		s.Note = nil
		change(&s, &n)
		if s.Note == nil {
			s.Note = n.encode()
		}
		if err := index.WriteSnapshot(pathOf(small), e, s); err != nil {
			t.Fatal(err)
		}
	}
	damage := func(change func([]byte) []byte) {
		b, err := os.ReadFile(pathOf(small))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(pathOf(small), change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		poison func()
	}{
		{"cut", func() { damage(func(b []byte) []byte { return b[:len(b)/2] }) }},
		{"empty", func() { damage(func([]byte) []byte { return nil }) }},
		{"flipped", func() { damage(func(b []byte) []byte { b[len(b)/2] ^= 4; return b }) }},
		{"other model's", func() {
			b, err := os.ReadFile(pathOf(plain))
			if err != nil {
				t.Fatal(err)
			}
			damage(func([]byte) []byte { return b })
		}},
		{"other name", func() { rewrite(func(_ *index.Snapshot, n *note) { n.model = plain.Name }) }},
		{"other digest", func() { rewrite(func(_ *index.Snapshot, n *note) { n.digest = "other" }) }},
		{"other history", func() { rewrite(func(_ *index.Snapshot, n *note) { n.origin++ }) }},
		{"future", func() { rewrite(func(s *index.Snapshot, _ *note) { s.Sequence++ }) }},
		{"older than the log", func() { rewrite(func(s *index.Snapshot, _ *note) { s.Sequence = 1 }) }},
		{"garbage for a note", func() { rewrite(func(s *index.Snapshot, _ *note) { s.Note = []byte("note") }) }},
		{"unknown crop", func() { rewrite(func(_ *index.Snapshot, n *note) { n.owners[3].crop = "nobody" }) }},
		{"crop twice", func() { rewrite(func(_ *index.Snapshot, n *note) { n.owners[3].crop = n.owners[4].crop }) }},
		{"ID without a vector", func() { rewrite(func(_ *index.Snapshot, n *note) { n.owners[len(n.owners)-1].id += 1000 }) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.t = t
			if _, err := k.g.UpdateStudent(ctx, "a0", []string{tc.name}); err != nil { // so that there is something to write
				t.Fatal(err)
			}
			before := picture(k.g)
			k.close()
			tc.poison()
			k.open(lazy)
			k.wantEvents(eventRefused, 1)
			k.wantEvents(eventAdopted, 1)
			if !mapsEqual(before, picture(k.g)) {
				t.Error("the gallery differs")
			}
			if _, err := os.Stat(pathOf(small)); !os.IsNotExist(err) {
				t.Errorf("the poisoned file: %v", err)
			}
			k.close()
			k.wantEvents(eventWritten, 1)
			k.open(lazy)
			k.wantEvents(eventAdopted, 2)
		})
	}
	k.t = t
}

// TestSnapshotOfOtherHistory gives a backup, which went on by itself, the
// snapshots of the store that it was copied from: newer than the backup, and then
// tied to a sequence number that both have given to a change.
func TestSnapshotOfOtherHistory(t *testing.T) {
	k := openKept(t, lazy)
	k.enroll("a", 20)
	k.close()
	backup := k.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	k.open(lazy)
	k.enroll("b", 6)
	k.close()
	theirs := k.files()
	give := func() {
		for name, b := range theirs {
			if err := os.WriteFile(filepath.Join(k.dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}

	k.fs = backup
	k.open(lazy)
	k.wantEvents(eventRefused, 2)
	k.enroll("c", 6)
	k.crash()
	give()
	k.open(lazy)
	k.wantEvents(eventRefused, 2)
	k.enroll("d", 6)
	k.crash()
	give()
	k.open(lazy)
	k.wantEvents(eventRefused, 2)
}

// TestDeletedVectorsLeaveSnapshots looks for the bytes of deleted vectors in the
// files.
func TestDeletedVectorsLeaveSnapshots(t *testing.T) {
	soon := lazy
	soon.erasureDelay = 10 * time.Millisecond
	k := openKept(t, soon)
	vectors := k.enroll("a", 20)
	k.close()
	if !k.holds(vectors[3]) {
		t.Fatal("the vector is not in its snapshot")
	}

	k.open(soon)
	if err := k.g.DeleteCrop(ctx, "a3"); err != nil {
		t.Fatal(err)
	}
	until(t, "a snapshot without the crop", func() bool { return !k.holds(vectors[3]) })
	if !k.holds(vectors[4]) {
		t.Error("another vector is gone too")
	}
	if _, err := k.g.DeleteStudent(ctx, "a4"); err != nil {
		t.Fatal(err)
	}
	until(t, "a snapshot without the student", func() bool { return !k.holds(vectors[4]) })

	k.close()
	k.open(lazy) // a crash before the deletion has its snapshot
	if _, err := k.g.DeleteStudent(ctx, "a5"); err != nil {
		t.Fatal(err)
	}
	k.crash()
	if !k.holds(vectors[5]) {
		t.Fatal("the snapshot is not the one before the deletion")
	}
	k.open(soon)
	k.wantEvents(eventAdopted, 2)
	until(t, "a snapshot after the crash", func() bool { return !k.holds(vectors[5]) })

	// No snapshot can be written: the old one goes.
	until(t, "the end of the write", func() bool { return k.log.count(eventWritten) > 0 })
	blockWrites(t, k)
	if _, err := k.g.DeleteStudent(ctx, "a6"); err != nil {
		t.Fatal(err)
	}
	until(t, "the snapshot's removal", func() bool { return !k.holds(vectors[6]) })
	until(t, "the message", func() bool { return k.log.count(eventFailed) > 0 })
}

// blockWrites puts folders where snapshots are written.
func blockWrites(t *testing.T, k *kept) {
	t.Helper()
	for _, m := range []Model{small, plain} {
		if err := os.MkdirAll(filepath.Join(k.g.snapshots.path(m.Name)+".tmp", "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(k.dir); err != nil {
			t.Error(err)
		}
	})
}

// TestSnapshotsBesideWriters crashes while others enrol and delete and snapshots
// are written.
func TestSnapshotsBesideWriters(t *testing.T) {
	k := openKept(t, eager)
	for round := range 4 {
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				rng := newRand(t, uint64(10*round+w))
				for range 40 {
					id := fmt.Sprint(w, "-", rng.IntN(20))
					m := []Model{small, plain}[rng.IntN(2)]
					_, err := k.g.Enroll(ctx, Enrolment{CropID: id, StudentID: id, Model: m,
						Vector: face(rng, rng.IntN(20), m.Dimension, 1), AllowDuplicate: true})
					if err == nil && rng.IntN(3) == 0 {
						err = k.g.DeleteCrop(ctx, id)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writers.Wait()
		before := picture(k.g)
		k.crash()
		if k.log.count(eventWritten) == 0 {
			t.Error("no snapshot was written")
		}
		k.open(eager)
		k.wantEvents(eventRefused, 0)
		if k.log.count(eventAdopted) == 0 {
			t.Error("no snapshot was used")
		}
		if !mapsEqual(before, picture(k.g)) {
			t.Fatal("after the crash the gallery differs")
		}
	}
}

// TestDifferenceEndsSnapshots changes a vector in memory, as a failing memory
// would. Once the check has found it, a restart has to mend it.
func TestDifferenceEndsSnapshots(t *testing.T) {
	k := openKept(t, eager)
	k.enroll("a", 20)
	p := k.g.state.crops["a1"].places[0]
	if err := p.space.engine.Upsert(p.id, base(plain, 2)); err != nil {
		t.Fatal(err)
	}
	k.enroll("b", 4) // the difference is in a snapshot
	until(t, "a snapshot", func() bool { return k.holds(base(plain, 2)) })
	r, err := k.g.CheckConsistency(ctx)
	if err != nil || r.Total != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	until(t, "the removal of the snapshots", func() bool { return len(k.files()) == 0 })
	k.enroll("c", 4)
	k.close()
	if n := len(k.files()); n != 0 {
		t.Errorf("%d snapshots were written since", n)
	}
	k.open(eager) // which checks
	k.wantEvents(eventAdopted, 0)
}

// TestSweep leaves files of other models and of a crash in the folder, and one
// that is not ours.
func TestSweep(t *testing.T) {
	k := openKept(t, lazy)
	k.enroll("a", 4)
	k.close()
	for _, name := range []string{"0123.index", "0123.index.tmp", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(k.dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k.open(lazy)
	files := k.files()
	if _, ok := files["notes.txt"]; !ok || len(files) != 3 {
		t.Errorf("%d files are left", len(files))
	}
	k.wantEvents(eventAdopted, 2)
}

// TestNoSnapshots are the cases in which none is written: a record that does not
// fit, a change that failed, and a disk that is nearly full.
func TestNoSnapshots(t *testing.T) {
	t.Run("misfit", func(t *testing.T) {
		k := openKept(t, lazy)
		k.enroll("a", 4)
		k.close()
		store := openStore(t, k.fs)
		var c storage.Change
		c.PutCrop(storage.Crop{ID: "stray", StudentID: "nobody"})
		if _, err := store.Apply(&c); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		k.log = new(eventLog)
		k.store = openStore(t, k.fs)
		var err error
		if k.g, err = Open(ctx, k.store, Options{SnapshotDir: k.dir, Logger: k.log.logger()}); err != nil {
			t.Fatal(err)
		}
		k.wantEvents(eventOff, 1)
		if n := len(k.files()); n != 0 {
			t.Errorf("%d snapshots are left", n)
		}
	})
	t.Run("failed change", func(t *testing.T) {
		k := openKept(t, lazy)
		k.enroll("a", 4)
		sp := k.g.state.spaces[plain.Name]
		sp.engine = brokenEngine{sp.engine}
		if _, err := k.g.Enroll(ctx, Enrolment{CropID: "b", StudentID: "b", Model: plain, Vector: base(plain, 1)}); err == nil {
			t.Fatal("the broken engine took it")
		}
		k.close()
		if n := len(k.files()); n != 0 {
			t.Errorf("%d snapshots were written", n)
		}
		k.open(lazy)
	})
	t.Run("disk nearly full", func(t *testing.T) {
		mem := vfs.NewMem()
		store, err := storage.Open("gallery", storage.Options{FS: mem, MinFreeBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000})
		k := &kept{t: t, dir: t.TempDir(), store: store, log: new(eventLog)}
		if k.g, err = Open(ctx, store, Options{SnapshotDir: k.dir, Logger: k.log.logger()}); err != nil {
			t.Fatal(err)
		}
		k.enroll("a", 4)
		k.close()
		k.wantEvents(eventFailed, 1)
		if n := len(k.files()); n != 0 {
			t.Errorf("%d snapshots were written", n)
		}
	})
}

// Without snapshots the log is of no use to anybody, and is trimmed.
func TestLogWithoutSnapshots(t *testing.T) {
	k := openKept(t, lazy)
	k.enroll("a", 6)
	k.crash()
	store := openStore(t, k.fs)
	g, err := Open(ctx, store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range store.LoggedChanges(store.Sequence()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	for _, err := range store.LoggedChanges(store.Sequence() - 1) {
		if err == nil {
			t.Error("the log reaches back")
		}
		break
	}
	if n != 1 {
		t.Errorf("%d changes are logged", n)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	k.open(lazy)
}

func TestSnapshotFolderCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store := openStore(t, vfs.NewMem())
	defer store.Close()
	if _, err := Open(ctx, store, Options{SnapshotDir: filepath.Join(file, "snapshots")}); err == nil {
		t.Error("a gallery opened whose folder of snapshots cannot be made")
	}
}
