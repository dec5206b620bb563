package storage

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestLogIsBounded lets nobody trim a log that keeps few changes.
func TestLogIsBounded(t *testing.T) {
	const keep = 10
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	s.keepLogged = keep
	rng, o := rand.New(rand.NewPCG(9, 9)), newOracle()
	for range 4 * keep {
		apply(t, s, o.change(rng))
		if o.seq > keep {
			o.trim(o.seq - keep + 1)
		}
		o.compareLog(t, s)
	}
}

// TestOriginTellsHistoriesApart lets a store and its copy go on, each for
// itself: what they have in common has the same origins, and what they gave the
// same numbers has not.
func TestOriginTellsHistoriesApart(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := closeAtEnd(t, openMem(t, fs))
	change := func(s *Store) {
		var c Change
		c.PutCrop(Crop{ID: "c"})
		apply(t, s, &c)
	}
	change(s)
	backup := closeAtEnd(t, openMem(t, fs.CrashClone(vfs.CrashCloneCfg{})))
	change(s)
	change(backup)
	ours, theirs := collect(t, s.LoggedChanges(1)), collect(t, backup.LoggedChanges(1))
	if len(ours) != 2 || len(theirs) != 2 {
		t.Fatalf("%d and %d changes are logged, want 2", len(ours), len(theirs))
	}
	equal(t, "the common change", ours[0], theirs[0])
	if ours[1].Origin == theirs[1].Origin {
		t.Error("two changes with the same number have the same origin")
	}
	if ours[1].Origin != ours[0].Origin {
		t.Error("one opening has two origins")
	}
}

// TestLogAfterMigration brings a store of schema 1, which has no log, up to
// date: the log begins with the last change that was there.
func TestLogAfterMigration(t *testing.T) {
	fs := vfs.NewMem()
	s, err := open("gallery", Options{FS: fs}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rng, o := rand.New(rand.NewPCG(9, 9)), newOracle()
	for range 5 {
		apply(t, s, o.change(rng))
	}
	if err := s.db.DeleteRange(loggedKey(0), loggedKey(o.seq+1), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o.logged = map[uint64]map[string]bool{o.seq: {}}
	for range 3 {
		s = openMem(t, fs)
		o.compare(t, s)
		apply(t, s, o.change(rng))
		o.compare(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedLog takes a change out of the middle of the log, and plants values
// and keys that do not parse.
func TestDamagedLog(t *testing.T) {
	for name, damage := range map[string]func(*Store) error{
		"gap":      func(s *Store) error { return s.db.Delete(loggedKey(3), pebble.Sync) },
		"value":    func(s *Store) error { return s.db.Set(loggedKey(3), []byte("\xff"), pebble.Sync) },
		"empty id": func(s *Store) error { return s.db.Set(loggedKey(3), []byte{2<<3 | 2, 0}, pebble.Sync) },
		"long key": func(s *Store) error { return s.db.Set(append(loggedKey(3), 0), nil, pebble.Sync) },
	} {
		t.Run(name, func(t *testing.T) {
			s := closeAtEnd(t, openMem(t, vfs.NewMem()))
			for i := range 5 {
				var c Change
				c.PutCrop(Crop{ID: fmt.Sprint(i)})
				apply(t, s, &c)
			}
			if err := damage(s); err != nil {
				t.Fatal(err)
			}
			var err error
			for _, e := range s.LoggedChanges(1) {
				err = e
			}
			wantError(t, "LoggedChanges", err, ErrCorrupt)
		})
	}
}

func TestTrimAfterClose(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "TrimChanges", s.TrimChanges(1), ErrClosed)
	wantError(t, "LoggedChanges", only(s.LoggedChanges(1)), ErrClosed)
}
