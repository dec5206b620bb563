package index

import (
	"maps"
	"slices"
)

const (
	// A generation is made anew when there is one dead slot for every deadShare
	// living ones. So a deletion costs four additions on average, and a scan reads
	// at most a quarter more than it needs. With fewer than minDead dead slots it
	// is not worth the work.
	deadShare = 4
	minDead   = 64

	// catchUp: a new generation takes the old one's place when at most so many
	// changes are left to copy. Other changes wait for these, tens of milliseconds
	// at most.
	catchUp = 64
)

// startRebuild begins to make a new generation of the present vectors, without dead
// slots and with a new graph, unless a rebuild is under way. The old generation
// serves until the new one takes its place. Changes go on meanwhile, and are copied
// to the new one.
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

// take copies to gen what the other generation has under the ids.
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
		gen.put(present, vectors, max(1, processors()/2)) // the other processors are for searches
	}
}
