// Package powertest cuts the power of a disk in memory, for tests.
package powertest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Hooked calls hook before each operation on a file system. An error from it is what the
// operation returns. It may be called from several goroutines.
func Hooked(fs vfs.FS, hook func(errorfs.Op) error) vfs.FS {
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

// Disk is a disk whose power is cut while it is in use. The test counts what it does on it: by
// that a cut knows what must be left. It is safe for concurrent use.
type Disk struct {
	Acknowledged, Begun atomic.Int64

	fs *vfs.MemFS

	mu   sync.Mutex // guards the fields that follow
	rng  *rand.Rand
	left []Left
}

// Left is what a power cut left.
type Left struct {
	FS           *vfs.MemFS
	Acknowledged int // what was acknowledged before the cut
	Begun        int // and what had begun
}

// New returns a disk over what fs holds, which vfs.NewCrashableMem or a cut has made.
func New(fs *vfs.MemFS, seed uint64) *Disk {
	return &Disk{fs: fs, rng: rand.New(rand.NewPCG(seed, 1))}
}

// FS is the file system of the disk.
func (d *Disk) FS() vfs.FS { return renamingFS{d.fs} }

// CutFS is the file system of the disk, and cuts its power at every step: before each operation
// that changes it.
func (d *Disk) CutFS() vfs.FS {
	return Hooked(d.fs, func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileClose, errorfs.OpFileFlush, errorfs.OpFilePreallocate, errorfs.OpLock:
		default:
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				d.Cut()
			}
		}
		return nil
	})
}

// Cut keeps what is left if the power fails now and none, half, or all of the unsynced data had
// reached the disk.
func (d *Disk) Cut() {
	for _, percent := range []int{0, 50, 100} {
		left := d.CutNow(percent)
		d.mu.Lock()
		d.left = append(d.left, left)
		d.mu.Unlock()
	}
}

// CutNow returns what is left if the power fails now, with so much of the unsynced data in
// percent.
func (d *Disk) CutNow(percent int) Left {
	d.mu.Lock()
	defer d.mu.Unlock()
	// What is acknowledged before the clone is made must be in it, and nothing that begins after.
	left := Left{Acknowledged: int(d.Acknowledged.Load())}
	left.FS = d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: d.rng})
	left.Begun = int(d.Begun.Load())
	return left
}

// Left returns what the cuts so far have left.
func (d *Disk) Left() []Left {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left
}
