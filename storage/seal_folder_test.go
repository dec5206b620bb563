package storage

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// folderOn returns a folder on the disk with random partitions, and what they hold.
func folderOn(t *testing.T, key *SealKey) (dir string, hidden map[string][]byte, want map[string]string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	s := openFolder(t, dir, key)
	hidden = personal(t, s)
	for _, id := range []string{"a", "a\x00"} {
		p, _ := logged(t, s, id)
		appendLines(t, p, 7)
		put(t, p, Embedding{CropID: "large", Model: "m", Vector: randomVector(rand.New(rand.NewPCG(6, 5)), copyBytes/4)})
	}
	want = content(t, s)
	closeNow(t, s)
	return dir, hidden, want
}

func openFolder(t *testing.T, dir string, key *SealKey) *Store {
	t.Helper()
	s, err := Open(dir, Options{SealKey: key, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	return closeAtEnd(t, s)
}

// shows says what of the hidden things is in the files of a folder.
func shows(t *testing.T, dir string, hidden map[string][]byte) (found map[string]bool) {
	t.Helper()
	found = map[string]bool{}
	for what, want := range hidden {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(name)
			if bytes.Contains(content, want) {
				found[what] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// wantSealed checks that the folder holds what it should, under this key.
func wantSealed(t *testing.T, dir string, key *SealKey, want map[string]string) {
	t.Helper()
	s := openFolder(t, dir, key)
	equal(t, "the content", content(t, s), want)
	closeNow(t, s)
	if exists(dir + ".new") {
		t.Errorf("%s.new is left", dir)
	}
}

// TestSealFolder seals a folder, gives it other data keys, and unseals it.
func TestSealFolder(t *testing.T) {
	dir, hidden, want := folderOn(t, nil)
	keys := []*SealKey{nil, testKey(t, 1), testKey(t, 2), nil}
	for i, to := range keys[1:] {
		opts := Options{SealKey: keys[i], MinFreeBytes: -1}
		old, err := SealFolder(t.Context(), dir, opts, to, func(Copied) {
			_, err := Open(dir, opts)
			wantError(t, "opening it meanwhile", err, ErrLocked)
		})
		if err != nil {
			t.Fatal(err)
		}
		wantSealed(t, dir, to, want)
		if found := shows(t, dir, hidden); to != nil && len(found) > 0 || to == nil && len(found) != len(hidden) {
			t.Errorf("sealed with %v, the folder shows %v", to, found)
		}
		_, err = Open(dir, opts)
		wantError(t, "opening it with the old key", err, ErrSealKey)
		s := openFolder(t, old, keys[i])
		equal(t, "the old files", content(t, s), want)
		closeNow(t, s)
		if _, err := SealFolder(t.Context(), dir, Options{SealKey: to}, keys[i], nil); err == nil {
			t.Error("the old files of an earlier run were overwritten")
		}
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
		_, err = SealFolder(t.Context(), dir, opts, to, nil)
		wantError(t, "the same again", err, ErrSealKey)
	}
	_, err := SealFolder(t.Context(), dir, Options{}, nil, nil)
	wantError(t, "unsealing what is not sealed", err, ErrSealKey)
}

// TestSealFolderGoesOn stops it at every step, and runs it again.
func TestSealFolderGoesOn(t *testing.T) {
	key := testKey(t, 1)
	opts := Options{MinFreeBytes: -1}
	again := func(t *testing.T, dir string, want map[string]string) {
		t.Helper()
		old, err := SealFolder(t.Context(), dir, opts, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantSealed(t, dir, key, want)
		wantSealed(t, old, nil, want)
	}
	to := opts
	to.SealKey, to.Target = key, true
	moved := func(dir string) *moving { return &moving{dir, dir + ".new", dir + ".old", opts, to} }
	copied := func(t *testing.T) (*moving, map[string]string) {
		t.Helper()
		dir, _, want := folderOn(t, nil)
		m := moved(dir)
		if err := m.copy(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return m, want
	}
	for commits := 1; ; commits++ {
		dir, _, want := folderOn(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := SealFolder(ctx, dir, opts, key, func(c Copied) {
			if n++; n == commits {
				cancel()
			}
		})
		cancel()
		if err == nil && commits > 3 {
			break
		}
		wantError(t, "SealFolder", err, context.Canceled)
		closeNow(t, openFolder(t, dir, nil)) // nothing has changed
		again(t, dir, want)
	}
	t.Run("the copy is complete", func(t *testing.T) {
		m, want := copied(t)
		again(t, m.dir, want)
	})
	t.Run("the folders have changed places", func(t *testing.T) {
		m, want := copied(t)
		if err := exchangeFolders(m.dir, m.fresh); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		again(t, m.dir, want)
	})
	t.Run("one folder is renamed", func(t *testing.T) {
		m, want := copied(t)
		if err := m.rename(m.dir, m.old); err != nil {
			t.Fatal(err)
		}
		again(t, m.dir, want)
	})
	t.Run("the source has changed", func(t *testing.T) {
		m, _ := copied(t)
		s := openFolder(t, m.dir, nil)
		put(t, partition(t, s, "a"), Student{ID: "new"})
		want := content(t, s)
		closeNow(t, s)
		_, err := SealFolder(t.Context(), m.dir, opts, key, nil)
		wantError(t, "SealFolder", err, ErrOccupied)
		if err := os.RemoveAll(m.fresh); err != nil {
			t.Fatal(err)
		}
		again(t, m.dir, want)
	})
}

// TestSealFolderRefuses has a folder that is in use, one that is missing, and a full disk.
func TestSealFolderRefuses(t *testing.T) {
	key := testKey(t, 1)
	dir, _, want := folderOn(t, nil)
	lock, err := pebble.LockDirectory(dir, newFolderFS(nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = SealFolder(t.Context(), dir, Options{}, key, nil)
	wantError(t, "a folder in use", err, ErrLocked)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = SealFolder(t.Context(), dir, Options{MinFreeBytes: 1 << 60}, key, nil)
	wantError(t, "a full disk", err, ErrReadOnly)
	if _, err := SealFolder(t.Context(), dir+".missing", Options{}, key, nil); err == nil || exists(dir+".missing") {
		t.Errorf("a folder that is not there: error %v, or it was made", err)
	}
	wantSealed(t, dir, nil, want)
}
