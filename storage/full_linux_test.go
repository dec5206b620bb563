package storage

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/storage/disktest"
)

// diskMiB is the size of the disk of TestFullDisk, and leastMiB what it must have free for changes.
const (
	diskMiB  = 96
	leastMiB = 32
)

// TestFullDisk fills a real file system under a store: changes are refused before it is full, with
// what to do; deletions go on a while; a store on it opens, and closes; with room again all is as
// before. Where nobody looks at the free space, the process ends with a clear message before
// it acknowledges anything that is not on the disk.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(childEnv); dir != "" {
		fillUp(t, dir)
		return
	}
	disk := disktest.Mount(t, diskMiB)
	dir := filepath.Join(disk, "gallery")
	opts := Options{MinFreeBytes: leastMiB << 20}
	s := openAt(t, dir, opts)
	p := partition(t, s, "school")
	for _, id := range []string{"ann", "bob", "cem"} {
		put(t, p, Student{ID: id})
	}
	gone := func(id string) []Change {
		return []Change{{Time: noon, Cause: "test", Writes: []Write{{Ref: Student{ID: id}.Ref()}}}}
	}
	disktest.Leave(t, disk, leastMiB/2)
	onPebble(s).space.expired.Store(true)
	err := p.Commit(t.Context(), 3, []Change{change(Student{ID: "dan"})})
	wantError(t, "a change", err, ErrReadOnly)
	if err == nil || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("it does not say what to do: %v", err)
	}
	wantError(t, "Writable", s.Writable(), ErrReadOnly)
	wantError(t, "a deletion", p.Commit(t.Context(), 3, gone("ann")), nil)
	closeNow(t, s)

	s = openAt(t, dir, opts)
	p = partition(t, s, "school")
	equal(t, "what is there", load(t, p), []Record{Student{ID: "bob"}, Student{ID: "cem"}})
	disktest.Leave(t, disk, leastMiB/2) // what its logs took is free now
	onPebble(s).space.expired.Store(true)
	wantError(t, "a change after a start", p.Commit(t.Context(), 4, []Change{change(Student{ID: "dan"})}), ErrReadOnly)
	wantError(t, "a deletion after a start", p.Commit(t.Context(), 4, gone("bob")), nil)

	disktest.Leave(t, disk, 0)
	onPebble(s).space.expired.Store(true)
	wantError(t, "a deletion on a full disk", p.Commit(t.Context(), 5, gone("cem")), ErrReadOnly)
	equal(t, "what can be read", load(t, p), []Record{Student{ID: "cem"}})
	closeNow(t, s)
	_, err = Open(dir, opts)
	wantError(t, "Open", err, ErrReadOnly)

	disktest.Leave(t, disk, diskMiB)
	s = openAt(t, dir, opts)
	p = partition(t, s, "school")
	put(t, p, Student{ID: "dan"})
	equal(t, "with room again", load(t, p), []Record{Student{ID: "cem"}, Student{ID: "dan"}})
	closeNow(t, s)

	disktest.Leave(t, disk, 12)
	output, status := runChild(t, dir)
	if status != 1 || !strings.Contains(output, "ending the process") || !strings.Contains(output, "free some space") || !strings.Contains(output, "no space left") {
		t.Errorf("exit status %d and output:\n%s", status, output)
	}
	acknowledged := uint64(strings.Count(output, "ACKNOWLEDGED"))
	if acknowledged == 0 {
		t.Error("the disk was full before the first change")
	}
	disktest.Leave(t, disk, diskMiB)
	s = openAt(t, dir, opts)
	p = partition(t, s, "school")
	sequence, err := p.Sequence(t.Context())
	if err != nil || sequence != 6+acknowledged && sequence != 7+acknowledged {
		t.Errorf("change %d is there, %v; %d were acknowledged", sequence, err, 6+acknowledged)
	}
	equal(t, "the log", len(collect(t, p.Changes(t.Context(), 0))), int(sequence))
	closeNow(t, s)
}

// fillUp commits until the disk is full.
func fillUp(t *testing.T, dir string) {
	s, err := Open(dir, Options{MinFreeBytes: -1, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil {
		t.Fatal(err)
	}
	p := partition(t, s, "school")
	after, err := p.Sequence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for ; after < 10_000; after++ {
		big := Embedding{CropID: fmt.Sprint(after), Model: "m", Vector: make([]float32, 16<<10)}
		if err := p.Commit(t.Context(), after, []Change{change(big)}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("ACKNOWLEDGED")
	}
}

// openAt opens the store in a folder.
func openAt(t *testing.T, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
