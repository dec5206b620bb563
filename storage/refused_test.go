package storage

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// contents returns every file of the folder but its lock, by name.
func contents(t *testing.T, fs vfs.FS) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, name := range list(t, fs, "") {
		if strings.HasSuffix(name, "LOCK") {
			continue
		}
		file, err := fs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	return files
}

// wantRefused opens a folder that cannot be opened, and finds every file of it as it
// was.
func wantRefused(t *testing.T, fs vfs.FS, want error, opts Options) {
	t.Helper()
	before := contents(t, fs)
	opts.FS = fs
	s, err := Open("gallery", opts)
	wantError(t, "Open", err, want)
	if err == nil {
		closeNow(t, s)
	}
	after := contents(t, fs)
	if !maps.Equal(before, after) {
		t.Errorf("an Open that failed left the files %v of %v, or changed them", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// Who put a part of a folder in the wrong place and is told so must be able to put
// it back: an Open that is refused changes nothing.
func TestRefusedOpenChangesNothing(t *testing.T) {
	for _, part := range []string{".log", "marker.manifest"} {
		t.Run(part, func(t *testing.T) {
			fs := killed(t)
			lost := vfs.NewMem()
			if _, err := vfs.Clone(fs, lost, "gallery", "gallery"); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, name := range list(t, lost, "") {
				if strings.Contains(name, part) {
					names = append(names, name)
					if err := lost.Remove(name); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := ErrLost
			if part != ".log" {
				want = ErrCorrupt
				wantRefused(t, lost, want, Options{AcceptLoss: true}) // nothing can be read: there is nothing to go on with
			}
			wantRefused(t, lost, want, Options{})
			for _, name := range names { // back
				if _, err := vfs.Clone(fs, lost, name, name); err != nil {
					t.Fatal(err)
				}
			}
			equal(t, "students", students(t, openMem(t, lost)), 14)
		})
	}
	t.Run("foreign", func(t *testing.T) {
		fs := vfs.NewMem()
		plantPebble(t, fs, pair{[]byte("theirs"), []byte("value")})
		wantRefused(t, fs, ErrForeign, Options{})
	})
	t.Run("older", func(t *testing.T) {
		fs := vfs.NewMem()
		plantPebble(t, fs, pair{[]byte(metaSchema), bigEndian(schema - 1)})
		wantRefused(t, fs, ErrOldSchema, Options{})
	})
}

// TestMissingFile deletes a file that Pebble cannot do without.
func TestMissingFile(t *testing.T) {
	for _, part := range []string{".sst", "MANIFEST"} {
		fs := killed(t)
		for _, name := range list(t, fs, "") {
			if strings.Contains(name, part) && !strings.Contains(name, "marker") {
				if err := fs.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, accept := range []bool{false, true} {
			_, err := Open("gallery", Options{FS: fs, AcceptLoss: accept})
			wantError(t, part, err, ErrCorrupt)
			if err != nil && !strings.HasSuffix(err.Error(), "restore a backup") { // a loss accepted brings no table back
				t.Errorf("%s: the error does not say what to do: %v", part, err)
			}
		}
	}
}
