package storage

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// salvage takes the newest damaged log of Pebble, cuts it off where the damage
// begins, and removes the logs after it. So what is left is a history without
// gaps. It reports false when it finds no damage.
//
// It begins with the newest log, because Pebble may not need an old one any
// more, and then its damage costs nothing: the caller tries to open the store
// again after each cut.
func salvage(fsys vfs.FS, dir string) (cut bool, err error) {
	logs, err := wal.Scan(wal.Dir{FS: fsys, Dirname: dir})
	if err != nil {
		return false, fmt.Errorf("storage: looking for Pebble's logs: %w", err)
	}
	for i, log := range slices.Backward(logs) {
		damage, damaged, err := findDamage(log)
		if err != nil {
			return false, err
		}
		// The newest log may end anywhere: nobody waited for what is missing there.
		if !damaged || i == len(logs)-1 && damage.onlyShort {
			continue
		}
		// The later logs go first, the newest of them at once: where this is
		// interrupted, the damage is still there to be found, and no log follows a gap.
		for _, later := range slices.Backward(logs[i+1:]) {
			for j := range later.NumSegments() {
				_, name := later.SegmentLocation(j)
				if err := fsys.Remove(name); err != nil {
					return false, fmt.Errorf("storage: removing a log after a damaged one: %w", err)
				}
			}
		}
		if err := syncFolder(fsys, dir); err != nil {
			return false, err
		}
		if err := cutFile(fsys, damage.file, damage.at); err != nil {
			return false, fmt.Errorf("storage: cutting a damaged log: %w", err)
		}
		return true, syncFolder(fsys, dir)
	}
	return false, nil
}

// damage is where a log stops being readable.
type damage struct {
	file      string
	at        int64 // how many bytes before it are good
	onlyShort bool  // the file ends in the middle of a record
}

// findDamage reads a log and returns its first damage, if any.
func findDamage(log wal.LogicalLog) (d damage, damaged bool, err error) {
	r := log.OpenForRead()
	for {
		rec, at, err := r.NextRecord()
		if err == nil {
			err = readBatch(rec)
		}
		if err == nil {
			continue
		}
		d = damage{at.PhysicalFile, at.Physical, errors.Is(err, record.ErrUnexpectedEOF)}
		return d, !errors.Is(err, io.EOF), r.Close()
	}
}

// readBatch reads a record of the log, which is a batch of changes.
func readBatch(rec io.Reader) error {
	batch, err := io.ReadAll(rec)
	if err != nil {
		return err
	}
	r := batchrepr.Read(batch)
	for ok := true; ok && err == nil; {
		_, _, _, ok, err = r.Next()
	}
	return err
}

// cutFile cuts a file down to its first bytes: they are on disk under another name
// before that takes the file's place.
func cutFile(fsys vfs.FS, name string, bytes int64) error {
	file, err := fsys.Open(name)
	if err != nil {
		return err
	}
	content := make([]byte, bytes)
	_, err = io.ReadFull(file, content)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	part := name + ".cut"
	if file, err = fsys.Create(part, vfs.WriteCategoryUnspecified); err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = fsys.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(part))
	}
	return nil
}

// syncFolder brings names that were removed or changed to disk.
func syncFolder(fsys vfs.FS, dir string) error {
	folder, err := fsys.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("storage: opening the folder: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("storage: bringing the folder to disk: %w", err)
	}
	return nil
}
