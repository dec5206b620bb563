package storage

import (
	"errors"
	"fmt"
)

var (
	// ErrConflict is returned by [Partition.Commit] when the newest change is
	// not the one that the caller has seen. Nothing was stored: read
	// [Partition.Changes], decide anew, and commit again. The methods that write to the
	// journal return it when two of them run at the same time.
	ErrConflict = errors.New("storage: somebody else committed first")

	// ErrReadOnly is returned by [Partition.Commit] while the disk is nearly
	// full; changes that only delete are still accepted when others are not,
	// until there is hardly any space left. Nothing was stored, and reads go
	// on. The same changes can be committed again once there is space.
	ErrReadOnly = errors.New("storage: read-only: the disk is nearly full")

	// ErrTrimmed is returned by [Partition.Changes] when the log does not
	// reach back so far, or when its newest change is older than the given
	// number: [Partition.Load] everything again. [Partition.Lines] returns it for the
	// journal.
	ErrTrimmed = errors.New("storage: what comes after this number is not there")

	// ErrInvalidID is returned for an id, or a model's name, that is not 1 to
	// [MaxIDBytes] bytes long, and for a [Ref] that names no record. Nothing was
	// stored.
	ErrInvalidID = errors.New("storage: invalid id")

	// ErrCorrupt is returned for a record, a line of the log, or a part of a
	// file that is not what was written. Restore a backup.
	ErrCorrupt = errors.New("storage: corrupt")

	// ErrClosed is returned by the methods of a [Store] that was closed, and of
	// its partitions.
	ErrClosed = errors.New("storage: closed")

	// ErrLocked is returned by [Open] when the folder is already open, in
	// another process or in this one.
	ErrLocked = errors.New("storage: folder is in use by another process")

	// ErrForeign is returned by [Open] for a folder that holds a Pebble store
	// of some other program, or other files and no store. Nothing was changed.
	ErrForeign = errors.New("storage: folder holds the files of another program")

	// ErrOldSchema is returned by [Open] for a folder of an older release, which
	// this one does not read. Start with an empty folder and enrol again.
	ErrOldSchema = errors.New("storage: folder was written by an older release")

	// ErrNewerSchema is returned by [Open] for a folder that a newer release
	// wrote to. Run that release, or restore a backup made before it.
	ErrNewerSchema = errors.New("storage: folder was written by a newer release")

	// ErrSealKey is returned by [Open] for a folder that is sealed with another key than
	// the one given, or with a key where none is given, or not sealed where one is. Nothing
	// was changed.
	ErrSealKey = errors.New("storage: folder cannot be opened with this key")

	// ErrUnfinished is returned by [Open] for a folder that a [Copy] or a [Fill] has
	// not finished. Run it again.
	ErrUnfinished = errors.New("storage: folder is unfinished")

	// ErrOccupied is returned by [Copy] when the target is neither new nor an
	// unfinished copy, and by [Fill] when the folder is not empty. Nothing was
	// changed.
	ErrOccupied = errors.New("storage: folder is not empty")

	// ErrCheckpoint is returned by [Store.Checkpoint] while there is another one.
	ErrCheckpoint = errors.New("storage: another backup is being made")

	// ErrLost is returned by [Open] when acknowledged changes are missing.
	// Restore a backup, or go on with what is left: [Options.AcceptLoss].
	ErrLost = errors.New("storage: acknowledged changes are missing")
)

// A TrimmedError is an ErrTrimmed that says where the log or the journal begins.
type TrimmedError struct {
	After uint64 // it can be read after this number
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("%v: all up to %d was trimmed", ErrTrimmed, e.After)
}

// Unwrap returns ErrTrimmed.
func (e *TrimmedError) Unwrap() error { return ErrTrimmed }

// corrupt returns ErrCorrupt for a record of kind k. The content of the record
// is personal data and stays out of the message.
func corrupt(k Kind) error {
	return fmt.Errorf("%w: %s record does not parse; restore a backup", ErrCorrupt, k)
}
