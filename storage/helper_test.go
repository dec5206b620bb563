package storage

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// noon is when the changes of the tests are made.
var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// change returns a change that puts the records.
func change(records ...Record) Change {
	c := Change{Time: noon, Cause: "test"}
	for _, r := range records {
		c.Writes = append(c.Writes, Write{Ref: r.Ref(), Put: r})
	}
	return c
}

// put commits one change that puts the records.
func put(t testing.TB, p *Partition, records ...Record) {
	t.Helper()
	after, err := p.Sequence(t.Context())
	if err == nil {
		err = p.Commit(t.Context(), after, []Change{change(records...)})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func openMem(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("gallery", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return closeAtEnd(t, s)
}

// closeAtEnd closes the store at the end of the test, unless the test did.
func closeAtEnd(t testing.TB, s *Store) *Store {
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func closeNow(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func partition(t testing.TB, s *Store, id string) *Partition {
	t.Helper()
	p, err := s.Partition(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// onPebble returns the backend of a store in a folder; nil: it is in memory.
func onPebble(s *Store) *pebbleBackend { return s.onDisk() }

// testKey returns one of many keys.
func testKey(t testing.TB, n byte) *SealKey {
	t.Helper()
	key, err := ParseSealKey([]byte(strings.Repeat(fmt.Sprintf("%02x", n), SealKeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func openSealed(t testing.TB, fs vfs.FS, key *SealKey) *Store {
	t.Helper()
	s, err := Open("gallery", Options{FS: fs, SealKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return closeAtEnd(t, s)
}

func collect[T any](t testing.TB, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Errorf("a loop ended with %v", err)
			break
		}
		all = append(all, v)
	}
	return all
}

// last returns the error that a sequence ends with.
func last[T any](seq iter.Seq2[T, error]) (err error) {
	for _, err = range seq {
	}
	return err
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func randomVector(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}
