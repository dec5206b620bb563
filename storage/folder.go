package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Embeddings are biometric data: only the account that runs Rollcall may read
// the folder. Pebble asks for 0755 and 0666, so folderFS replaces these modes.
// A folder that existed before keeps its own mode; the files do not rely on
// it.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// checkFolder returns ErrForeign for a folder that has no store but holds
// other files. Files that an interrupted Open of ours left behind are no
// reason to refuse. Nobody wants Pebble's files among their own.
func checkFolder(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if slices.Contains(names, acknowledgedFile) {
		return nil // the folder is ours, and the count says what is lost
	}
	slices.Sort(names)
	for _, name := range names {
		if !unfinished.MatchString(name) {
			return fmt.Errorf("%w: it has %q, and no store; choose another folder, or a new one inside it", ErrForeign, name)
		}
	}
	return nil
}

// unfinished matches what may be in a folder that is to become a store: the
// files that Pebble makes before the store exists, and the folder lost+found
// of a new file system.
var unfinished = regexp.MustCompile(`^(LOCK|(MANIFEST|OPTIONS)-\d+|\d+\.log|temporary\.\d+\.dbtmp|marker\..+|lost\+found)$`)

// folderFS is the file system that Pebble sees.
type folderFS struct {
	vfs.FS
	chmod func(name string, mode fs.FileMode) error
}

// newFolderFS returns base for Pebble's use; nil means the operating system's.
func newFolderFS(base vfs.FS) vfs.FS {
	if base != nil {
		return folderFS{base, func(string, fs.FileMode) error { return nil }}
	}
	return folderFS{vfs.Default, os.Chmod}
}

// Unwrap is for vfs.Root.
func (f folderFS) Unwrap() vfs.FS { return f.FS }

// MkdirAll creates a folder that only its owner may enter.
func (f folderFS) MkdirAll(dir string, _ fs.FileMode) error {
	return f.FS.MkdirAll(dir, folderMode)
}

// Create creates a file that only its owner may read. It is still empty when
// its mode is set.
func (f folderFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.beforeMarker(name); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, category)
	return f.private(name, file, err)
}

// Remove removes a file.
func (f folderFS) Remove(name string) error {
	if err := f.beforeMarker(name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// beforeMarker brings the folder to disk before one of Pebble's markers is made or removed. A
// marker says by its name which file is in use. Pebble makes the file, then the marker, then
// removes the old marker, and only then syncs the folder. If a file system brought these to disk
// in another order, a power failure would leave a marker without its file, or none.
func (f folderFS) beforeMarker(name string) error {
	if !strings.HasPrefix(f.PathBase(name), "marker.") {
		return nil
	}
	dir, err := f.OpenDir(f.PathDir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// OpenReadWrite is like Create, for a file that may exist.
func (f folderFS) OpenReadWrite(
	name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, category, opts...)
	return f.private(name, file, err)
}

// ReuseForWrite is like Create, for a file that replaces an old one.
func (f folderFS) ReuseForWrite(
	oldname, newname string, category vfs.DiskWriteCategory,
) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.private(newname, file, err)
}

func (f folderFS) private(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	if err := f.chmod(name, fileMode); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Lock takes the folder's lock, or returns ErrLocked. The file systems have no
// common error for a lock that is held. But if the file cannot be made, the
// error is a *fs.PathError.
func (f folderFS) Lock(name string) (io.Closer, error) {
	lock, err := f.FS.Lock(name)
	var noFile *fs.PathError
	if err != nil && !errors.As(err, &noFile) {
		return nil, fmt.Errorf("%w (%w): stop that one, or choose another folder", ErrLocked, err)
	}
	if errors.Is(err, syscall.EROFS) {
		return nil, fmt.Errorf("the folder is on a file system that can only be read, so nobody can lock it: copy it, and take the copy: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if err := f.chmod(name, fileMode); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}
