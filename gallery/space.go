package gallery

import (
	"sync/atomic"
	"unique"

	"rollcall/index"
	"rollcall/storage"
)

// space is the vectors of one model. A vector in the engine that has no owner is
// about to be added or removed, and is not part of the state. So a change of
// several vectors becomes visible at once.
type space struct {
	storage.Model
	engine   index.Engine
	owners   []*crop              // by ID; nil where the ID is free
	students map[*student]*member // those with a vector here
	most     int                  // no student has, or had, more vectors here
	owned    int                  // vectors with an owner: the engine may hold more
	changes  atomic.Int64         // vectors that came or went since the calibrator looked

	// recipes counts the vectors with an owner by the recipe that made them.
	recipes map[unique.Handle[string]]int

	// Only the writer uses these.
	next index.ID   // the first that was never used
	free []index.ID // that can be used again
	left []index.ID // of vectors that lost their owner and wait to be taken out
}

func newSpace(record storage.Model, engine string) (*space, error) {
	e, err := index.New(engine, record.Dimension)
	if err != nil {
		return nil, err
	}
	return &space{Model: record, engine: e, students: make(map[*student]*member), recipes: make(map[unique.Handle[string]]int)}, nil
}

// insert puts vectors into the engine, under IDs that nobody owns. If vector i
// cannot be stored, errs[i] says why; errs is nil if all are stored.
func (s *space) insert(vectors [][]float32) (ids []index.ID, errs []error) {
	ids = make([]index.ID, len(vectors))
	for i := range ids {
		ids[i] = s.take()
	}
	if s.engine.Add(ids, vectors) == nil {
		return ids, nil
	}
	errs = make([]error, len(vectors)) // none was stored: try each alone
	for i := range vectors {
		if errs[i] = s.engine.Add(ids[i:i+1], vectors[i:i+1]); errs[i] != nil {
			s.free = append(s.free, ids[i])
		}
	}
	return ids, errs
}

func (s *space) take() index.ID {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		return id
	}
	s.next++
	return s.next - 1
}

// makeRoom grows the table of owners to the IDs that were handed out.
// REQUIRES: the memory's lock is held for writing.
func (s *space) makeRoom() {
	if n := int(s.next); n > len(s.owners) {
		s.owners = append(s.owners, make([]*crop, n-len(s.owners))...)
	}
}

// release takes the vectors that lost their owner out of the engine.
func (s *space) release() {
	for _, id := range s.left {
		s.engine.Delete(id)
	}
	s.free = append(s.free, s.left...)
	s.left = s.left[:0]
}

// owner returns the crop whose vector lies at id, or nil.
func (s *space) owner(id index.ID) *crop {
	if int(id) >= len(s.owners) {
		return nil
	}
	return s.owners[id]
}
