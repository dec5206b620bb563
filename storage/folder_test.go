package storage

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rollcall/storage/powertest"
)

// TestMarkersWaitForTheFolder looks at the order of what is done to a folder: right before
// a marker is made or removed, the folder is brought to disk.
func TestMarkersWaitForTheFolder(t *testing.T) {
	var mu sync.Mutex
	var synced bool
	markers := map[errorfs.OpKind]int{}
	fs := powertest.Hooked(vfs.NewMem(), func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		marker := strings.Contains(op.Path, "marker.")
		switch op.Kind {
		case errorfs.OpFileSync:
			synced = synced || op.Path == "gallery"
		case errorfs.OpCreate, errorfs.OpRemove:
			if marker {
				markers[op.Kind]++
			}
			if marker && !synced {
				t.Errorf("%s: the folder was not synced before", op.Path)
			}
			synced = false
		case errorfs.OpLink, errorfs.OpRename, errorfs.OpReuseForWrite:
			synced = false
		}
		return nil
	})
	for range 3 { // each Open makes a manifest
		s := openMem(t, fs)
		put(t, partition(t, s, "school"), Student{ID: "ann"})
		closeNow(t, s)
	}
	if markers[errorfs.OpCreate] < 3 || markers[errorfs.OpRemove] < 2 {
		t.Errorf("markers made and removed: %v", markers)
	}
}

// readOnlyFS can make no file to lock.
type readOnlyFS struct{ vfs.FS }

func (readOnlyFS) Lock(name string) (io.Closer, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EROFS}
}

// A file system that can only be read, such as a snapshot, says what to do.
func TestLockOnReadOnlyFileSystem(t *testing.T) {
	if _, err := newFolderFS(readOnlyFS{vfs.NewMem()}).Lock("LOCK"); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "copy it") {
		t.Errorf("locked with %v", err)
	}
}
