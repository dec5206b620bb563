package storage

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// copyOf copies the files of a checkpoint into a folder.
func copyOf(t *testing.T, c *Checkpoint, fs vfs.FS, dir string) (names []string) {
	t.Helper()
	if err := fs.MkdirAll(dir, folderMode); err != nil {
		t.Fatal(err)
	}
	names, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		from, err := c.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		to, err := fs.Create(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.Copy(to, from); err != nil {
			t.Fatal(err)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// TestCheckpointKnowsItsEnd removes a log from the copy of a checkpoint: opening it tells what is
// lost, as it does of the folder itself.
func TestCheckpointKnowsItsEnd(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, fs)
	put(t, partition(t, s, "a"), Student{ID: "ann"})
	c, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Checkpoint(t.Context())
	wantError(t, "a second checkpoint", err, ErrCheckpoint)
	put(t, partition(t, s, "a"), Student{ID: "ben"})
	names := copyOf(t, c, fs, "copy")
	if !slices.Contains(names, acknowledgedFile) || slices.Contains(names, lockFile) {
		t.Errorf("the checkpoint has %q", names)
	}
	if c.Changes != 1 || !slices.Equal(c.Partitions, []Newest{{ID: "a", Change: 1}}) || c.Server != s.Server() {
		t.Errorf("the checkpoint says %+v", c)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := Open("copy", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "records", collect(t, partition(t, whole, "a").Load(t.Context())), []Record{Student{ID: "ann"}})
	closeNow(t, whole)

	if c, err = s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range copyOf(t, c, fs, "cut") {
		if strings.HasSuffix(name, ".log") {
			if err := fs.Remove(fs.PathJoin("cut", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open("cut", Options{FS: fs})
	wantError(t, "opening a copy without its log", err, ErrLost)
}

// TestCheckpointAfterACrash: a crash while there is a checkpoint leaves nothing of it.
func TestCheckpointAfterACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openMem(t, fs)
	put(t, partition(t, s, "a"), Student{ID: "ann"})
	c, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if names, err := fs.List("gallery/" + checkpointFolder); err != nil || len(names) == 0 {
		t.Fatalf("the crash left %q, %v", names, err)
	}
	again := openMem(t, fs)
	if names, err := fs.List("gallery"); err != nil || slices.Contains(names, checkpointFolder) {
		t.Errorf("the folder has %q, %v", names, err)
	}
	if c, err = again.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestCheckpointOfAFullDisk: there is none, and it leaves nothing.
func TestCheckpointOfAFullDisk(t *testing.T) {
	s, err := Open(t.TempDir(), Options{MinFreeBytes: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	for range 2 {
		_, err = s.Checkpoint(t.Context())
		wantError(t, "a checkpoint", err, ErrReadOnly)
	}
}

// TestCheckpointWhileRewriting: files that a rewrite deletes are in a checkpoint that begins meanwhile, or
// not needed by it.
func TestCheckpointWhileRewriting(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	p := partition(t, s, "a")
	rewriting, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		defer stop()
		for i := range 60 {
			put(t, p, Student{ID: strconv.Itoa(i)})
			if err := p.Rewrite(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for rewriting.Err() == nil {
		c, err := s.Checkpoint(t.Context())
		if err != nil {
			t.Error(err)
			break
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
}
