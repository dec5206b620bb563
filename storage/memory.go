package storage

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// Faults make a store in memory fail, for tests and simulation. They are
// called by the goroutine that commits, without the store's lock, and may
// block like a slow disk. A nil one is never called.
type Faults struct {
	// BeforeCommit is called before anything is stored. If it returns an
	// error, nothing is stored, and Commit returns the error.
	BeforeCommit func() error

	// AfterCommit is called once everything is stored. Commit returns its
	// error, as if the answer was lost.
	AfterCommit func() error
}

// OpenMemory returns a new, empty store in memory, for tests and simulation. It
// keeps nothing when it is closed.
func OpenMemory(f Faults) *Store {
	return &Store{backend: &memory{faults: f, values: map[string][]byte{metaErasures: []byte(newErasureKey())}}, server: rand.Uint64()}
}

// memory is the backend that keeps everything in a map.
type memory struct {
	faults Faults

	mu     sync.RWMutex
	values map[string][]byte // guarded by mu; a value is replaced, never changed
}

func (m *memory) get(key []byte) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.values[string(key)], nil
}

func (m *memory) scan(ctx context.Context, spans ...span) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		for _, p := range m.view(spans) {
			if err := ctx.Err(); err != nil {
				yield(pair{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// view returns what is in the spans, in order.
func (m *memory) view(spans []span) (view []pair) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, s := range spans {
		lower, upper, begin := string(s.lower), string(s.upper), len(view)
		for key, value := range m.values {
			if lower <= key && key < upper {
				view = append(view, pair{[]byte(key), value})
			}
		}
		slices.SortFunc(view[begin:], func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	}
	return view
}

func (m *memory) writable() error { return nil }

func (m *memory) commit(b *batch) error {
	if m.faults.BeforeCommit != nil {
		if err := m.faults.BeforeCommit(); err != nil {
			return err
		}
	}
	if !m.store(b) {
		return ErrConflict
	}
	if m.faults.AfterCommit != nil {
		return m.faults.AfterCommit()
	}
	return nil
}

// store stores the batch, and reports whether its head was the newest.
func (m *memory) store(b *batch) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !bytes.Equal(m.values[string(b.head.key)], b.head.value) {
		return false
	}
	for _, s := range b.drops {
		maps.DeleteFunc(m.values, func(key string, _ []byte) bool { return string(s.lower) <= key && key < string(s.upper) })
	}
	number, _ := readBigEndian(m.values[metaNumber])
	m.values[metaNumber] = bigEndian(number + b.changes)
	for _, w := range b.writes {
		if w.value == nil {
			delete(m.values, string(w.key))
			continue
		}
		m.values[string(w.key)] = w.value
	}
	return true
}

func (m *memory) rewrite(context.Context, span) error { return nil }

func (m *memory) close() error { return nil }
