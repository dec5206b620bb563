package storage

import (
	"context"
	"iter"
)

// backend keeps values under keys, both plain bytes. It is safe for concurrent
// use; nothing is called after close.
type backend interface {
	// get returns the value under key, or nil. Nobody may change it.
	get(key []byte) ([]byte, error)

	// scan yields what is in the spans, in the order of the spans, and within
	// a span by the bytes of the keys. It is one consistent view, taken when
	// the loop begins. A pair is valid until the next step. An error is the
	// last step.
	scan(ctx context.Context, spans ...span) iter.Seq2[pair, error]

	// commit stores the batch: all of it or nothing, durable on return. It
	// returns ErrConflict, and stores nothing, if the batch's head is not the
	// stored one; and ErrReadOnly while the disk is nearly full.
	commit(b *batch) error

	// writable returns ErrReadOnly while commit would.
	writable() error

	// rewrite makes sure that nothing that was deleted or replaced in the span before is
	// kept anywhere.
	rewrite(ctx context.Context, in span) error

	close() error
}

// pair is a value under a key.
type pair struct{ key, value []byte }

// batch is what is committed at once.
type batch struct {
	head    pair   // what was under the head's key when the batch was made; no value: nothing
	drops   []span // everything in them is deleted, before the writes
	writes  []pair // in this order; no value: the key is deleted
	changes uint64 // how many changes it holds, or lines of the journal it writes or deletes
	deletes bool   // whether it only deletes or erases
}

func (b *batch) set(key, value []byte) { b.writes = append(b.writes, pair{key, value}) }

func (b *batch) delete(key []byte) { b.writes = append(b.writes, pair{key: key}) }
