package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// filled returns a store with random partitions, whose values need some commits of a Copy.
func filled(t *testing.T, s *Store, rng *rand.Rand) *Store {
	t.Helper()
	for _, id := range []string{"a", "a\x00", "b", ServerPartition} {
		p, m := partition(t, s, id), newModel()
		for range 10 {
			if err := p.Commit(t.Context(), m.sequence(), m.next(rng)); err != nil {
				t.Fatal(err)
			}
		}
		journal := newJournalModel()
		for range 5 {
			lines, _ := journal.next(rng, noon)
			if _, err := p.Append(t.Context(), lines); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			put(t, p, Embedding{CropID: fmt.Sprint("large ", i), Model: "m", Vector: randomVector(rng, copyBytes/4)})
		}
	}
	return s
}

// content returns the digests of all values by their keys, without those that every store
// has of its own.
func content(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for p, err := range s.backend.scan(t.Context(), span{[]byte{0}, []byte{0xff}}) {
		if err != nil {
			t.Fatal(err)
		}
		if key := string(p.key); key != metaSchema && key != metaServer && key != metaNumber && key != metaSealed && key != metaErasures {
			all[key] = fmt.Sprintf("%x", sha256.Sum256(p.value))
		}
	}
	return all
}

// wantCopy compares all that two stores hold.
func wantCopy(t *testing.T, got, want *Store) (values int) {
	t.Helper()
	inGot, inWant := content(t, got), content(t, want)
	if !maps.Equal(inGot, inWant) {
		t.Errorf("the copy differs: %d values, want %d", len(inGot), len(inWant))
	}
	n, err := got.number()
	if m, _ := want.number(); err != nil || n != m || got.Server() != want.Server() {
		t.Errorf("the copy has %d changes, error %v, and server %d; want %d and %d", n, err, got.Server(), m, want.Server())
	}
	return len(inWant)
}

// TestCopy compares a copy with its source, to and from every backend.
func TestCopy(t *testing.T) {
	onEvery(t, func(t *testing.T, from *Store, _ func(*Store) *Store) {
		filled(t, from, rand.New(rand.NewPCG(1, 27)))
		onEvery(t, func(t *testing.T, to *Store, reopen func(*Store) *Store) {
			var done Copied
			if err := Copy(t.Context(), to, from, func(c Copied) { done = c }); err != nil {
				t.Fatal(err)
			}
			to = reopen(to)
			if n := int64(wantCopy(t, to, from)); done.Values != n || done.Compared != n {
				t.Errorf("progress ended at %+v of %d values", done, n)
			}
			put(t, partition(t, to, "a"), Student{ID: "new"})
			wantError(t, "copying again", Copy(t.Context(), to, from, nil), ErrOccupied)
		})
	})
}

// TestCopyGoesOn interrupts a copy after each of its commits, by a crash. Its folder cannot be
// opened; copying again goes on where it stopped, or begins anew if the source has changed.
func TestCopyGoesOn(t *testing.T) {
	for _, changed := range []bool{false, true} {
		t.Run(fmt.Sprint("changed=", changed), func(t *testing.T) {
			from := filled(t, openMem(t, vfs.NewMem()), rand.New(rand.NewPCG(2, 27)))
			fs := vfs.NewCrashableMem()
			var whole Copied
			interrupted := 0
			for {
				ctx, cancel := context.WithCancel(t.Context())
				to, err := Open("gallery", Options{FS: fs, Target: true})
				if err != nil {
					t.Fatal(err)
				}
				var done Copied
				err = Copy(ctx, to, from, func(c Copied) {
					done = c
					if c.Compared == 0 {
						cancel()
					}
				})
				cancel()
				if done.Compared > 0 || err == nil {
					t.Fatal("nothing was interrupted")
				}
				fs = fs.CrashClone(vfs.CrashCloneCfg{})
				closeNow(t, to)
				wantError(t, "Copy", err, context.Canceled)
				_, err = Open("gallery", Options{FS: fs})
				wantError(t, "opening it", err, ErrUnfinished)
				whole.Values += done.Values
				if interrupted++; interrupted == 5 {
					break
				}
			}
			if changed {
				put(t, partition(t, from, "a"), Student{ID: "one more"})
				whole.Values = 0
			}
			to, err := Open("gallery", Options{FS: fs, Target: true})
			if err != nil {
				t.Fatal(err)
			}
			var done Copied
			if err := Copy(t.Context(), to, from, func(c Copied) { done = c }); err != nil {
				t.Fatal(err)
			}
			if done.Values+whole.Values != done.Compared {
				t.Errorf("copied %d before and %d after, of %d", whole.Values, done.Values, done.Compared)
			}
			closeNow(t, to)
			wantCopy(t, openMem(t, fs), from)
		})
	}
}

// TestCopyFindsDifferences alters the copy before it is compared.
func TestCopyFindsDifferences(t *testing.T) {
	from, to := filled(t, OpenMemory(Faults{}), rand.New(rand.NewPCG(3, 27))), OpenMemory(Faults{})
	m := to.backend.(*memory)
	alter := func(c Copied) {
		if c.Compared == 0 {
			m.mu.Lock()
			defer m.mu.Unlock()
			for key := range m.values {
				if key[0] == keyVersion {
					delete(m.values, key)
					return
				}
			}
		}
	}
	wantError(t, "an altered copy", Copy(t.Context(), to, from, alter), ErrCorrupt)
	written := false
	to = OpenMemory(Faults{})
	err := Copy(t.Context(), to, from, func(Copied) {
		if !written {
			put(t, partition(t, from, "z"), Student{ID: "ann"})
			written = true
		}
	})
	if !errors.Is(err, ErrConflict) {
		t.Errorf("a source that is written to: %v", err)
	}
	if err := Copy(t.Context(), to, from, nil); err != nil {
		t.Error(err)
	}
}
