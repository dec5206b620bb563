package storage

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// filesOf returns the content of a folder, without its lock.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() != lockFile {
			all[e.Name()] = string(text)
		}
	}
	return all
}

// TestOpenReadOnly: it reads what Open reads, and changes no file.
func TestOpenReadOnly(t *testing.T) {
	for _, key := range []*SealKey{nil, testKey(t, 1)} {
		dir := filepath.Join(t.TempDir(), "data")
		_, err := OpenReadOnly(dir, Options{SealKey: key})
		wantError(t, "opening no folder", err, fs.ErrNotExist)
		s, err := Open(dir, Options{SealKey: key})
		if err != nil {
			t.Fatal(err)
		}
		p := partition(t, s, "a")
		put(t, p, Student{ID: "ann"}, Student{ID: "ben"})
		appendLines(t, p, 3)
		want, server := collect(t, p.Load(t.Context())), s.Server()
		_, err = OpenReadOnly(dir, Options{SealKey: key})
		wantError(t, "opening what is open", err, ErrLocked)
		closeNow(t, s)

		before := filesOf(t, dir)
		if s, err = OpenReadOnly(dir, Options{SealKey: key}); err != nil {
			t.Fatal(err)
		}
		p = partition(t, s, "a")
		equal(t, "records", collect(t, p.Load(t.Context())), want)
		if v, err := p.Verify(t.Context()); err != nil || v.LastLine != 3 || s.Server() != server {
			t.Errorf("%+v of server %d, want %d, error %v", v, s.Server(), server, err)
		}
		wantError(t, "Commit", p.Commit(t.Context(), 1, []Change{change(Student{ID: "cem"})}), ErrReadOnly)
		wantError(t, "Writable", s.Writable(), ErrReadOnly)
		wantError(t, "Rewrite", p.Rewrite(t.Context()), ErrReadOnly)
		if _, err := s.Checkpoint(t.Context()); err == nil {
			t.Error("it has a checkpoint")
		}
		closeNow(t, s)
		if !maps.Equal(filesOf(t, dir), before) {
			t.Error("it has changed the folder")
		}
		_, err = OpenReadOnly(dir, Options{SealKey: testKey(t, 2)})
		wantError(t, "another key", err, ErrSealKey)
		if _, err := OpenReadOnly(filepath.Dir(dir), Options{}); !errors.Is(err, ErrForeign) {
			t.Errorf("a folder without a store: %v", err)
		}
	}
}
