package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// A Snapshot is what a file of vectors says about itself, beside the vectors.
type Snapshot struct {
	// Sequence is the number of the caller's last change that the vectors are
	// the outcome of.
	Sequence uint64

	// Note is the caller's own, such as whose the vectors are.
	Note []byte

	// IDs are those of the vectors, in no order. ReadSnapshot sets them;
	// WriteSnapshot does not look at them.
	IDs []ID
}

// ErrSnapshot says that a file is no snapshot that can be used: it is torn,
// damaged, of another kind, version or dimension, or holds what no engine
// holds. The text around it says which. The file is of no use to anybody: delete
// it, and fill the engine from wherever the vectors came from.
var ErrSnapshot = errors.New("not a usable snapshot")

// WriteSnapshot writes the vectors of e to the file path, and its graph where it
// has one, in place of what was there. The file is written beside, brought to
// disk and then renamed, so that a crash or an error leaves the old file or the
// new one, whole; path with ".tmp" appended is used meanwhile, so two writes of
// one path must not run at the same time. Only the owner may read the file.
//
// Searches go on while it is written. Changes may have to wait; of those that do
// not, some may be in the file and some not.
func WriteSnapshot(path string, e Engine, s Snapshot) error {
	err := writeBeside(path, createFile, func(f snapshotFile) error { return writeSnapshot(f, e, s) })
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// ReadSnapshot returns an engine with the vectors of the file path, as [New]
// makes it for engine, dim and opts. The graph is taken from the file where it holds
// one and the engine can use it, and else built.
//
// The error is ErrSnapshot for a file that cannot be used, fs.ErrNotExist where
// there is none, that of [New], or one from reading. Whatever lies in the file,
// no more memory is asked for than some times its size.
func ReadSnapshot(path, engine string, dim int, opts Options) (Engine, Snapshot, error) {
	e, err := New(engine, dim, opts)
	if err != nil {
		return nil, Snapshot{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, Snapshot{}, fmt.Errorf("read snapshot: %w", err)
	}
	s, err := readSnapshot(f, e)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, Snapshot{}, fmt.Errorf("read snapshot: %w", err)
	}
	return e, s, nil
}

// snapshotFile is what is written of a file; tests put ones that fail here.
type snapshotFile interface {
	Write(p []byte) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Sync() error
	Close() error
}

// snapshotMode keeps a snapshot to its owner: embeddings are biometric.
const snapshotMode fs.FileMode = 0o600

func createFile(name string) (snapshotFile, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, snapshotMode)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(snapshotMode); err != nil { // it may have been there
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeBeside replaces the file path by what fill writes, or leaves it alone.
func writeBeside(path string, create func(string) (snapshotFile, error), fill func(snapshotFile) error) (err error) {
	beside := path + ".tmp"
	f, err := create(beside)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		if left := os.Remove(beside); !errors.Is(left, fs.ErrNotExist) { // it is gone once it was renamed
			err = errors.Join(err, left)
		}
	}()
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder brings the folder's entries to disk, so that a rename stays done.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // it has no such thing
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
