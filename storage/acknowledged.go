package storage

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// acknowledgedFile lies beside Pebble's files and says how many changes were
// acknowledged. Pebble holds the same number, in the batch of every commit. If
// Pebble's number is smaller than the file's, its log has lost its end. Pebble
// alone cannot see that: to it, the log just ends there.
//
// The file is written without a sync, after a commit is on disk. So after a
// power failure its number may be too small, but never too large.
const acknowledgedFile = "acknowledged"

// acknowledgedSize is the size of the file in bytes: the number in decimal
// digits and its checksum, in one line that a person can read.
const acknowledgedSize = 20 + 1 + 8 + 1

func acknowledgedLine(n uint64) string {
	digits := fmt.Sprintf("%020d", n)
	return fmt.Sprintf("%s %08x\n", digits, crc32.ChecksumIEEE([]byte(digits)))
}

// acknowledged is the open file. It is safe for concurrent use.
type acknowledged struct {
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	file    vfs.File
	written uint64
	failed  bool // the last write failed: this is logged only once
}

// checkAcknowledged compares the file with the number of changes in the store. It returns what is missing; nil:
// nothing, or nobody can tell.
func (in *inspection) checkAcknowledged(number uint64) (lost, err error) {
	said, err := saidAcknowledged(in.fs, in.dir)
	switch {
	case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF)) && number == 0: // a new store
		return nil, nil
	case err != nil:
		in.opts.Logger.Warn("the file that counts acknowledged changes cannot be read: nobody can tell whether some are missing",
			"file", acknowledgedFile, "error", err)
		return in.uncounted(number)
	case said > number:
		return errors.New(missing(number+1, said)), nil
	}
	return nil, nil
}

// uncounted returns what may be missing when nothing counts the changes: if the newest log
// ends in damage, some may have been behind it.
func (in *inspection) uncounted(number uint64) (lost, err error) {
	logs, err := wal.Scan(wal.Dir{FS: in.fs, Dirname: in.dir})
	if err != nil || len(logs) == 0 {
		return nil, err
	}
	damage, damaged, err := findDamage(logs[len(logs)-1])
	if err != nil || !damaged || damage.onlyShort && damage.at > 0 {
		return nil, err
	}
	return fmt.Errorf("changes after number %d may be missing (the file %q, which would say so, is damaged or missing too)", number, acknowledgedFile), nil
}

// refuseRemains returns ErrCorrupt for a folder that Pebble takes for a new
// one although changes were acknowledged in it. Pebble would delete the tables
// that are left.
func refuseRemains(fsys vfs.FS, dir string) error {
	said, err := saidAcknowledged(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && said == 0 {
		return nil
	}
	return fmt.Errorf("%w: the folder has lost the files by which Pebble finds the others (marker.manifest.*), "+
		"but changes were acknowledged in it; restore a backup", ErrCorrupt)
}

// saidAcknowledged returns what the file in dir says.
func saidAcknowledged(fsys vfs.FS, dir string) (n uint64, err error) {
	file, err := fsys.Open(fsys.PathJoin(dir, acknowledgedFile))
	if err != nil { // wrapped, so that a log does not print the stack that this error holds
		return 0, fmt.Errorf("opening it: %w", err)
	}
	n, err = readAcknowledged(file)
	return n, errors.Join(err, file.Close())
}

// openAcknowledged opens the file in dir, or creates it, and writes number
// into it: so many changes are on disk.
func openAcknowledged(fsys vfs.FS, dir string, number uint64, log *slog.Logger) (*acknowledged, error) {
	file, err := fsys.OpenReadWrite(fsys.PathJoin(dir, acknowledgedFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("storage: opening the file that counts the changes: %w", err)
	}
	if _, err = file.WriteAt([]byte(acknowledgedLine(number)), 0); err == nil {
		err = file.Sync() // so that a later write in place changes one sector, and no length
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: writing the file that counts the changes: %w", err), file.Close())
	}
	return &acknowledged{log: log, file: file, written: number}, nil
}

func readAcknowledged(file vfs.File) (n uint64, err error) {
	line := make([]byte, acknowledgedSize)
	if _, err := file.ReadAt(line, 0); err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(string(line), "%d", &n); err != nil || acknowledgedLine(n) != string(line) {
		return 0, errors.New("it is not what was written")
	}
	return n, nil
}

func missing(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("change %d was acknowledged and is missing", first)
	}
	return fmt.Sprintf("changes %d to %d were acknowledged and are missing", first, last)
}

// raise writes that the changes up to number are on disk. A write that fails
// is only logged: the changes are safe, but a later loss of them would not be
// noticed.
func (a *acknowledged) raise(number uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if number <= a.written {
		return
	}
	_, err := a.file.WriteAt([]byte(acknowledgedLine(number)), 0)
	if err != nil && !a.failed {
		a.log.Error("the file that counts the changes cannot be written", "file", acknowledgedFile, "error", err)
	}
	a.failed = err != nil
	if err == nil {
		a.written = number
	}
}

// number returns what was written last.
func (a *acknowledged) number() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.written
}

func (a *acknowledged) close() error { return a.file.Close() }
