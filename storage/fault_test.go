package storage

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// syncFS calls hook before each sync of a file that Pebble writes, with the
// name of the file. An error from it is what the sync returns. It may be
// called from several goroutines.
type syncFS struct {
	vfs.FS
	hook func(name string) error
}

func (f syncFS) Unwrap() vfs.FS { return f.FS }

func (f syncFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	return syncFile{file, name, f.hook}, nil
}

func (f syncFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	// Not MemFS's own: it takes a lock for reading twice, and a CrashClone between the two would
	// wait for it, and it for the clone.
	if err := f.FS.Rename(oldname, newname); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(newname, category)
	if err != nil {
		return nil, err
	}
	return syncFile{file, newname, f.hook}, nil
}

type syncFile struct {
	vfs.File
	name string
	hook func(name string) error
}

func (f syncFile) Sync() error {
	if err := f.hook(f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f syncFile) SyncData() error {
	if err := f.hook(f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f syncFile) SyncTo(length int64) (bool, error) {
	if err := f.hook(f.name); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}

// isLog reports whether a file holds the log that changes are first written to.
func isLog(name string) bool { return strings.HasSuffix(name, ".log") }
