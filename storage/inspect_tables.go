package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// checkTables compares the ends of each table with those that the manifest gives it: a table
// may lie in another one's place. It returns the tables' files, and how many changes
// are in tables. A table that cannot be read is passed over: whoever needs it learns that
// from Pebble, and others go on.
func (in *inspection) checkTables(db *pebble.DB) (files map[string]bool, inTables uint64, err error) {
	levels, err := db.SSTables()
	if err != nil {
		return nil, 0, fmt.Errorf("storage: listing the tables: %w", err)
	}
	files = make(map[string]bool)
	for _, level := range levels {
		for _, info := range level {
			name := info.BackingSSTNum.String() + ".sst"
			files[name] = true
			t, err := in.readTable(name)
			if pebble.IsCorruptionError(err) {
				continue
			}
			if err != nil {
				return nil, 0, fmt.Errorf("storage: reading %s: %w", name, err)
			}
			if !info.Virtual && !t.spans && (t.first != info.Smallest.String() || t.last != info.Largest.String()) {
				return nil, 0, fmt.Errorf("%w: the file %s holds another table than the one that %s names; restore a backup",
					ErrCorrupt, name, in.manifest)
			}
			inTables = max(inTables, t.number)
		}
	}
	return files, inTables, nil
}

// unnamedTables returns tables with later changes than those that the manifest names.
func (in *inspection) unnamedTables(named map[string]bool, inTables uint64) (files []string) {
	names, _ := in.fs.List(in.dir)
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") || named[name] {
			continue
		}
		if t, err := in.readTable(name); err == nil && t.number > inTables {
			files = append(files, name)
		}
	}
	return files
}

// tableEnds is what a table says of itself.
type tableEnds struct {
	first, last string // its first and last key, with their numbers in Pebble's history
	spans       bool   // it deletes ranges, which reach beyond its keys
	number      uint64 // how many changes there were when it was written; 0: it does not say
}

func (in *inspection) readTable(name string) (t tableEnds, err error) {
	file, err := in.fs.Open(in.fs.PathJoin(in.dir, name))
	if err != nil {
		return t, err
	}
	source, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return t, errors.Join(err, file.Close())
	}
	r, err := sstable.NewReader(context.Background(), source, sstable.ReaderOptions{})
	if err != nil {
		return t, errors.Join(err, source.Close())
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	deletes, err := r.NewRawRangeDelIter(context.Background(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil {
		return t, err
	}
	if t.spans = deletes != nil; t.spans {
		deletes.Close()
	}
	points, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, points.Close()) }()
	for kv := points.First(); kv != nil; kv = points.Next() {
		if t.first == "" {
			t.first = kv.K.String()
		}
		if key := string(kv.K.UserKey); key > metaNumber {
			break
		} else if key == metaNumber && t.number == 0 {
			value, _, err := kv.Value(nil)
			if err != nil {
				return t, err
			}
			t.number, _ = readBigEndian(value)
		}
	}
	if kv := points.Last(); kv != nil {
		t.last = kv.K.String()
	}
	return t, points.Error()
}
