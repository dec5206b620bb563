package storage

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

var (
	// ErrNotFound is returned for a record that is not stored.
	ErrNotFound = errors.New("storage: not found")

	// ErrInvalidID is returned for an id, or a model's name, that is not 1 to
	// [MaxIDBytes] bytes long. Nothing was written.
	ErrInvalidID = errors.New("storage: invalid id")

	// ErrReadOnly is returned by [Store.Apply] while the disk is nearly full.
	// Nothing was written, reads go on, and the same change can be applied
	// again once there is space.
	ErrReadOnly = errors.New("storage: read-only: the disk is nearly full")

	// ErrCorrupt is returned for a record, or a part of a file, that does not
	// parse. The folder should be restored from a backup.
	ErrCorrupt = errors.New("storage: corrupt")

	// ErrClosed is returned by every method of a [Store] that was closed.
	ErrClosed = errors.New("storage: closed")

	// ErrApplied is returned by [Store.Apply] for a [Change] that was given to
	// it before.
	ErrApplied = errors.New("storage: change was applied before")

	// ErrLocked is returned by [Open] when the folder is already open, in
	// another process or in this one.
	ErrLocked = errors.New("storage: folder is in use by another process")

	// ErrForeign is returned by [Open] for a folder that holds a Pebble store
	// of some other program. The store was not changed.
	ErrForeign = errors.New("storage: folder holds the store of another program")

	// ErrNewerSchema is returned by [Open] for a folder that a newer release
	// wrote to. Run that release, or restore a backup made before it.
	ErrNewerSchema = errors.New("storage: folder was written by a newer release")
)

// corrupt returns ErrCorrupt for a record of kind k. The content of the record
// is personal data and stays out of the message.
func corrupt(k kind) error {
	return fmt.Errorf("%w: %s record does not parse", ErrCorrupt, k)
}

// readError says what was being read when Pebble failed, and marks damage that
// Pebble's checksums found as the same ErrCorrupt as our own.
func readError(k kind, err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: reading %s records: %w", ErrCorrupt, k, err)
	}
	return fmt.Errorf("storage: reading %s records: %w", k, err)
}
