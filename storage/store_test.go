package storage

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestOpenOnDisk is the one test of the whole way on the operating system's
// file system: create, write, reopen.
func TestOpenOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "gallery")
	for seq := range uint64(3) {
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Sequence() != seq {
			t.Errorf("Sequence() = %d, want %d", s.Sequence(), seq)
		}
		var c Change
		c.PutStudent(Student{ID: "ann"})
		apply(t, s, &c)
		if got := s.db.FormatMajorVersion(); got != formatVersion {
			t.Errorf("format %d, want %d", got, formatVersion)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLocked opens a folder that is open: in this process, by other names of
// it, and in a child process.
func TestLocked(t *testing.T) {
	if dir := os.Getenv(childEnv); dir != "" {
		_, err := Open(dir, Options{})
		wantError(t, "Open in another process", err, ErrLocked)
		return
	}
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	t.Chdir(filepath.Dir(dir))
	for _, name := range []string{dir, dir + "/.", filepath.Base(dir)} {
		_, err := Open(name, Options{})
		wantError(t, "Open in this process", err, ErrLocked)
	}
	if output, status := runChild(t, dir); status != 0 || !strings.Contains(output, "PASS: TestLocked") {
		t.Errorf("child: exit status %d and output:\n%s", status, output)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(dir, Options{})
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	closeAtEnd(t, s)
}

func TestOpenRefusesAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(file, Options{})
	if err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("Open of a file: %v", err)
	}
}

// TestForeign opens a store of another program, which must stay as it is.
func TestForeign(t *testing.T) {
	fs := vfs.NewMem()
	theirs := &pebble.Options{
		FS: fs, FormatMajorVersion: pebble.FormatMinSupported,
		Logger: pebbleLogger{slog.New(slog.DiscardHandler)},
	}
	db, err := pebble.Open("gallery", theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("key"), []byte("value"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	_, err = Open("gallery", Options{FS: fs})
	wantError(t, "Open", err, ErrForeign)

	if db, err = pebble.Open("gallery", theirs); err != nil {
		t.Fatal(err)
	}
	if got := db.FormatMajorVersion(); got != theirs.FormatMajorVersion {
		t.Errorf("Open raised the format of a foreign store to %d", got)
	}
	value, closer, err := db.Get([]byte("key"))
	if err != nil || string(value) != "value" {
		t.Errorf("Get = %q, %v", value, err)
	}
	if err == nil {
		err = closer.Close()
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Error(err)
	}
}

// TestOlderFormat opens a store that Pebble wrote in an older format and that
// holds nothing yet: it becomes ours, in our format.
func TestOlderFormat(t *testing.T) {
	fs := vfs.NewMem()
	db, err := pebble.Open("gallery", &pebble.Options{
		FS: fs, FormatMajorVersion: pebble.FormatMinSupported,
		Logger: pebbleLogger{slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := closeAtEnd(t, openMem(t, fs))
	newOracle().compare(t, s)
	if got := s.db.FormatMajorVersion(); got != formatVersion {
		t.Errorf("format %d, want %d", got, formatVersion)
	}
}

// TestCrashInCreation cuts the power at every sync of the first Open: what is
// left must open as a new store.
func TestCrashInCreation(t *testing.T) {
	s, clones := openCloning(t, vfs.NewCrashableMem(), migrations)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, fs := range clones {
		s := openMem(t, fs)
		newOracle().compare(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// openCloning opens the folder and returns, beside the store, what a crash at
// each sync of the way would have left.
func openCloning(t *testing.T, base *vfs.MemFS, steps []migration) (*Store, []*vfs.MemFS) {
	t.Helper()
	var mu sync.Mutex
	clones := []*vfs.MemFS{}
	s, err := open("gallery", Options{FS: syncFS{base, func(string) error {
		mu.Lock()
		defer mu.Unlock()
		clones = append(clones, base.CrashClone(vfs.CrashCloneCfg{}))
		return nil
	}}}, steps)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(clones) < 3 {
		t.Fatalf("only %d syncs were seen: the test does not reach the files", len(clones))
	}
	return s, clones[:len(clones):len(clones)]
}

func TestClosed(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	var c Change
	c.PutStudent(Student{ID: "ann"})
	commit, err := s.Apply(&c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := commit.Wait(); err != nil {
		t.Errorf("Wait after Close: %v", err)
	}
	_, getErr := s.Student("ann")
	_, applyErr := s.Apply(new(Change))
	for what, err := range map[string]error{
		"Student": getErr, "Apply": applyErr, "Students": only(s.Students("")), "Close": s.Close(),
	} {
		wantError(t, what, err, ErrClosed)
	}
}

// TestCloseWaitsForLoops closes the store within a loop over it: the loop goes
// on to its end, and nothing else begins.
func TestCloseWaitsForLoops(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	var c Change
	for _, id := range trickyIDs {
		c.PutStudent(Student{ID: id})
	}
	apply(t, s, &c)
	closed := make(chan error, 1)
	n := 0
	for _, err := range s.Students("") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			go func() { closed <- s.Close() }()
			for err = nil; err == nil; _, err = s.Student(trickyIDs[0]) {
			}
			wantError(t, "Student beside Close", err, ErrClosed)
		}
		select {
		case err := <-closed:
			t.Fatalf("Close returned %v within the loop", err)
		default:
		}
	}
	if n != len(trickyIDs) {
		t.Errorf("the loop saw %d students, want %d", n, len(trickyIDs))
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
