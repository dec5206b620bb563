package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
)

// copyBytes is how much one commit of Copy holds at least, unless it is the last. A sync
// costs some milliseconds, so that smaller commits would wait mostly for the disk.
const copyBytes = 1 << 20

// Copied is how far a [Copy] is.
type Copied struct {
	Values   int64 // copied by this call
	Bytes    int64 // in their keys and values
	Compared int64 // values compared with the source, after all are copied
}

// Copy makes to a copy of from: every record, log and journal of every partition, the
// number of changes, the number of the server, and the key of its erasures. It reads and writes through the codec
// of each store.
//
// Open the folder of to with [Options.Target]. It must be new, or one where a Copy was
// interrupted. That one goes on where it stopped if from has not changed since, and
// begins anew if it has. Until the copy is complete, [Open] refuses its folder
// with ErrUnfinished.
//
// At the end Copy compares everything with the source and verifies the chains of every
// log and journal. Nobody else may write to either store meanwhile: the error is then
// ErrConflict. It is ErrOccupied if to holds something else, and ErrCorrupt if the source
// is damaged. After any error the same call can be made again.
//
// Progress, if not nil, is called after each commit and now and then while comparing.
func Copy(ctx context.Context, to, from *Store, progress func(Copied)) error {
	releaseTo, err := to.acquire(ctx)
	if err != nil {
		return err
	}
	defer releaseTo()
	releaseFrom, err := from.acquire(ctx)
	if err != nil {
		return err
	}
	defer releaseFrom()
	c := &copying{to: to, from: from, progress: progress}
	if c.mark, err = to.backend.get([]byte(metaCopy)); err != nil {
		return err
	}
	if c.mark == nil {
		if err := to.empty(ctx); err != nil {
			return err
		}
	}
	if c.number, err = from.number(); err != nil {
		return err
	}
	if err := c.values(ctx); err != nil {
		return fmt.Errorf("storage: copying: %w", err)
	}
	if err := c.compare(ctx); err != nil {
		return fmt.Errorf("storage: comparing the copy: %w", err)
	}
	if err := c.chains(ctx); err != nil {
		return fmt.Errorf("storage: verifying the copy: %w", err)
	}
	return c.finish()
}

// copying is a Copy under way.
type copying struct {
	to, from *Store
	progress func(Copied)
	done     Copied

	number uint64 // of changes in the source
	mark   []byte // as stored in the target; nil: not begun
}

// everything is the span of all partitions.
var everything = span{[]byte{keyVersion}, []byte{keyVersion + 1}}

// markOf says in the target which source is copied, and what the last copied key is.
func (c *copying) markOf(last []byte) []byte {
	return append(append(bigEndian(c.from.server), bigEndian(c.number)...), last...)
}

// values copies what is not yet in the target.
func (c *copying) values(ctx context.Context) error {
	rest := everything
	last, goesOn := bytes.CutPrefix(c.mark, c.markOf(nil))
	if goesOn && len(last) > 0 {
		rest.lower = append(bytes.Clone(last), 0) // the next possible key
	}
	b := c.batch()
	if !goesOn {
		b.drops = []span{everything}
		b.set([]byte(metaServer), bigEndian(c.from.server))
		key, err := c.from.erasureKey(ctx)
		if err != nil {
			return err
		}
		b.set([]byte(metaErasures), []byte(key))
	}
	c.to.server = c.from.server
	var held int
	for p, err := range c.from.backend.scan(ctx, rest) {
		if err != nil {
			return err
		}
		if held >= copyBytes {
			if err := c.commit(b, last); err != nil {
				return err
			}
			b, held = c.batch(), 0
		}
		last = bytes.Clone(p.key)
		b.set(last, bytes.Clone(p.value))
		held += len(p.key) + len(p.value)
		c.done.Values++
		c.done.Bytes += int64(len(p.key) + len(p.value))
	}
	return c.commit(b, last)
}

// batch returns one that is refused if somebody else writes to the target.
func (c *copying) batch() *batch { return &batch{head: pair{[]byte(metaCopy), c.mark}} }

func (c *copying) commit(b *batch, last []byte) error {
	mark := c.markOf(last)
	b.set(b.head.key, mark)
	if err := c.to.backend.commit(b); err != nil {
		return err
	}
	c.mark = mark
	c.report()
	return nil
}

func (c *copying) report() {
	if c.progress != nil {
		c.progress(c.done)
	}
}

// comparedAtOnce is after how many compared values progress is reported.
const comparedAtOnce = 4096

// compare reads both stores side by side.
func (c *copying) compare(ctx context.Context) error {
	next, stop := iter.Pull2(c.to.backend.scan(ctx, everything))
	defer stop()
	for want, err := range c.from.backend.scan(ctx, everything) {
		if err != nil {
			return err
		}
		got, err, _ := next()
		if err != nil {
			return err
		}
		if !bytes.Equal(got.key, want.key) || !bytes.Equal(got.value, want.value) {
			return c.differs()
		}
		if c.done.Compared++; c.done.Compared%comparedAtOnce == 0 {
			c.report()
		}
	}
	if _, err, more := next(); more {
		return errors.Join(err, c.differs())
	}
	c.report()
	return nil
}

// differs is why the copy is not the same as the source.
func (c *copying) differs() error {
	number, err := c.from.number()
	if err == nil && number != c.number {
		return fmt.Errorf("%w: the source was written to; try again", ErrConflict)
	}
	return errors.Join(err, fmt.Errorf("%w: the copy differs from its source; check the disk, and copy into a new folder", ErrCorrupt))
}

// chains verifies every log and journal of the target.
func (c *copying) chains(ctx context.Context) error {
	ids, err := c.to.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		p, err := c.to.Partition(id)
		if err != nil {
			return err
		}
		if _, err := p.Verify(ctx); err != nil {
			return fmt.Errorf("partition %q: %w", id, err)
		}
	}
	return nil
}

// finish makes the target a store like any other, which has as many changes as the source.
func (c *copying) finish() error {
	b := c.batch()
	b.delete(b.head.key)
	b.changes = c.number
	if err := c.to.backend.commit(b); err != nil {
		return fmt.Errorf("storage: finishing the copy: %w", err)
	}
	return nil
}

// number returns how many changes were ever committed, with the lines of journals.
func (s *Store) number() (uint64, error) {
	value, err := s.backend.get([]byte(metaNumber))
	if err != nil || value == nil {
		return 0, err
	}
	n, ok := readBigEndian(value)
	if !ok {
		return 0, fmt.Errorf("%w: the number of changes does not parse; restore a backup", ErrCorrupt)
	}
	return n, nil
}

// empty returns ErrOccupied for a store that holds anything, or ever did.
func (s *Store) empty(ctx context.Context) error {
	number, err := s.number()
	if err != nil {
		return err
	}
	id, err := s.firstPartition(ctx, everything)
	if err != nil {
		return err
	}
	if number > 0 || id != "" {
		return fmt.Errorf("%w: copy into a new folder", ErrOccupied)
	}
	return nil
}
