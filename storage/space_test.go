package storage

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestReadOnly fills and empties the disk under a store.
func TestReadOnly(t *testing.T) {
	fs := vfs.NewMem()
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000, TotalBytes: 5000})
	s, err := Open("gallery", Options{FS: fs, MinFreeBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	student := func(id string) *Change {
		var c Change
		c.PutStudent(Student{ID: id})
		return &c
	}
	apply(t, s, student("ann"))

	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 999, TotalBytes: 5000})
	if err := s.db.Flush(); err != nil { // an event of Pebble's: the guard looks again
		t.Fatal(err)
	}
	refused := student("bob")
	_, err = s.Apply(refused)
	wantError(t, "Apply", err, ErrReadOnly)
	if _, err := s.Student("ann"); err != nil {
		t.Errorf("read while read-only: %v", err)
	}
	_, err = s.Student("bob")
	wantError(t, "Student", err, ErrNotFound)
	if s.Sequence() != 1 {
		t.Errorf("Sequence() = %d, want 1", s.Sequence())
	}

	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000, TotalBytes: 5000})
	wantError(t, "Room for nothing", s.Room(0), nil)
	wantError(t, "Room for a byte", s.Room(1), ErrReadOnly)
	s.space.expired.Store(true)
	if seq := apply(t, s, refused); seq != 2 {
		t.Errorf("Seq = %d, want 2", seq)
	}
}

// TestSpaceGuard counts how often the guard asks the file system.
func TestSpaceGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var free uint64 = 100
		var failure error
		var asked int
		var log bytes.Buffer
		g := &spaceGuard{min: 50, log: slog.New(slog.NewTextHandler(&log, nil)), usage: func() (vfs.DiskUsage, error) {
			asked++
			return vfs.DiskUsage{AvailBytes: free}, failure
		}}
		check := func(what string, want error, wantAsked int) {
			t.Helper()
			wantError(t, what, g.check(), want)
			if asked != wantAsked {
				t.Errorf("%s: asked %d times, want %d", what, asked, wantAsked)
			}
		}
		check("first", nil, 1)
		free = 49
		check("within the interval", nil, 1)
		time.Sleep(spaceCheckInterval)
		check("after the interval", ErrReadOnly, 2)
		check("refused within the interval", ErrReadOnly, 2)
		free = 50
		g.listener().BackgroundError(errors.New("no space left"))
		check("after an event", nil, 3)
		check("after the event was seen", nil, 3)
		free = 0
		failure = vfs.ErrUnsupported
		time.Sleep(spaceCheckInterval)
		check("file system that cannot tell", nil, 4)
		failure = errors.New("statfs failed")
		time.Sleep(spaceCheckInterval)
		check("file system that fails", nil, 5)
		g.min = -1
		failure = nil
		time.Sleep(spaceCheckInterval)
		check("switched off", nil, 5)
		for _, line := range []string{"refused until", "accepted", "unknown"} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("%q was logged %d times, want 1", line, n)
			}
		}
	})
}

// TestGuardListens pins the events that make the guard look again.
func TestGuardListens(t *testing.T) {
	g := &spaceGuard{}
	l := g.listener()
	for name, event := range map[string]func(){
		"BackgroundError": func() { l.BackgroundError(nil) },
		"FlushEnd":        func() { l.FlushEnd(pebble.FlushInfo{}) },
		"CompactionEnd":   func() { l.CompactionEnd(pebble.CompactionInfo{}) },
		"WALCreated":      func() { l.WALCreated(pebble.WALCreateInfo{}) },
		"LowDiskSpace":    func() { l.LowDiskSpace(pebble.LowDiskSpaceInfo{}) },
	} {
		g.expired.Store(false)
		if event(); !g.expired.Load() {
			t.Errorf("%s does not make the guard look again", name)
		}
	}
}
