package gallery

import (
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// syncFS calls onSync before each sync of the write-ahead log, and counts them.
type syncFS struct {
	vfs.FS
	syncs  atomic.Int64
	onSync func()
}

func (fs *syncFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	return fs.wrap(name, f), err
}

func (fs *syncFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(oldname, newname, category)
	return fs.wrap(newname, f), err
}

func (fs *syncFS) wrap(name string, f vfs.File) vfs.File {
	if f == nil || !strings.HasSuffix(name, ".log") {
		return f
	}
	return &syncFile{f, fs}
}

type syncFile struct {
	vfs.File
	fs *syncFS
}

func (f *syncFile) note() {
	f.fs.syncs.Add(1)
	if f.fs.onSync != nil {
		f.fs.onSync()
	}
}

func (f *syncFile) Sync() error {
	f.note()
	return f.File.Sync()
}

func (f *syncFile) SyncData() error {
	f.note()
	return f.File.SyncData()
}

func (f *syncFile) SyncTo(length int64) (bool, error) {
	f.note()
	return f.File.SyncTo(length)
}
