package backup

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/storage"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// school opens a store in a folder, which is closed at the end.
func school(t *testing.T, dir string) *storage.Store {
	t.Helper()
	s, err := storage.Open(dir, storage.Options{})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, storage.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

// enrol commits one crop with its student and embedding, and a line of the journal, to a gallery.
func enrol(t *testing.T, s *storage.Store, gallery string, n int) {
	t.Helper()
	p, err := s.Partition(gallery)
	must(t, err)
	after, err := p.Sequence(t.Context())
	must(t, err)
	crop := storage.Crop{ID: fmt.Sprint("crop ", n), StudentID: fmt.Sprint("student ", n), Created: noon, Updated: noon, Pictured: noon}
	e := storage.Embedding{CropID: crop.ID, Model: "m", Vector: []float32{float32(n), 1}, Created: noon}
	student := storage.Student{ID: crop.StudentID, Created: noon, Updated: noon}
	change := storage.Change{Time: noon, Cause: "enrol", Writes: []storage.Write{{Ref: student.Ref(), Put: student}, {Ref: crop.Ref(), Put: crop}, {Ref: e.Ref(), Put: e}}}
	must(t, p.Commit(t.Context(), after, []storage.Change{change}))
	_, err = p.Append(t.Context(), []storage.Line{{Time: noon, Student: crop.StudentID, Content: []byte("match")}})
	must(t, err)
}

// content returns all records of a gallery, as text.
func content(t *testing.T, s *storage.Store, gallery string) (all []string) {
	t.Helper()
	p, err := s.Partition(gallery)
	must(t, err)
	for r, err := range p.Load(t.Context()) {
		must(t, err)
		all = append(all, fmt.Sprint(r))
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small returns a backup of a small store.
func small(t *testing.T) []byte {
	t.Helper()
	s := school(t, t.TempDir())
	for n := range 5 {
		enrol(t, s, "north", n)
		enrol(t, s, storage.ServerPartition, n)
	}
	var file bytes.Buffer
	_, err := Write(t.Context(), &file, s, nil)
	must(t, err)
	return file.Bytes()
}

// TestUnderLoad takes backups while others write. Each restores to a store that has everything
// acknowledged before it began, and nothing that was attempted after it ended.
func TestUnderLoad(t *testing.T) {
	dir := t.TempDir()
	s := school(t, filepath.Join(dir, "data"))
	var writers sync.WaitGroup
	var done atomic.Bool
	var acknowledged, attempted [3]atomic.Int64
	for g := range acknowledged {
		writers.Go(func() {
			for n := 0; !done.Load(); n++ {
				attempted[g].Add(1)
				enrol(t, s, fmt.Sprint("gallery ", g), n)
				acknowledged[g].Add(1)
			}
		})
	}
	defer writers.Wait()
	defer done.Store(true)
	for round := range 4 {
		time.Sleep(20 * time.Millisecond) // lets them write; nothing depends on how much
		var least, most [3]int64
		for g := range least {
			least[g] = acknowledged[g].Load()
		}
		var file bytes.Buffer
		var last, total int64
		m, err := Write(t.Context(), &file, s, func(d, of int64) { last, total = d, of })
		must(t, err)
		if last != total || total != m.Bytes() {
			t.Errorf("progress ended at %d of %d, %d bytes", last, total, m.Bytes())
		}
		for g := range most {
			most[g] = attempted[g].Load()
		}
		restored := filepath.Join(dir, fmt.Sprint("restored ", round))
		_, err = Restore(t.Context(), &file, restored, Options{})
		must(t, err)
		r := school(t, restored)
		if r.Server() != s.Server() {
			t.Errorf("server %d, want %d", r.Server(), s.Server())
		}
		for g := range least {
			p, err := r.Partition(fmt.Sprint("gallery ", g))
			must(t, err)
			n, err := p.Sequence(t.Context())
			must(t, err)
			if int64(n) < least[g] || int64(n) > most[g] || len(content(t, r, fmt.Sprint("gallery ", g))) != int(3*n) {
				t.Errorf("gallery %d has %d changes, want %d to %d", g, n, least[g], most[g])
			}
		}
		must(t, r.Close())
	}
}

// TestRoundTrip restores a backup, writes to it, and backs it up again.
func TestRoundTrip(t *testing.T) {
	file, dir := small(t), filepath.Join(t.TempDir(), "a", "b")
	checked, err := Check(t.Context(), bytes.NewReader(file), nil)
	must(t, err)
	verified, err := Verify(t.Context(), bytes.NewReader(file), t.TempDir(), Options{})
	must(t, err)
	m, err := Restore(t.Context(), bytes.NewReader(file), dir, Options{})
	must(t, err)
	if got := fmt.Sprint(m); got != fmt.Sprint(checked) || got != fmt.Sprint(verified) || m.Galleries["north"] != (Newest{5, 5}) || m.Own != (Newest{5, 5}) {
		t.Errorf("manifests differ, or tell of other galleries: %v", m)
	}
	s := school(t, dir)
	enrol(t, s, "north", 6)
	if n := len(content(t, s, "north")); n != 18 {
		t.Errorf("%d records", n)
	}
	again, err := Write(t.Context(), io.Discard, s, nil)
	must(t, err)
	if again.Changes != m.Changes+2 {
		t.Errorf("%d changes after %d", again.Changes, m.Changes)
	}
	_, err = Restore(t.Context(), bytes.NewReader(file), dir, Options{})
	if !errors.Is(err, storage.ErrLocked) && !errors.Is(err, storage.ErrOccupied) {
		t.Errorf("restoring over a store that is open: %v", err)
	}
	must(t, s.Close())
	if _, err = Restore(t.Context(), bytes.NewReader(file), dir, Options{}); !errors.Is(err, storage.ErrOccupied) {
		t.Errorf("restoring over a store: %v", err)
	}
}

// TestDamagedBackups cuts a backup off at every block and flips a bit in random places: it is
// refused, by Check too, and nothing is left. Where only padding differs it restores to the same.
func TestDamagedBackups(t *testing.T) {
	file := small(t)
	refuse := func(what string, damaged []byte, want error) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "data")
		_, err := Restore(t.Context(), bytes.NewReader(damaged), dir, Options{})
		_, checked := Check(t.Context(), bytes.NewReader(damaged), nil)
		if !errors.Is(err, want) || !errors.Is(checked, want) {
			t.Errorf("%s: %v and %v, want %v", what, err, checked, want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is left (%v)", what, err)
		}
	}
	for _, foreign := range []string{"", "x", string(make([]byte, 4096)), string(bytes.Repeat([]byte("no tar"), 1000))} {
		refuse("a foreign file", []byte(foreign), ErrForeign)
	}
	for n := 512; n < len(file); n += 512 {
		refuse(fmt.Sprint("cut off at ", n), file[:n], ErrDamaged)
	}
	refuse("with more at the end", append(bytes.Clone(file), 0), ErrDamaged)
	other := bytes.Replace(file, []byte(`"version": 1`), []byte(`"version": 2`), 1)
	text := other[512:]
	text = text[:bytes.IndexByte(text, 0)]
	other = bytes.Replace(other, digestLine(bytes.Replace(text, []byte(`"version": 2`), []byte(`"version": 1`), 1)), digestLine(text), 1)
	refuse("of a newer release", other, ErrForeign)
	rng := rand.New(rand.NewPCG(27, 4))
	same := 0
	for range 300 {
		damaged := bytes.Clone(file)
		damaged[rng.IntN(len(file))] ^= 1 << rng.IntN(8)
		if m, err := Check(t.Context(), bytes.NewReader(damaged), nil); err == nil {
			same++
			good, _ := Check(t.Context(), bytes.NewReader(file), nil)
			if fmt.Sprint(m) != fmt.Sprint(good) {
				t.Errorf("a manifest with a flipped bit passes: %v", m)
			}
		} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("a flipped bit: %v", err)
		}
	}
	if same > 150 {
		t.Errorf("%d of 300 flipped bits changed nothing", same)
	}
}

// TestClientGoesAway: a backup whose reader fails, or whose context ends, leaves nothing behind
// and lets the next one begin.
func TestClientGoesAway(t *testing.T) {
	dir := t.TempDir()
	s := school(t, dir)
	enrol(t, s, "north", 1)
	before := list(t, dir)
	gone := errors.New("gone")
	if _, err := Write(t.Context(), failing{1000, gone}, s, nil); !errors.Is(err, gone) {
		t.Errorf("a reader that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Write(ctx, failing{1 << 30, nil}, s, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends: %v", err)
	}
	_, err := Write(t.Context(), busy{t, s}, s, nil)
	must(t, err)
	if after := list(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the folder has %v, and had %v", after, before)
	}
}

// failing is a writer that takes some bytes.
type failing struct {
	bytes int
	err   error
}

func (f failing) Write(b []byte) (int, error) {
	if len(b) > f.bytes {
		return 0, f.err
	}
	return len(b), nil
}

// busy asks for a second backup during the first.
type busy struct {
	t *testing.T
	s *storage.Store
}

func (b busy) Write(p []byte) (int, error) {
	if _, err := Write(b.t.Context(), io.Discard, b.s, nil); !errors.Is(err, storage.ErrCheckpoint) {
		b.t.Errorf("a second backup: %v", err)
	}
	return len(p), nil
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestThenFails: a restored store that its caller does not want does not appear.
func TestThenFails(t *testing.T) {
	file, dir := small(t), t.TempDir()
	no := errors.New("no")
	_, err := Restore(t.Context(), bytes.NewReader(file), dir, Options{Then: func(ctx context.Context, s *storage.Store) error {
		enrol(t, s, "north", 7)
		return no
	}})
	if !errors.Is(err, no) || len(list(t, dir)) > 0 {
		t.Errorf("%v, and the folder has %v", err, list(t, dir))
	}
	_, err = Restore(t.Context(), bytes.NewReader(file), dir, Options{Then: func(ctx context.Context, s *storage.Store) error {
		enrol(t, s, "north", 7)
		return nil
	}})
	must(t, err)
	if n := len(content(t, school(t, dir), "north")); n != 18 {
		t.Errorf("%d records", n)
	}
}

// sealKey returns one of many keys.
func sealKey(t *testing.T, n byte) *storage.SealKey {
	t.Helper()
	key, err := storage.ParseSealKey([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{n}, storage.SealKeyBytes))))
	must(t, err)
	return key
}

// TestSealed: the backup of a sealed store needs its key, and restores sealed.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(filepath.Join(dir, "data"), storage.Options{SealKey: sealKey(t, 1)})
	must(t, err)
	enrol(t, s, "north", 1)
	var file bytes.Buffer
	m, err := Write(t.Context(), &file, s, nil)
	must(t, err)
	must(t, s.Close())
	if m.Galleries["north"] != (Newest{1, 1}) {
		t.Errorf("the manifest tells %v", m.Galleries)
	}
	restored := filepath.Join(dir, "restored")
	for _, key := range []*storage.SealKey{nil, sealKey(t, 2)} {
		_, err := Restore(t.Context(), bytes.NewReader(file.Bytes()), restored, Options{Storage: storage.Options{SealKey: key}})
		if !errors.Is(err, storage.ErrSealKey) {
			t.Errorf("with another key: %v", err)
		}
	}
	_, err = Restore(t.Context(), bytes.NewReader(file.Bytes()), restored, Options{Storage: storage.Options{SealKey: sealKey(t, 1)}})
	must(t, err)
	if _, err := storage.Open(restored, storage.Options{}); !errors.Is(err, storage.ErrSealKey) {
		t.Errorf("opening it without the key: %v", err)
	}
	s, err = storage.Open(restored, storage.Options{SealKey: sealKey(t, 1)})
	must(t, err)
	if n := len(content(t, s, "north")); n != 3 {
		t.Errorf("%d records", n)
	}
	must(t, s.Close())
}
