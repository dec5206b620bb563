package storage

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage/powertest"
)

// TestOpenOnDisk is the one test of the whole way on the operating system's
// file system: create, write, reopen.
func TestOpenOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "gallery")
	for n := range 3 {
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := partition(t, s, "school")
		equal(t, "changes", len(collect(t, p.Changes(t.Context(), 0))), n)
		put(t, p, Student{ID: "ann"})
		if got := onPebble(s).db.FormatMajorVersion(); got != formatVersion {
			t.Errorf("format %d, want %d", got, formatVersion)
		}
		closeNow(t, s)
	}
}

// childEnv names the part that a test plays when it runs itself as a child
// process.
const childEnv = "ROLLCALL_STORAGE_TEST_CHILD"

// childLimit ends a child that hangs; one takes about a second, and many on a busy
// machine.
const childLimit = time.Minute

// runChild runs the calling test in a process of its own, which finds part in
// childEnv, and returns what it printed and its exit status.
func runChild(t *testing.T, part string) (output string, status int) {
	t.Helper()
	return runChildOf(t, t.Name(), part)
}

// runChildOf is runChild of another test, with more flags.
func runChildOf(t *testing.T, test, part string, flags ...string) (output string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), childLimit)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], append([]string{"-test.run=^" + test + "$", "-test.v"}, flags...)...)
	child.Env = append(os.Environ(), childEnv+"="+part)
	printed, err := child.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(printed), child.ProcessState.ExitCode()
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
	closeNow(t, s)
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

// plantPebble makes a Pebble store in the oldest format, that holds the pairs.
func plantPebble(t *testing.T, fs vfs.FS, pairs ...pair) *pebble.Options {
	t.Helper()
	o := &pebble.Options{
		FS: fs, FormatMajorVersion: pebble.FormatMinSupported,
		Logger: pebbleLogger{slog.New(slog.DiscardHandler)},
	}
	db, err := pebble.Open("gallery", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		if err := db.Set(p.key, p.value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestForeign opens a store of another program, which must stay as it is.
func TestForeign(t *testing.T) {
	fs := vfs.NewMem()
	theirs := plantPebble(t, fs, pair{[]byte("key"), []byte("value")})
	_, err := Open("gallery", Options{FS: fs})
	wantError(t, "Open", err, ErrForeign)
	db, err := pebble.Open("gallery", theirs)
	if err != nil {
		t.Fatal(err)
	}
	if got := db.FormatMajorVersion(); got != theirs.FormatMajorVersion {
		t.Errorf("Open raised the format of a foreign store to %d", got)
	}
	value, err := get(db, []byte("key"))
	if err := errors.Join(err, db.Close()); err != nil || string(value) != "value" {
		t.Errorf("Get = %q, %v", value, err)
	}
}

// TestFolderOfSomethingElse opens folders that hold other files and no store: each is refused
// and stays as it is. What a new disk or an Open that was cut short leaves is no other file.
func TestFolderOfSomethingElse(t *testing.T) {
	for name, want := range map[string]error{
		"lost+found": nil, "LOCK": nil, "000002.log": nil, "temporary.000001.dbtmp": nil, "marker.format-version.000001.013": nil,
		"photo.jpg": ErrForeign, "go.mod": ErrForeign, ".bashrc": ErrForeign, "000004.sst": ErrForeign, "server.log": ErrForeign,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, Options{})
			if want == nil {
				if err != nil {
					t.Fatal(err)
				}
				closeNow(t, s)
				return
			}
			wantError(t, "Open", err, want)
			if err != nil && !strings.Contains(err.Error(), "another folder") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("the folder holds %v now, error %v", entries, err)
			}
		})
	}
}

// TestFolderThatWasOurs opens a store whose manifest a disk has lost: it is no folder of
// another program, and no new one either.
func TestFolderThatWasOurs(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, partition(t, s, "school"), Student{ID: "ann"})
	if err := onPebble(s).db.Flush(); err != nil { // Pebble reads a log without a manifest too
		t.Fatal(err)
	}
	closeNow(t, s)
	markers, err := filepath.Glob(filepath.Join(dir, "marker.manifest.*"))
	if err != nil || len(markers) == 0 {
		t.Fatalf("markers %v, error %v", markers, err)
	}
	for _, file := range markers {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Open(dir, Options{})
	wantError(t, "Open", err, ErrCorrupt)
}

// TestOlderFormat opens a store that Pebble wrote in an older format and that
// holds nothing yet: it becomes ours, in our format.
func TestOlderFormat(t *testing.T) {
	fs := vfs.NewMem()
	plantPebble(t, fs)
	s := openMem(t, fs)
	newModel().compare(t, partition(t, s, "school"), rand.New(rand.NewPCG(1, 1)))
	if got := onPebble(s).db.FormatMajorVersion(); got != formatVersion {
		t.Errorf("format %d, want %d", got, formatVersion)
	}
}

// TestSchemas opens stores of other schemas: each is refused with what to do.
func TestSchemas(t *testing.T) {
	for what, test := range map[string]struct {
		value []byte
		want  error
		hint  string
	}{
		"older":     {bigEndian(2), ErrOldSchema, "start with an empty folder and enrol again"},
		"newer":     {bigEndian(schema + 1), ErrNewerSchema, "run the newer release"},
		"no number": {[]byte("1"), ErrCorrupt, "restore a backup"},
	} {
		t.Run(what, func(t *testing.T) {
			fs := vfs.NewMem()
			plantPebble(t, fs, pair{[]byte(metaSchema), test.value})
			_, err := Open("gallery", Options{FS: fs})
			wantError(t, "Open", err, test.want)
			if err != nil && !strings.Contains(err.Error(), test.hint) {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
}

// TestCrashInCreation cuts the power at every step of the first Open: what is
// left must open as a new store.
func TestCrashInCreation(t *testing.T) {
	cuts := powertest.New(vfs.NewCrashableMem(), 1)
	s := openMem(t, cuts.CutFS())
	closeNow(t, s)
	if len(cuts.Left()) < 3*3 {
		t.Fatalf("only %d cuts: the test does not reach the files", len(cuts.Left()))
	}
	for _, c := range cuts.Left() {
		s := openMem(t, c.FS)
		newModel().compare(t, partition(t, s, "school"), rand.New(rand.NewPCG(1, 1)))
		closeNow(t, s)
	}
}

// TestDamagedTable flips bits of a table. Reads must say ErrCorrupt, and the
// process must live: a damaged gallery still has to be looked at.
func TestDamagedTable(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, fs)
	rng := rand.New(rand.NewPCG(6, 6))
	var records []Record
	for _, id := range trickyIDs {
		records = append(records, Embedding{CropID: id, Model: "m", Vector: randomVector(rng, 4096)})
	}
	put(t, partition(t, s, "school"), records...)
	closeNow(t, s)
	tables := 0
	for _, name := range list(t, fs, ".sst") {
		tables++
		alter(t, fs, name, func(content []byte) []byte {
			copy(content[len(content)/2:], "not what was here")
			return content
		})
	}
	if tables == 0 {
		t.Fatal("no tables in the folder")
	}
	err := last(partition(t, openMem(t, fs), "school").Load(t.Context()))
	wantError(t, "Load", err, ErrCorrupt)
}

// list returns the files of the store whose names end so.
func list(t *testing.T, fs vfs.FS, suffix string) (paths []string) {
	t.Helper()
	names, err := fs.List("gallery")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			paths = append(paths, fs.PathJoin("gallery", name))
		}
	}
	return paths
}

// TestOpenOnAFullDisk opens a store that has something to write on a disk without
// room: it says so, or, where the disk fails in another way, ends the process.
func TestOpenOnAFullDisk(t *testing.T) {
	fs := killed(t)
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 20, TotalBytes: 1 << 30})
	_, err := Open("gallery", Options{FS: fs})
	wantError(t, "Open", err, ErrReadOnly)
	if err != nil && !strings.Contains(err.Error(), "1 MiB free") {
		t.Errorf("it does not say how little there is: %v", err)
	}
	const stopped = "the disk refuses what is written to it"
	if os.Getenv(childEnv) != "" {
		_, err := Open("gallery", Options{
			Logger: slog.New(slog.NewTextHandler(os.Stdout, nil)), MinFreeBytes: -1,
			FS: syncFS{fs, func(name string) error {
				if strings.HasSuffix(name, ".sst") {
					return syscall.ENOSPC
				}
				return nil
			}},
		})
		t.Fatalf("opened, or given back: %v", err)
	}
	output, status := runChild(t, "open")
	if status != 1 || strings.Count(output, stopped) != 1 || strings.Contains(output, "given back") {
		t.Errorf("exit status %d and output:\n%s", status, output)
	}
}
