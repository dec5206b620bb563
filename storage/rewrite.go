package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Rewrite rewrites the files that hold the partition. When it returns, nothing that was
// deleted or replaced in the partition before the call is in any file of the folder. It
// takes about as long as reading and writing the partition once. A loop that reads for
// long, and a checkpoint, keep old files: Rewrite waits for them. The errors are ErrClosed, ctx's and the
// store's.
func (p *Partition) Rewrite(ctx context.Context) error { return p.store.rewrite(ctx, p.keys.all()) }

// Rewrite rewrites all files, as [Partition.Rewrite] does those of one partition. After a
// partition was dropped, nothing of it is in any file.
func (s *Store) Rewrite(ctx context.Context) error { return s.rewrite(ctx, everything) }

func (s *Store) rewrite(ctx context.Context, in span) error {
	release, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := s.backend.rewrite(ctx, in); err != nil {
		return fmt.Errorf("storage: rewriting the files: %w", err)
	}
	return nil
}

// rewrites is how often rewrite compacts at most. Twice is enough while nobody else
// compacts.
const rewrites = 5

// rewrite lets Pebble forget what it keeps of deleted values and their keys:
//
//   - Its log holds every write. A log is deleted once it is in tables, and its file is
//     not used again (noRecycling).
//   - A table holds what was deleted later, and a deletion holds its key. A compaction of
//     all levels drops both, but for a table that has nothing below it: Pebble moves that
//     one down as it is. A mark between its keys makes the next compaction rewrite it.
//   - The manifest holds the first and the last key of every table there was, until a new
//     one begins with those of now.
func (p *pebbleBackend) rewrite(ctx context.Context, in span) error {
	p.rewriting.Lock()
	defer p.rewriting.Unlock()
	old, err := p.files(".sst")
	if err != nil {
		return err
	}
	marks := [][]byte{in.lower}
	for range rewrites {
		if err := p.mark(marks...); err != nil {
			return err
		}
		before, err := p.tables(in)
		if err != nil {
			return err
		}
		old = slices.AppendSeq(old, maps.Keys(before))
		if err := p.db.Compact(ctx, in.lower, in.upper, false); err != nil {
			return err
		}
		now, err := p.tables(in)
		if err != nil {
			return err
		}
		marks = nil
		for name, table := range now {
			if _, moved := before[name]; moved && table.Properties.NumDeletions > 0 {
				marks = append(marks, between(table))
			}
		}
		if marks == nil {
			break
		}
	}
	if marks != nil {
		return errors.New("the files could not all be rewritten: others write too much; try again")
	}
	logs, err := p.files(".log")
	if err != nil {
		return err
	}
	if err := p.newManifest(ctx, in.lower); err != nil {
		return err
	}
	if err := p.deleted(ctx, append(old, logs...)); err != nil {
		return err
	}
	// A checkpoint may have links to the old files.
	return p.checkpoint.wait(ctx)
}

// mark writes deletions of keys that nothing has, and flushes them with all before them.
func (p *pebbleBackend) mark(keys ...[]byte) error {
	b := p.db.NewBatch()
	for _, key := range keys {
		if err := b.Delete(key, nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	err := errors.Join(b.Commit(pebble.Sync), b.Close())
	if err == nil {
		err = p.db.Flush()
	}
	return err
}

// between returns a key that nothing has, within the bounds of a table. Where all of the
// table is about one key, that key was deleted.
func between(t pebble.SSTableInfo) []byte {
	if first := t.Smallest.UserKey; !bytes.Equal(first, t.Largest.UserKey) {
		return append(bytes.Clone(first), 0)
	}
	return t.Smallest.UserKey
}

// tables returns the tables that have keys in a span, by the names of their files.
func (p *pebbleBackend) tables(in span) (map[string]pebble.SSTableInfo, error) {
	levels, err := p.db.SSTables(pebble.WithProperties(), pebble.WithKeyRangeFilter(in.lower, in.upper))
	if err != nil {
		return nil, err
	}
	tables := make(map[string]pebble.SSTableInfo)
	for _, level := range levels {
		for _, t := range level {
			tables[fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum))] = t
		}
	}
	return tables, nil
}

// files returns the names of the folder's files that contain a text.
func (p *pebbleBackend) files(containing string) ([]string, error) {
	names, err := p.fs.List(p.dir)
	return slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, containing) }), err
}

// newManifest makes Pebble begin a new manifest, and deletes those before. Pebble begins one
// as soon as more tables came and went than there are (Options.MaxManifestFileSize).
func (p *pebbleBackend) newManifest(ctx context.Context, mark []byte) error {
	old, err := p.files("MANIFEST-")
	if err != nil {
		return err
	}
	first, err := pebble.Peek(p.dir, p.fs)
	if err != nil {
		return err
	}
	now := first
	for now.ManifestFilename == first.ManifestFilename {
		if err := errors.Join(ctx.Err(), p.mark(mark)); err != nil {
			return err
		}
		if now, err = pebble.Peek(p.dir, p.fs); err != nil {
			return err
		}
	}
	p.manifests.Lock() // Pebble reads one for a checkpoint after a newer one has begun
	defer p.manifests.Unlock()
	for _, name := range old {
		if name == p.fs.PathBase(now.ManifestFilename) || strings.HasPrefix(name, "marker.") {
			continue
		}
		if err := p.fs.Remove(p.fs.PathJoin(p.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// deletedPoll is how often deleted looks.
const deletedPoll = 10 * time.Millisecond

// deleted waits until Pebble has deleted these files, but for tables that are in use.
func (p *pebbleBackend) deleted(ctx context.Context, old []string) error {
	for {
		there, err := p.fs.List(p.dir)
		if err != nil {
			return err
		}
		inUse, err := p.tables(everything)
		if err != nil {
			return err
		}
		left := slices.ContainsFunc(old, func(name string) bool {
			_, used := inUse[name]
			return !used && slices.Contains(there, name)
		})
		if !left {
			return nil
		}
		select {
		case <-time.After(deletedPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
