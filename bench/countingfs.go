package bench

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diskUse is what was done to a disk so far.
type diskUse struct {
	syncs atomic.Int64
	bytes atomic.Int64 // written
}

// countingFS is a file system that counts how often a file is brought to disk, and
// how much is written.
type countingFS struct {
	vfs.FS
	use *diskUse
}

// Unwrap is for vfs.Root.
func (f countingFS) Unwrap() vfs.FS { return f.FS }

func (f countingFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return f.count(file, err)
}

func (f countingFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, category, opts...)
	return f.count(file, err)
}

func (f countingFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.count(file, err)
}

func (f countingFS) count(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return countingFile{file, f.use}, nil
}

type countingFile struct {
	vfs.File
	use *diskUse
}

func (f countingFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.use.bytes.Add(int64(n))
	return n, err
}

func (f countingFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	f.use.bytes.Add(int64(n))
	return n, err
}

func (f countingFile) Sync() error {
	f.use.syncs.Add(1)
	return f.File.Sync()
}

func (f countingFile) SyncData() error {
	f.use.syncs.Add(1)
	return f.File.SyncData()
}
