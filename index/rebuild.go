package index

import (
	"maps"
	"slices"
)

const (
	// A generation is made anew when, for deadShare living slots, one is dead: that costs a
	// deletion four additions on average, and a scan reads no more than a quarter in
	// vain. Below minDead it is not worth its while.
	deadShare = 4
	minDead   = 64

	// catchUp is with how few changes left a new generation takes the old one's place:
	// changes wait while they are made, tens of milliseconds at most.
	catchUp = 64
)

// startRebuild begins to make a new generation of the present vectors, without dead slots
// and with a new graph, unless that is under way. The old generation serves until the new
// one takes its place; changes go on meanwhile, and are made to the new one as
// well.
// REQUIRES: e.writer is held.
func (e *engine) startRebuild() {
	if e.writer.touched != nil {
		return
	}
	e.writer.touched = make(map[ID]struct{})
	go e.rebuild()
}

func (e *engine) rebuild() {
	old := e.generation.Load()
	fresh := e.newGeneration(old.dim)
	fresh.reserved = old.now.Load().live()
	var todo []ID
	for id := range old.slots.all() {
		todo = append(todo, id)
	}
	for {
		for batch := range slices.Chunk(todo, insertBatch) {
			fresh.take(old, batch)
		}
		e.writer.Lock()
		todo = slices.Sorted(maps.Keys(e.writer.touched))
		if len(todo) <= catchUp {
			break
		}
		e.writer.touched = make(map[ID]struct{})
		e.writer.Unlock()
	}
	defer e.writer.Unlock()
	fresh.take(old, todo)
	fresh.reserved = old.reserved
	e.writer.touched = nil
	e.generation.Store(fresh)
	e.guard.reset()
	e.changed()
}

// take makes gen have under the ids what the other generation has.
// REQUIRES: the caller is the writer of gen.
func (gen *generation) take(other *generation, ids []ID) {
	s := other.now.Load()
	var present []ID
	var vectors [][]float32
	for _, id := range ids {
		gen.remove(id)
		if slot, ok := s.find(id); ok {
			present = append(present, id)
			vectors = append(vectors, s.row(slot)[:s.dim])
		}
	}
	if len(present) > 0 {
		gen.put(present, vectors, max(1, processors()/2)) // the others are for who asks
	}
}
