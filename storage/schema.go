package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2"
)

// schema is the version of keys and values that this release reads and writes.
// Earlier versions were never released.
const schema = 6

// The store's own keys hold one big-endian uint64 each. They stay the same for
// ever, because any release must be able to read the schema of any folder.
const (
	metaSchema = "\x01\x00schema\x00\x01" // the version of keys and values
	metaNumber = "\x01\x00number\x00\x01" // how many changes were ever committed, with the lines of journals
	metaServer = "\x01\x00server\x00\x01" // Store.Server
	metaSealed = "\x01\x00sealed\x00\x01" // the fingerprint of the key that wraps the data keys; absent: not sealed
)

// metaErasures holds the [ErasureKey].
const metaErasures = "\x01\x00erasures\x00\x01"

// metaCopy is there while a store is an unfinished [Copy], which knows what it holds.
const metaCopy = "\x01\x00copy\x00\x01"

// checkFinished returns ErrUnfinished for an unfinished copy that is not opened to go on with it.
func checkFinished(db *pebble.DB, opts Options) error {
	mark, err := get(db, []byte(metaCopy))
	if err == nil && mark != nil && !opts.Target {
		err = fmt.Errorf("%w: run the command that makes it again, or remove the folder", ErrUnfinished)
	}
	return err
}

// checkSchema refuses a store that this release does not read: ErrForeign,
// ErrOldSchema, ErrNewerSchema. A crash after Pebble made the folder and
// before initSchema leaves an empty store. So an empty store is new, and a
// store without a schema that holds anything belongs to somebody else.
func checkSchema(db *pebble.DB) error {
	version, found, err := meta(db, metaSchema)
	switch {
	case err != nil:
		return err
	case !found:
		return checkEmpty(db)
	case version > schema:
		return fmt.Errorf("%w: its schema is %d and this release knows up to %d; "+
			"run the newer release, or restore a backup made before it", ErrNewerSchema, version, schema)
	case version < schema:
		return fmt.Errorf("%w: its schema is %d and this release reads %d only; "+
			"start with an empty folder and enrol again", ErrOldSchema, version, schema)
	}
	return nil
}

func checkEmpty(db *pebble.DB) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return readError(err)
	}
	occupied := it.First()
	if err := it.Close(); err != nil {
		return readError(err)
	}
	if occupied {
		return fmt.Errorf("%w: choose another folder", ErrForeign)
	}
	return nil
}

// checkSealKey returns ErrSealKey unless the store is sealed with this key, or not sealed
// and there is no key.
func checkSealKey(db *pebble.DB, key *SealKey) error {
	_, found, err := meta(db, metaSchema)
	if err != nil || !found { // a new store
		return err
	}
	wanted, sealed, err := meta(db, metaSealed)
	switch {
	case err != nil:
		return err
	case sealed && key == nil:
		return fmt.Errorf("%w: the folder is sealed with key %s; give it with --seal-key-file or --seal-key-command", ErrSealKey, keyName(wanted))
	case sealed && key.id != wanted:
		return fmt.Errorf("%w: the folder is sealed with key %s, and the one given is %s", ErrSealKey, keyName(wanted), key)
	case !sealed && key != nil:
		return fmt.Errorf("%w: the folder is not sealed; \"rollcall seal folder\" seals it with key %s", ErrSealKey, key)
	}
	return nil
}

// initSchema writes the schema version, a number for the server, the key of its erasures, and the fingerprint of the
// key, if there is one, into a new store.
// REQUIRES: the store has passed checkSchema, or was just made.
func initSchema(db *pebble.DB, key *SealKey) error {
	if _, found, err := meta(db, metaSchema); err != nil || found {
		return err
	}
	b := db.NewBatch()
	err := errors.Join(b.Set([]byte(metaSchema), bigEndian(schema), nil), b.Set([]byte(metaServer), bigEndian(rand.Uint64()), nil),
		b.Set([]byte(metaErasures), []byte(newErasureKey()), nil))
	if key != nil {
		err = errors.Join(err, b.Set([]byte(metaSealed), bigEndian(key.id), nil))
	}
	err = errors.Join(err, b.Commit(pebble.Sync), b.Close())
	if err != nil {
		return fmt.Errorf("storage: writing the schema: %w", err)
	}
	return nil
}

// meta returns one of the store's own numbers.
func meta(db *pebble.DB, key string) (n uint64, found bool, err error) {
	value, err := get(db, []byte(key))
	if err != nil || value == nil {
		return 0, false, err
	}
	if n, found = readBigEndian(value); !found {
		return 0, false, fmt.Errorf("%w: the store's own record does not parse; restore a backup", ErrCorrupt)
	}
	return n, true, nil
}

func bigEndian(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func readBigEndian(b []byte) (n uint64, ok bool) {
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}
