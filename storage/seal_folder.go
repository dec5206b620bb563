package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// SealFolder seals the folder dir with the key to; nil: it unseals it. opts.SealKey is the key
// that dir is sealed with now, if any. It copies dir into the folder dir.new beside it, with
// new data keys, and then lets the two change places in one step where the operating system
// can. The old files stay in dir.old, which it returns: delete them.
//
// When it is interrupted, call it again: it goes on where it stopped. No other process may
// have dir open. The errors are those of [Open] and [Copy], and ErrReadOnly if there is
// too little space for the copy. opts.FS must be nil.
func SealFolder(ctx context.Context, dir string, opts Options, to *SealKey, progress func(Copied)) (old string, err error) {
	if opts.SealKey == nil && to == nil || opts.SealKey != nil && to != nil && opts.SealKey.id == to.id {
		return "", fmt.Errorf("%w: it is that of the folder already", ErrSealKey)
	}
	// Another folder than the current one, as "." has none beside it.
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	m := &moving{dir: dir, fresh: dir + ".new", old: dir + ".old", from: opts, to: opts}
	m.to.SealKey, m.to.Target = to, true
	return m.old, m.run(ctx, progress)
}

// moving is a folder that is being replaced by its copy.
type moving struct {
	dir, fresh, old string
	from, to        Options
}

func (m *moving) run(ctx context.Context, progress func(Copied)) error {
	if done, err := m.finishInterrupted(); done || err != nil {
		return err
	}
	if names, err := os.ReadDir(m.dir); err != nil || len(names) == 0 {
		return fmt.Errorf("there is no data in the folder %s: name the one of \"serve --data\"; a new one is sealed from the start", m.dir)
	}
	if exists(m.old) {
		return fmt.Errorf("the old files of an earlier run are in %s: delete them first, or move them away", m.old)
	}
	// The lock is held until the folders have changed places, also while the store is closed.
	lock, err := pebble.LockDirectory(m.dir, newFolderFS(nil))
	if err != nil {
		return fmt.Errorf("storage: locking %s: %w", m.dir, err)
	}
	m.from.lock = lock
	if err = m.copy(ctx, progress); err == nil {
		err = m.exchange()
	}
	return errors.Join(err, lock.Close())
}

// finishInterrupted goes on where the copy was complete, and the folders had begun to change
// places.
func (m *moving) finishInterrupted() (done bool, err error) {
	switch {
	case !exists(m.fresh) || exists(m.dir) == exists(m.old):
		return false, nil
	case exists(m.old): // and dir is not there
		return true, m.rename(m.fresh, m.dir)
	}
	opts := m.to
	opts.Target = false
	s, err := Open(m.dir, opts)
	if errors.Is(err, ErrSealKey) { // dir is still the old one
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(s.Close(), m.rename(m.fresh, m.old))
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// copy makes the folder fresh.
func (m *moving) copy(ctx context.Context, progress func(Copied)) (err error) {
	from, err := Open(m.dir, m.from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := m.enoughSpace(); err != nil {
		return err
	}
	to, err := Open(m.fresh, m.to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	err = Copy(ctx, to, from, progress)
	if errors.Is(err, ErrOccupied) {
		return m.complete(to, from)
	}
	return err
}

// complete says whether to is a copy of from that an earlier run has finished.
func (m *moving) complete(to, from *Store) error {
	copied, err := to.number()
	if err != nil {
		return err
	}
	number, err := from.number()
	if err == nil && (copied != number || to.server != from.server) {
		err = fmt.Errorf("%w: %s is not a copy of %s as it is now: delete it, or move it away", ErrOccupied, m.fresh, m.dir)
	}
	return err
}

// enoughSpace returns ErrReadOnly if there is no room for a copy beside the folder.
func (m *moving) enoughSpace() error {
	needed, err := FolderBytes(m.dir)
	if err != nil {
		return err
	}
	present, err := FolderBytes(m.fresh)
	if err != nil {
		return err
	}
	free := m.from.MinFreeBytes
	if free == 0 {
		free = DefaultMinFreeBytes
	}
	needed += max(free, 0) - present
	usage, err := vfs.Default.GetDiskUsage(filepath.Dir(m.dir))
	if err == nil && needed > 0 && usage.AvailBytes < uint64(needed) {
		return fmt.Errorf("%w: %d MiB free, about %d MiB needed for a copy of %s beside it; free some space", ErrReadOnly, usage.AvailBytes/mib, needed/mib, m.dir)
	}
	return nil // enough space, or the disk cannot tell
}

// FolderBytes returns what the files in a folder take; 0: there is no such folder.
func FolderBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return total, err
}

// exchange puts fresh in the place of dir.
func (m *moving) exchange() error {
	err := exchangeFolders(m.dir, m.fresh)
	if errors.Is(err, errors.ErrUnsupported) {
		if err = m.rename(m.dir, m.old); err == nil {
			return m.rename(m.fresh, m.dir)
		}
	}
	if err != nil {
		return fmt.Errorf("storage: the copy is complete in %s, but cannot take the place of %s, as a mount point cannot: move it there yourself, or start the server with it (%w)", m.fresh, m.dir, err)
	}
	return m.rename(m.fresh, m.old)
}

// rename gives a folder another name, which is on disk when it returns.
func (m *moving) rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("storage: renaming %s to %s: %w", from, to, err)
	}
	return syncFolder(vfs.Default, filepath.Dir(to))
}
