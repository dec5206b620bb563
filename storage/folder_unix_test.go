//go:build unix

package storage

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestModes makes every kind of file that Pebble writes, under a umask that
// hides nothing.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "new", "gallery")
	for range 2 {
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 { // enough logs for Pebble to reuse some
			put(t, partition(t, s, "school"), Student{ID: fmt.Sprint(i)})
			if err := onPebble(s).db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := onPebble(s).db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
			t.Fatal(err)
		}
		checkModes(t, dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkModes(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if os.IsNotExist(err) {
			return nil // Pebble has deleted it since
		}
		if err != nil {
			return err
		}
		want := fs.FileMode(fileMode)
		if entry.IsDir() {
			want = fs.ModeDir | folderMode
		} else {
			files++
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", entry.Name(), info.Mode(), want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if files < 5 {
		t.Errorf("only %d files", files)
	}
}
