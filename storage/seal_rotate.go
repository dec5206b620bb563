package storage

import (
	"context"
	"errors"
	"fmt"
)

// RotateSealKey wraps the data keys of a sealed folder with the key to, in place of
// opts.SealKey. It is one step, of which a crash leaves no half, and seals no other value
// anew. Then it rewrites the files, so that nothing in them is wrapped with the old key.
// It returns how many data keys there are; with an error, more than 0 says that the new key
// opens the folder already. The errors are those of [Open].
//
// What was written before stays as it was: whoever has the old key and an old copy of the
// folder, or a backup, can read that copy.
func RotateSealKey(ctx context.Context, dir string, opts Options, to *SealKey) (wrapped int, err error) {
	if opts.SealKey != nil && opts.SealKey.id == to.id {
		return 0, fmt.Errorf("%w: the new key is the one that it has", ErrSealKey)
	}
	store, err := Open(dir, opts)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s, ok := store.backend.(*sealed)
	if !ok {
		return 0, fmt.Errorf("%w: the folder is not sealed; \"rollcall seal folder\" seals it", ErrSealKey)
	}
	wrapped, err = s.rotate(ctx, to)
	if err != nil {
		return 0, fmt.Errorf("storage: wrapping the data keys: %w", err)
	}
	// Pebble keeps what was replaced until it compacts: who has the old key could go on using it.
	if err := store.rewrite(ctx, everything); err != nil {
		return wrapped, fmt.Errorf("the new key opens the folder from now on, but the files still hold what the old key opens: rotate again, to another new key: %w", err)
	}
	return wrapped, nil
}

// rotate stores what rewrap returns for every partition. Nothing else may be called
// afterwards.
func (s *sealed) rotate(ctx context.Context, to *SealKey) (wrapped int, err error) {
	b := &batch{head: pair{[]byte(metaSealed), bigEndian(s.operator.id)}}
	b.set(b.head.key, bigEndian(to.id))
	rest := everything
	for {
		first, err := s.firstStored(ctx, rest)
		if err != nil {
			return 0, err
		}
		if first.key == nil {
			return wrapped, s.backend.commit(b)
		}
		p := partitionOf(first.key)
		if p == nil || !isDataKey(p, first.key) {
			return 0, errDataKey
		}
		value, err := s.operator.rewrap(p, first.value, to)
		if err != nil {
			return 0, err
		}
		b.set(first.key, value)
		wrapped++
		rest.lower = p.all().upper
	}
}

// firstStored returns a copy of the first stored pair of a span; the zero pair: there is none.
func (s *sealed) firstStored(ctx context.Context, in span) (pair, error) {
	for stored, err := range s.backend.scan(ctx, in) {
		if err != nil {
			return pair{}, err
		}
		return pair{append([]byte{}, stored.key...), append([]byte{}, stored.value...)}, nil
	}
	return pair{}, nil
}
