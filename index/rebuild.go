package index

import (
	"maps"
	"slices"
)

const (
	// rebuildBatch is how many vectors are copied into a new core at a time.
	rebuildBatch = 1024

	// catchUp is with how few changes left a new core takes the old one's place:
	// changes wait while they are made, tens of milliseconds at most.
	catchUp = 64
)

// startRebuild begins to make a new core of the present vectors, without holes
// and with a new graph if one is wanted, unless that is under way. The old core
// serves until the new one takes its place; changes go on meanwhile, and are made
// to the new one as well.
// REQUIRES: e.writer is held.
func (e *engine) startRebuild(withGraph bool) {
	if e.writer.touched != nil {
		return
	}
	e.writer.touched = make(map[ID]struct{})
	go e.rebuild(withGraph)
}

func (e *engine) rebuild(withGraph bool) {
	old, fresh := e.core.Load(), newCore(e.dim, withGraph, e.source)
	if fresh.graph != nil {
		fresh.graph.background = true
	}
	var ids []ID
	for id := range old.slots.ascend(0) {
		ids = append(ids, id)
	}
	for batch := range slices.Chunk(ids, rebuildBatch) {
		fresh.copy(old, batch)
	}
	for {
		e.writer.Lock()
		touched := slices.Sorted(maps.Keys(e.writer.touched))
		if len(touched) <= catchUp {
			defer e.writer.Unlock()
			fresh.copy(old, touched)
			e.writer.touched = nil
			if fresh.graph != nil {
				fresh.graph.background = false
			}
			e.guard.reset()
			e.core.Store(fresh)
			e.changed()
			return
		}
		e.writer.touched = make(map[ID]struct{})
		e.writer.Unlock()
		for batch := range slices.Chunk(touched, rebuildBatch) {
			fresh.copy(old, batch)
		}
	}
}

// copy makes c have under the ids what the other core has.
// REQUIRES: the caller is the writer of c.
func (c *core) copy(other *core, ids []ID) {
	var present []ID
	var vectors [][]float32
	var buffer []float32
	epoch := other.epochs.enter()
	for _, id := range ids {
		var row []float32 // stays nil where there is none, or where a source has it no more
		if slot, ok := other.slots.get(id); ok {
			row = other.row(slot, id, &buffer)
		}
		if row == nil {
			c.remove(id)
			continue
		}
		present = append(present, id)
		vectors = append(vectors, slices.Clone(row[:other.dim]))
	}
	other.epochs.leave(epoch)
	if len(present) > 0 {
		c.put(present, vectors)
	}
}
