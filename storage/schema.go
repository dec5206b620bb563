package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The meta records: a name in the key, one big-endian uint64 as the value.
const (
	metaSchema   = "schema"   // the version of keys and values, from 1
	metaSequence = "sequence" // of the last applied change, in every batch
)

// A migration rewrites the records of one schema version for the next one. It
// reads from db and writes to batch, which is then committed, synced, together
// with the new version: a crash leaves the one version or the other.
type migration func(db *pebble.DB, batch *pebble.Batch) error

// migrations holds the steps from schema 1 on: the first leads from 1 to 2.
// Entries are only ever appended.
var migrations = []migration{beginLog}

// prepareSchema makes a new store ours, migrates an older one, and refuses any
// other: ErrForeign, ErrNewerSchema.
func prepareSchema(db *pebble.DB, steps []migration) error {
	current := uint64(len(steps)) + 1
	version, err := meta(db, metaSchema)
	if errors.Is(err, ErrNotFound) {
		return initSchema(db, current)
	}
	if err != nil {
		return err
	}
	if version > current {
		return fmt.Errorf("%w: its schema is %d and this release knows up to %d; "+
			"run the newer release, or restore a backup made before it", ErrNewerSchema, version, current)
	}
	if version < 1 {
		return corrupt(kindMeta)
	}
	for ; version < current; version++ {
		if err := migrate(db, steps[version-1], version+1); err != nil {
			return fmt.Errorf("storage: migrating from schema %d to %d: %w", version, version+1, err)
		}
	}
	return nil
}

// initSchema writes the schema version into a store that holds nothing. A
// crash between Pebble's creation of the folder and this write leaves an empty
// store, so an empty one is new; one that holds anything is somebody else's.
func initSchema(db *pebble.DB, version uint64) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return readError(kindMeta, err)
	}
	occupied := it.First()
	if err := it.Close(); err != nil {
		return readError(kindMeta, err)
	}
	if occupied {
		return ErrForeign
	}
	return migrate(db, func(_ *pebble.DB, batch *pebble.Batch) error {
		return setMeta(batch, metaSequence, 0)
	}, version)
}

// migrate commits one step and the version that it leads to.
func migrate(db *pebble.DB, step migration, version uint64) error {
	batch := db.NewBatch()
	err := step(db, batch)
	if err == nil {
		err = setMeta(batch, metaSchema, version)
	}
	if err == nil {
		err = batch.Commit(pebble.Sync)
	}
	return errors.Join(err, batch.Close())
}

// meta returns a meta record, or ErrNotFound.
func meta(r pebble.Reader, name string) (uint64, error) {
	return get(r, decodeMeta, kindMeta, name)
}

func decodeMeta(_, value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, corrupt(kindMeta)
	}
	return binary.BigEndian.Uint64(value), nil
}

func setMeta(batch *pebble.Batch, name string, value uint64) error {
	w := writer{batch: batch}
	return w.set(binary.BigEndian.AppendUint64(nil, value), kindMeta, name)
}
