package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleBackend keeps everything in one Pebble store: the partitions' keys lie
// one after another.
type pebbleBackend struct {
	db           *pebble.DB
	log          pebbleLogger
	dir          string
	fs           vfs.FS
	space        *spaceGuard
	acknowledged *acknowledged
	server       uint64

	checkpoint oneCheckpoint
	manifests  sync.Mutex // held while Pebble makes a checkpoint, and while manifests are deleted

	// mu lets one commit at a time compare its head, take its numbers and
	// enter Pebble's log. Nobody waits for the disk while holding it.
	mu     sync.Mutex
	number uint64 // guarded by mu: how many changes were ever committed, in all partitions

	rewriting sync.Mutex // one rewrite at a time
}

func (p *pebbleBackend) get(key []byte) ([]byte, error) { return get(p.db, key) }

// get returns a copy of the value under key; nil: there is none.
func get(db *pebble.DB, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	value = bytes.Clone(value)
	if err := closer.Close(); err != nil {
		return nil, readError(err)
	}
	return value, nil
}

func (p *pebbleBackend) scan(ctx context.Context, spans ...span) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		if err := p.walk(ctx, spans, yield); err != nil {
			yield(pair{}, err)
		}
	}
}

func (p *pebbleBackend) walk(ctx context.Context, spans []span, yield func(pair, error) bool) error {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return readError(err)
	}
	// Close returns the same error as Error below, and nothing more.
	defer func() { _ = it.Close() }()
	for _, s := range spans {
		it.SetBounds(s.lower, s.upper)
		for valid := it.First(); valid; valid = it.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			value, err := it.ValueAndErr()
			if err != nil {
				return readError(err)
			}
			if !yield(pair{it.Key(), value}, nil) {
				return nil
			}
		}
		if err := it.Error(); err != nil {
			return readError(err)
		}
	}
	return nil
}

// readError marks damage that Pebble's checksums found as the same ErrCorrupt
// as our own.
func readError(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w; restore a backup", ErrCorrupt, namingFile(err))
	}
	return fmt.Errorf("storage: reading: %w", err)
}

// namingFile returns Pebble's error about a damaged file, with the name of the file.
func namingFile(err error) error {
	info := pebble.ExtractDataCorruptionInfo(err)
	if info == nil {
		return err
	}
	what, _, _ := strings.Cut(info.Details.Error(), "\n")
	return fmt.Errorf("the file %s is damaged: %s", filepath.Base(info.Path), what)
}

func (p *pebbleBackend) writable() error { return p.space.check(false) }

// commit brings the batch to disk. Commits that wait at the same time share
// one fsync. If the disk fails, the process ends: after a failed fsync nobody
// knows what is on the disk, so no answer from this process could be trusted.
func (p *pebbleBackend) commit(b *batch) error {
	if err := p.space.check(b.deletes); err != nil {
		return err
	}
	pb := p.db.NewBatch()
	for _, s := range b.drops {
		if err := pb.DeleteRange(s.lower, s.upper, nil); err != nil {
			return errors.Join(fmt.Errorf("storage: preparing a commit: %w", err), pb.Close())
		}
	}
	for _, w := range b.writes {
		var err error
		if w.value == nil {
			err = pb.Delete(w.key, nil)
		} else {
			err = pb.Set(w.key, w.value, nil)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("storage: preparing a commit: %w", err), pb.Close())
		}
	}
	number, err := p.submit(pb, b)
	if err != nil {
		return errors.Join(err, pb.Close())
	}
	// Pebble ends the process itself only if it waits for the commit, which it
	// does not here.
	if err := pb.SyncWait(); err != nil {
		p.log.Fatalf("change %d did not reach the disk: %v", number, err)
		return fmt.Errorf("storage: change %d did not reach the disk: %w", number, err)
	}
	if err := pb.Close(); err != nil {
		return fmt.Errorf("storage: releasing a commit: %w", err)
	}
	p.acknowledged.raise(number)
	return nil
}

// submit gives the batch its numbers and gives it to Pebble, which orders it in
// its log without waiting for the disk. It returns the number of the last change.
func (p *pebbleBackend) submit(pb *pebble.Batch, b *batch) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stored, err := get(p.db, b.head.key)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(stored, b.head.value) {
		return 0, ErrConflict
	}
	last := p.number + b.changes
	// The log alone says how many changes there were before: so a gap in it is seen (checkLogs).
	if err := errors.Join(pb.LogData(bigEndian(p.number), nil), pb.Set([]byte(metaNumber), bigEndian(last), nil)); err != nil {
		return 0, fmt.Errorf("storage: preparing a commit: %w", err)
	}
	defer p.stopOnPanic("change %d was not committed", last)
	if err := p.db.ApplyNoSyncWait(pb, pebble.Sync); err != nil {
		return 0, fmt.Errorf("storage: committing: %w", err)
	}
	p.number = last
	return last, nil
}

// stopOnPanic, deferred, ends the process when Pebble panics. Pebble panics
// when its log has failed, and keeps its locks. A server that recovers panics,
// as net/http does, would go on and hang.
func (p *pebbleBackend) stopOnPanic(format string, args ...any) {
	if failure := recover(); failure != nil {
		p.log.Fatalf(format+": %v", append(args, failure)...)
	}
}

// close flushes first, so that nothing is only in Pebble's log and could be
// lost with it. A disk without room for that keeps the log.
func (p *pebbleBackend) close() error {
	var flushed error
	if p.space.check(true) == nil {
		flushed = p.db.Flush()
	}
	if err := errors.Join(flushed, p.db.Close(), p.acknowledged.close()); err != nil {
		return fmt.Errorf("storage: closing: %w", err)
	}
	return nil
}
