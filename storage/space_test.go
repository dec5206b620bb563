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
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 1 << 30})
	s, err := Open("gallery", Options{FS: fs, MinFreeBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	p := partition(t, closeAtEnd(t, s), "school")
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000, TotalBytes: 5000})
	put(t, p, Student{ID: "ann"})

	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 999, TotalBytes: 5000})
	if err := onPebble(s).db.Flush(); err != nil { // an event of Pebble's: the guard looks again
		t.Fatal(err)
	}
	refused := []Change{change(Student{ID: "bob"})}
	wantError(t, "Commit", p.Commit(t.Context(), 1, refused), ErrReadOnly)
	equal(t, "Load while read-only", load(t, p), []Record{Student{ID: "ann"}})

	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000, TotalBytes: 5000})
	onPebble(s).space.expired.Store(true)
	wantError(t, "Commit with space", p.Commit(t.Context(), 1, refused), nil)
	equal(t, "Load", load(t, p), []Record{Student{ID: "ann"}, Student{ID: "bob"}})
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
			wantError(t, what, g.check(false), want)
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

// TestDeletesOnANearlyFullDisk deletes where nothing else is taken any more.
func TestDeletesOnANearlyFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	free := func(bytes uint64) { fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: bytes, TotalBytes: 5000}) }
	free(1 << 30)
	s, err := Open("gallery", Options{FS: fs, MinFreeBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	p := partition(t, closeAtEnd(t, s), "school")
	put(t, p, Student{ID: "ann"})
	put(t, p, Student{ID: "bob"})
	gone := func(id string) []Change {
		return []Change{{Time: time.Now(), Cause: "test", Writes: []Write{{Ref: Student{ID: id}.Ref()}}}}
	}
	free(250)
	onPebble(s).space.expired.Store(true)
	wantError(t, "a put beside a deletion", p.Commit(t.Context(), 2, append(gone("ann"), change(Student{ID: "cem"}))), ErrReadOnly)
	wantError(t, "a deletion", p.Commit(t.Context(), 2, gone("ann")), nil)
	free(249)
	onPebble(s).space.expired.Store(true)
	wantError(t, "a deletion on a full disk", p.Commit(t.Context(), 3, gone("bob")), ErrReadOnly)
	equal(t, "Load", load(t, p), []Record{Student{ID: "bob"}})
}
