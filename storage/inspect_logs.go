package storage

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/wal"
)

// checkLogs returns what is missing between the changes in tables and those in Pebble's
// logs, or between two logs; nil: nothing. Each commit says in the log how many changes
// there were before it. Where damage begins, Pebble stops reading; so does this.
func (in *inspection) checkLogs(inTables uint64) (lost, err error) {
	logs, err := wal.Scan(wal.Dir{FS: in.fs, Dirname: in.dir})
	if err != nil {
		return nil, fmt.Errorf("storage: looking for Pebble's logs: %w", err)
	}
	have := inTables
	for _, log := range logs {
		r := log.OpenForRead()
		for {
			rec, _, err := r.NextRecord()
			if err != nil {
				break
			}
			batch, err := io.ReadAll(rec)
			if err != nil {
				break
			}
			before, last := numbersOf(batch)
			if before > have {
				return errors.New(missing(have+1, before)), r.Close()
			}
			have = max(have, last)
		}
		if err := r.Close(); err != nil {
			return nil, fmt.Errorf("storage: reading Pebble's log: %w", err)
		}
	}
	return nil, nil
}

// numbersOf returns how many changes there were before a batch of the log and after it; 0:
// the batch holds no changes.
func numbersOf(batch []byte) (before, last uint64) {
	r := batchrepr.Read(batch)
	for {
		kind, key, value, ok, err := r.Next()
		if !ok || err != nil {
			return before, last
		}
		switch {
		case kind == pebble.InternalKeyKindLogData:
			before, _ = readBigEndian(key)
		case kind == pebble.InternalKeyKindSet && string(key) == metaNumber:
			last, _ = readBigEndian(value)
		}
	}
}
