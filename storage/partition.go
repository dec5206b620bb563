package storage

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// ServerPartition is the partition of the server itself: its galleries and
// tokens. No gallery's id collides with it, as those have no control
// characters.
const ServerPartition = "\x00server"

// trimAtOnce is how many lines of the log a commit trims at most for each
// change that it adds. So the log shrinks, and no commit waits long for that.
const trimAtOnce = 4

// Partition is where one gallery lies: its records, the number of its newest
// change, and its log of changes. It is a light handle, safe for concurrent
// use, and valid until the store is closed.
//
// A read sees every commit that returned before the read began. It may also
// see a commit that is still under way; if that commit does not reach the
// disk, the process ends.
type Partition struct {
	store *Store
	keys  keys
}

// Sequence returns the number of the newest change; 0: nothing was ever
// committed.
func (p *Partition) Sequence(ctx context.Context) (uint64, error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	head, _, err := p.head()
	return head.GetSequence(), err
}

// head returns where the log begins and ends, decoded and as it is stored; nil:
// nothing was ever committed.
func (p *Partition) head() (*storagev1.Head, []byte, error) {
	value, err := p.store.backend.get(p.keys.head())
	if err != nil {
		return nil, nil, err
	}
	head, err := p.decodeHead(value)
	return head, value, err
}

func (p *Partition) decodeHead(value []byte) (*storagev1.Head, error) {
	head := &storagev1.Head{Chain: chainStart(p.keys), TrimmedChain: chainStart(p.keys)}
	if value == nil {
		return head, nil
	}
	if proto.Unmarshal(value, head) != nil || head.Sequence == 0 || head.Trimmed > head.Sequence {
		return nil, errLine
	}
	return head, nil
}

// Load yields every record in one consistent view, taken when the loop begins.
// The order is settings, models, students, crops, embeddings, galleries and
// tokens, and within a kind by the bytes of the ids. The vector of an embedding is
// valid only until the next step: copy what you keep. The rest of a record belongs to the
// caller.
//
// An error is the last step. The loop holds the store open. Close waits for
// it, so do not call Close inside the loop.
func (p *Partition) Load(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		release, err := p.store.acquire(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer release()
		d := decoder{keys: p.keys}
		for pair, err := range p.store.backend.scan(ctx, p.keys.records()) {
			var r Record
			if err == nil {
				r, err = d.pair(pair)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Changes yields the changes after the one with this number, in order and
// without a gap, as they are when the loop begins. There are none after the
// newest change. The error is a [*TrimmedError] if the log does not reach back
// so far, and ErrTrimmed if there is no change with this number. Each change
// is verified against the log's chain of hashes when it is read; a break in
// the chain is ErrCorrupt.
//
// An error is the last step. The loop holds the store open, like that of
// [Partition.Load].
func (p *Partition) Changes(ctx context.Context, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		release, err := p.store.acquire(ctx)
		if err != nil {
			yield(Change{}, err)
			return
		}
		defer release()
		if err := p.changes(ctx, after, yield); err != nil {
			yield(Change{}, err)
		}
	}
}

// changes yields the lines of the log. Head and lines are read in one view.
// The view begins with the line that has the number after, because the chain
// goes on from there.
func (p *Partition) changes(ctx context.Context, after uint64, yield func(Change, error) bool) error {
	spans := []span{p.keys.headOnly(), p.keys.linesFrom(max(after, 1))}
	var head *storagev1.Head
	var last []byte // the chain of the line before next
	next := after + 1
	for pair, err := range p.store.backend.scan(ctx, spans...) {
		if err != nil {
			return err
		}
		if head == nil {
			if head, err = p.decodeHead(pair.value); err != nil {
				return err
			}
			if after < head.Trimmed {
				return &TrimmedError{head.Trimmed}
			}
			if after > head.Sequence {
				return ErrTrimmed
			}
			if after == head.Trimmed {
				last = head.TrimmedChain
			}
			continue
		}
		sequence, ok := p.keys.sequence(pair.key)
		if ok && sequence == after {
			last, _, err = lineEnd(pair.value)
			if err != nil {
				return err
			}
			continue
		}
		if !ok || sequence != next {
			return errLine
		}
		var c Change
		if c, last, err = decodeLine(pair.value, sequence, last); err != nil {
			return err
		}
		next++
		if !yield(c, nil) {
			return nil
		}
	}
	if head == nil && after > 0 {
		return ErrTrimmed
	}
	if head != nil && (next != head.Sequence+1 || !bytes.Equal(last, head.Chain)) {
		return errLine
	}
	return nil
}

// Fetch returns the records with these names, in the order of the names. A
// record that is absent was deleted. The error is ErrInvalidID for a name that
// no record can have. The records belong to the caller. If a commit runs at
// the same time, some of the records may be from before it and others from
// after it.
func (p *Partition) Fetch(ctx context.Context, refs ...Ref) ([]Record, error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var records []Record
	for _, ref := range refs {
		key, err := p.keys.record(ref)
		if err != nil {
			return nil, err
		}
		value, err := p.store.backend.get(key)
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		r, err := new(decoder).value(ref, value)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, ctx.Err()
}

// Commit stores all the changes or none, and gives them the numbers after+1,
// after+2, …. They are on disk when it returns. With no changes it does
// nothing.
//
// Nothing is stored when it returns ErrConflict (the newest change is not after),
// ErrReadOnly, ErrInvalidID or ErrClosed. After any other error the caller cannot
// know what is stored, and must Load again. A context that ends while the commit
// is on its way to the disk does not stop it.
func (p *Partition) Commit(ctx context.Context, after uint64, changes []Change) error {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if len(changes) == 0 {
		return nil
	}
	head, stored, err := p.head()
	if err != nil {
		return err
	}
	if head.GetSequence() != after {
		return fmt.Errorf("%w: the newest change is %d, not %d", ErrConflict, head.GetSequence(), after)
	}
	b := &batch{head: pair{p.keys.head(), stored}, changes: uint64(len(changes)), deletes: true}
	if err := p.trim(ctx, b, head, changes[len(changes)-1].Time); err != nil {
		return err
	}
	for _, c := range changes {
		if err := p.add(b, head, c); err != nil {
			return err
		}
	}
	value, err := marshal(kindHead, head)
	if err != nil {
		return err
	}
	b.set(b.head.key, value)
	return p.store.backend.commit(b)
}

// add puts a change and its line of the log into the batch, and moves the head
// on to it.
func (p *Partition) add(b *batch, head *storagev1.Head, c Change) error {
	if c.Drop != "" {
		other, err := keysOf(c.Drop)
		if err != nil {
			return err
		}
		if bytes.Equal(other, p.keys) {
			return fmt.Errorf("%w: a change drops its own partition", ErrInvalidID)
		}
		b.drops = append(b.drops, other.all())
	}
	for _, w := range c.Writes {
		key, err := p.keys.record(w.Ref)
		if err != nil {
			return err
		}
		if !named(w.Put, w.Ref) || !named(w.Before, w.Ref) || w.Ref.Kind == KindEmbedding && w.Before != nil {
			return fmt.Errorf("%w: a write names one %s record and holds another", ErrInvalidID, w.Ref.Kind)
		}
		if w.Put == nil {
			b.delete(key)
			continue
		}
		b.deletes = b.deletes && w.Ref.Kind == KindErasure
		value, err := w.Put.encode()
		if err != nil {
			return err
		}
		b.set(key, value)
	}
	line, last, err := encodeLine(c, head.Sequence+1, head.Chain)
	if err != nil {
		return err
	}
	head.Sequence, head.Chain = head.Sequence+1, last
	b.set(p.keys.line(head.Sequence), line)
	return nil
}

// named reports whether r, where there is one, has this name.
func named(r Record, ref Ref) bool { return r == nil || r.Ref() == ref }

// trim puts the deletion of the oldest lines into the batch, if they are older
// than the settings say at the time of the newest change. It moves the beginning
// of the log in the head.
func (p *Partition) trim(ctx context.Context, b *batch, head *storagev1.Head, newest time.Time) error {
	kept, err := p.kept()
	if err != nil {
		return err
	}
	keep := newest.Add(-days(kept.KeepChanges))
	if !head.Oldest.AsTime().Before(keep) {
		return nil
	}
	limit := head.Trimmed + trimAtOnce*b.changes
	for pair, err := range p.store.backend.scan(ctx, p.keys.linesFrom(head.Trimmed+1)) {
		if err != nil {
			return err
		}
		last, written, err := lineEnd(pair.value)
		if err != nil {
			return err
		}
		head.Oldest = written
		if !written.AsTime().Before(keep) || head.Trimmed == limit {
			return nil
		}
		head.Trimmed, head.TrimmedChain = head.Trimmed+1, last
		b.delete(p.keys.line(head.Trimmed))
	}
	return nil
}
