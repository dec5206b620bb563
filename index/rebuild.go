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

// rebuild makes the new core. It gives up when a source fails: the old core goes on
// serving, and what asked for a new one will ask again.
func (e *engine) rebuild(withGraph bool) {
	old, fresh := e.core.Load(), newCore(e.dim, withGraph, e.source)
	if fresh.graph != nil {
		fresh.graph.background = true
	}
	var todo []ID
	for id := range old.slots.ascend(0) {
		todo = append(todo, id)
	}
	for {
		var err error
		for batch := range slices.Chunk(todo, rebuildBatch) {
			if err = fresh.copy(old, batch); err != nil {
				break
			}
		}
		e.writer.Lock()
		todo = slices.Sorted(maps.Keys(e.writer.touched))
		last := len(todo) <= catchUp
		if err == nil && last {
			err = fresh.copy(old, todo)
		}
		switch {
		case err != nil:
			e.writer.touched = nil
		case last:
			e.writer.touched = nil
			e.replaceCore(fresh)
		default:
			e.writer.touched = make(map[ID]struct{})
		}
		e.writer.Unlock()
		if err != nil || last {
			return
		}
	}
}

// replaceCore makes fresh the core that serves.
// REQUIRES: e.writer is held.
func (e *engine) replaceCore(fresh *core) {
	if fresh.graph != nil {
		fresh.graph.background = false
	}
	e.guard.reset()
	e.core.Store(fresh)
	e.changed()
}

// copy makes c have under the ids what the other core has. An error is the
// source's.
// REQUIRES: the caller is the writer of c.
func (c *core) copy(other *core, ids []ID) error {
	var present []ID
	var vectors [][]float32
	var buffer []float32
	epoch := other.epochs.enter()
	defer other.epochs.leave(epoch)
	for _, id := range ids {
		var row []float32 // stays nil where there is none, or where a source has it no more
		if slot, ok := other.slots.get(id); ok {
			var err error
			if row, err = other.row(slot, id, &buffer); err != nil {
				return err
			}
		}
		if row == nil {
			c.remove(id)
			continue
		}
		present = append(present, id)
		vectors = append(vectors, slices.Clone(row[:other.dim]))
	}
	if len(present) > 0 {
		c.put(present, vectors)
	}
	return nil
}
