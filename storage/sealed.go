package storage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// sealed is a backend that seals the values of another one. Above it keys and values are
// what they are without sealing. Below it
//
//   - each value is sealed with the data key of its partition, bound to its key: partition,
//     kind, and ids or number. So a value that was altered, cut, or taken from another place
//     does not open, and is ErrCorrupt;
//   - the data key of a partition is its first value, wrapped by the operator's key. It is
//     made with the first commit to the partition, and dropped with the partition;
//   - the hash of the key of a request, which is a part of a key of ours, is hashed again with
//     a key. Its value holds the first hash.
//
// The store's own numbers (schema.go) are not sealed.
type sealed struct {
	backend

	// mu is held alone while data keys are made or dropped, and otherwise shared while one
	// is in use: so nothing is ever sealed with a data key that is not stored. No loop
	// holds it, because the body of a loop may commit.
	mu       sync.RWMutex
	operator *SealKey

	known struct {
		sync.Mutex // guards keys, which are all stored
		keys       map[string]*dataKey
	}
}

func newSealed(b backend, operator *SealKey) *sealed {
	s := &sealed{backend: b, operator: operator}
	s.known.keys = map[string]*dataKey{}
	return s
}

// partitionOf returns the keys of the partition that a key belongs to; nil: to none.
func partitionOf(key []byte) keys {
	if len(key) == 0 || key[0] != keyVersion {
		return nil
	}
	_, rest, ok := cutID(key[1:])
	if !ok {
		return nil
	}
	return keys(key[:len(key)-len(rest)])
}

// dataKey returns the key that a partition's data key is stored under.
func (k keys) dataKey() []byte { return k.of(kindDataKey) }

// dataKeyOf returns the data key of a partition; nil: it has none.
// REQUIRES: mu is held.
func (s *sealed) dataKeyOf(p keys) (*dataKey, error) {
	s.known.Lock()
	k := s.known.keys[string(p)]
	s.known.Unlock()
	if k != nil {
		return k, nil
	}
	wrapped, err := s.backend.get(p.dataKey())
	if err != nil || wrapped == nil {
		return nil, err
	}
	if k, err = s.operator.unwrap(p, wrapped); err != nil {
		return nil, err
	}
	s.known.Lock()
	s.known.keys[string(p)] = k
	s.known.Unlock()
	return k, nil
}

// isDataKey says whether a key of the partition p is that of its data key.
func isDataKey(p keys, key []byte) bool {
	return len(key) == len(p)+1 && Kind(key[len(p)]) == kindDataKey
}

// isRequest says whether a key of the partition p is that of a request.
func isRequest(p keys, key []byte) bool {
	return len(key) == len(p)+1+sha256.Size && Kind(key[len(p)]) == kindRequest
}

// stored returns the key that is stored in place of one of the partition p.
func (k *dataKey) stored(p keys, key []byte) []byte {
	if !isRequest(p, key) {
		return key
	}
	h := hmac.New(sha256.New, k.requests)
	h.Write(key[len(p)+1:])
	return h.Sum(p.of(kindRequest))
}

// seal returns what is stored for a pair of the partition p.
func (k *dataKey) seal(p keys, of pair) pair {
	if of.value == nil {
		return pair{key: k.stored(p, of.key)}
	}
	key, value := k.stored(p, of.key), of.value
	if isRequest(p, of.key) {
		value = slices.Concat(of.key[len(p)+1:], value)
	}
	return pair{key, k.values.seal(value, key)}
}

// open returns the pair of the partition p that was stored, or ErrCorrupt. The value is
// appended to buffer.
func (k *dataKey) open(p keys, stored pair, buffer []byte) (pair, error) {
	value, ok := k.values.open(buffer, stored.value, stored.key)
	key := stored.key
	if ok && isRequest(p, key) {
		if ok = len(value) >= sha256.Size; ok {
			key, value = append(p.of(kindRequest), value[:sha256.Size]...), value[sha256.Size:]
			ok = bytes.Equal(k.stored(p, key), stored.key)
		}
	}
	if !ok {
		return pair{}, notOpened(p, stored.key)
	}
	if value == nil {
		value = []byte{} // nil would mean that there is none
	}
	return pair{key, value}, nil
}

// notOpened is why a stored value is not what was sealed.
func notOpened(p keys, key []byte) error {
	kind := Kind(0)
	if len(key) > len(p) {
		kind = Kind(key[len(p)])
	}
	what := "a value"
	switch _, record := idsOf(kind); {
	case record:
		what = kind.String() + " record"
	case kind == kindHead || kind == kindLine:
		what = "the log of changes"
	case kind == kindJournalHead || kind == kindJournal || kind == kindDay || kind == kindRequest:
		what = "the journal"
	}
	return fmt.Errorf("%w: %s was altered, damaged, or taken from another place, and cannot be opened; restore a backup", ErrCorrupt, what)
}

func (s *sealed) get(key []byte) ([]byte, error) {
	p := partitionOf(key)
	if p == nil {
		return s.backend.get(key)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, value, err := s.getBoth(p, key)
	return value, err
}

// getBoth returns the value under a key of the partition p, sealed and opened; nil: there
// is none.
// REQUIRES: mu is held.
func (s *sealed) getBoth(p keys, key []byte) (stored, value []byte, err error) {
	k, err := s.dataKeyOf(p)
	if err != nil {
		return nil, nil, err
	}
	if k == nil {
		if stored, err = s.backend.get(key); stored != nil {
			err = errDataKey
		}
		return nil, nil, err
	}
	at := k.stored(p, key)
	if stored, err = s.backend.get(at); err != nil || stored == nil {
		return nil, nil, err
	}
	opened, err := k.open(p, pair{at, stored}, nil)
	return stored, opened.value, err
}

// commit compares the head as it is without sealing, and lets the backend compare what is
// stored.
func (s *sealed) commit(b *batch) error {
	if len(b.drops) == 0 {
		err := s.commitShared(b)
		if !errors.Is(err, errNoDataKey) {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made := map[string]*dataKey{}
	out, err := s.seal(b, func(p keys) (*dataKey, error) { return s.make(p, b, made) })
	if err != nil {
		return err
	}
	for p, k := range made {
		out.set(keys(p).dataKey(), k.wrapped)
	}
	s.forget() // what was dropped, whether the commit fails or not
	return s.backend.commit(out)
}

// commitShared commits a batch to partitions that have data keys. Otherwise it returns
// errNoDataKey.
func (s *sealed) commitShared(b *batch) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out, err := s.seal(b, func(p keys) (*dataKey, error) {
		k, err := s.dataKeyOf(p)
		if err == nil && k == nil {
			err = errNoDataKey
		}
		return k, err
	})
	if err != nil {
		return err
	}
	return s.backend.commit(out)
}

// seal returns the batch as it is stored.
// REQUIRES: mu is held.
func (s *sealed) seal(b *batch, keyOf func(keys) (*dataKey, error)) (*batch, error) {
	out := *b
	if p := partitionOf(b.head.key); p != nil {
		stored, value, err := s.getBoth(p, b.head.key)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(value, b.head.value) {
			return nil, ErrConflict
		}
		out.head.value = stored
	}
	out.writes = make([]pair, 0, len(b.writes)+1)
	var last keys
	var k *dataKey
	for _, w := range b.writes {
		p := partitionOf(w.key)
		if p == nil {
			out.writes = append(out.writes, w)
			continue
		}
		if !bytes.Equal(p, last) {
			var err error
			if k, err = keyOf(p); err != nil {
				return nil, err
			}
			last = p
		}
		out.writes = append(out.writes, k.seal(p, w))
	}
	return &out, nil
}

// make returns the data key of a partition after the drops of the batch. A new one is put
// into made: it has to be stored with the batch.
// REQUIRES: mu is held alone.
func (s *sealed) make(p keys, b *batch, made map[string]*dataKey) (*dataKey, error) {
	if k := made[string(p)]; k != nil {
		return k, nil
	}
	if !slices.ContainsFunc(b.drops, func(d span) bool { return d.has(p) }) {
		if k, err := s.dataKeyOf(p); err != nil || k != nil {
			return k, err
		}
		for _, err := range s.backend.scan(context.Background(), p.all()) {
			return nil, cmp.Or(err, errDataKey) // it has values, and has lost its data key
		}
	}
	made[string(p)] = s.operator.make(p)
	return made[string(p)], nil
}

// forget makes the next use of a data key read it anew.
func (s *sealed) forget() {
	s.known.Lock()
	defer s.known.Unlock()
	clear(s.known.keys)
}
