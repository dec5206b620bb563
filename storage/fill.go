package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// unfilledFolder lies in a folder that [Fill] has not finished, and holds the files that are to be
// moved into it. It is the last thing that Fill removes.
const unfilledFolder = "unfinished"

// lockFile is the name of Pebble's lock.
const lockFile = "LOCK"

// Fill makes the folder of a store out of files: it calls fill with an empty folder, and
// moves what that leaves there into dir, which must be empty or missing, else the error is
// ErrOccupied. Fill must bring the content of its files to disk. Until Fill returns nil,
// [Open] refuses dir with ErrUnfinished. If fill fails, dir is as it was; after a crash,
// Fill can be called again.
func Fill(dir string, fill func(dir string) error) (err error) {
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("storage: making the folder: %w", err)
	}
	fsys := newFolderFS(nil)
	lock, err := fsys.Lock(filepath.Join(dir, lockFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := checkUnfilled(dir); err != nil {
		return err
	}
	part := filepath.Join(dir, unfilledFolder)
	if err := os.RemoveAll(part); err != nil { // what a crash has left
		return fmt.Errorf("storage: removing an unfinished folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part), os.Remove(filepath.Join(dir, lockFile)))
			if errors.Is(missing, fs.ErrNotExist) {
				err = errors.Join(err, os.Remove(dir))
			}
		}
	}()
	if err := os.Mkdir(part, folderMode); err != nil {
		return fmt.Errorf("storage: making the folder: %w", err)
	}
	if err := fill(part); err != nil {
		return err
	}
	return moveFilled(fsys, part, dir)
}

// checkUnfilled returns ErrOccupied for a folder with anything in it but what an interrupted
// Fill has left.
func checkUnfilled(dir string) error {
	names, err := vfs.Default.List(dir)
	if err != nil {
		return fmt.Errorf("storage: looking into the folder: %w", err)
	}
	left := slices.Contains(names, unfilledFolder)
	for _, name := range names {
		switch {
		case name == unfilledFolder || name == lockFile || name == "lost+found":
		case left:
			return fmt.Errorf("%w: files were being moved into it; remove what is in it, and start again", ErrUnfinished)
		default:
			return fmt.Errorf("%w: it has %q; choose a new folder", ErrOccupied, name)
		}
	}
	return nil
}

// moveFilled makes the files of part those of dir.
func moveFilled(fsys vfs.FS, part, dir string) error {
	names, err := fsys.List(part)
	if err != nil {
		return fmt.Errorf("storage: looking into the folder: %w", err)
	}
	var moved []string
	for _, name := range names {
		if name == lockFile {
			continue // dir has its own
		}
		if err := os.Rename(filepath.Join(part, name), filepath.Join(dir, name)); err != nil {
			err = fmt.Errorf("storage: moving a file into the folder: %w", err)
			for _, name := range moved {
				err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
			}
			return err
		}
		moved = append(moved, name)
	}
	if err := syncFolder(fsys, dir); err != nil {
		return err
	}
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("storage: finishing the folder: %w", err)
	}
	return syncFolder(fsys, dir)
}

// refuseUnfilled returns ErrUnfinished for a folder that Fill has not finished.
func refuseUnfilled(fsys vfs.FS, dir string) error {
	if _, err := fsys.Stat(fsys.PathJoin(dir, unfilledFolder)); err == nil {
		return fmt.Errorf("%w: a restore was interrupted: run it again", ErrUnfinished)
	}
	return nil
}
