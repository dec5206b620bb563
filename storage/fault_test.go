package storage

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// hooked calls hook before each operation on a file system. An error from it is what the
// operation returns. It may be called from several goroutines.
func hooked(fs vfs.FS, hook func(errorfs.Op) error) vfs.FS {
	return errorfs.Wrap(renamingFS{fs}, errorfs.InjectorFunc(hook))
}

// renamingFS reuses a file not as MemFS does: that takes a lock for reading twice, and a
// CrashClone between the two would wait for it, and it for the clone.
type renamingFS struct{ vfs.FS }

func (f renamingFS) Unwrap() vfs.FS { return f.FS }

func (f renamingFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return f.OpenReadWrite(newname, category)
}

// powerCuts cuts the power at every step: before each operation that changes the file system,
// and keeps what each cut leaves if none, half, and all of the unsynced data had reached the disk.
type powerCuts struct {
	fs *vfs.MemFS

	acknowledged, begun atomic.Int64 // calls so far; the test counts them

	mu     sync.Mutex // guards the fields that follow
	rng    *rand.Rand
	clones []crash
}

// crash is what a power cut left.
type crash struct {
	fs           *vfs.MemFS
	acknowledged int // calls that had returned
	begun        int // calls that had begun
}

func newPowerCuts(fs *vfs.MemFS, seed uint64) *powerCuts {
	return &powerCuts{fs: fs, rng: rand.New(rand.NewPCG(seed, 1))}
}

// disk is the file system whose power is cut.
func (c *powerCuts) disk() vfs.FS {
	return hooked(c.fs, func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileClose, errorfs.OpFileFlush, errorfs.OpFilePreallocate, errorfs.OpLock:
		default:
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				c.cut()
			}
		}
		return nil
	})
}

// cut cuts the power now.
func (c *powerCuts) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, percent := range []int{0, 50, 100} {
		// What is acknowledged before the clone is made must be in it, and nothing that begins after.
		left := crash{acknowledged: int(c.acknowledged.Load())}
		left.fs = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
		left.begun = int(c.begun.Load())
		c.clones = append(c.clones, left)
	}
}

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
