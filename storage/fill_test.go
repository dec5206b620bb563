package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// fillWith makes the files of a small store.
func fillWith(t *testing.T) func(dir string) error {
	return func(dir string) error {
		s, err := Open(dir, Options{})
		if err != nil {
			return err
		}
		put(t, partition(t, s, "a"), Student{ID: "ann"})
		return s.Close()
	}
}

func TestFill(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "data")
	no := errors.New("no")
	err := Fill(dir, func(inner string) error {
		if err := os.WriteFile(filepath.Join(inner, "x"), nil, 0o600); err != nil {
			return err
		}
		_, err := Open(dir, Options{})
		wantError(t, "opening it meanwhile", err, ErrUnfinished)
		wantError(t, "filling it meanwhile", Fill(dir, fillWith(t)), ErrLocked)
		return no
	})
	wantError(t, "Fill", err, no)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}

	// What a crash has left is no reason to refuse, unless files were being moved.
	part := filepath.Join(dir, unfilledFolder)
	if err := errors.Join(os.MkdirAll(part, 0o700), os.WriteFile(filepath.Join(part, "000004.log"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, Options{})
	wantError(t, "opening it after a crash", err, ErrUnfinished)
	if err := os.WriteFile(filepath.Join(dir, "000005.sst"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, "filling it after a crash that moved files", Fill(dir, fillWith(t)), ErrUnfinished)
	if err := os.Remove(filepath.Join(dir, "000005.sst")); err != nil {
		t.Fatal(err)
	}
	if err := Fill(dir, fillWith(t)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "records", collect(t, partition(t, s, "a").Load(t.Context())), []Record{Student{ID: "ann"}})
	closeNow(t, s)
	wantError(t, "filling it again", Fill(dir, fillWith(t)), ErrOccupied)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != folderMode {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
}

// TestFillOtherFiles: a folder with other files stays as it is.
func TestFillOtherFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Fill", Fill(dir, fillWith(t)), ErrOccupied)
	text, err := os.ReadFile(filepath.Join(dir, "letter.txt"))
	if err != nil || string(text) != "dear" {
		t.Errorf("%q, %v", text, err)
	}
}
