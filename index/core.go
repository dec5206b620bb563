package index

// core is what an engine searches: an arena and, with it, maybe a graph.
//
// A deleted vector is out of every answer at once. Its slot is retired when no
// link leads to it any more, wiped when every search that may have met it has
// left, and then free for another vector.
type core struct {
	*arena
	graph *graph // nil for exact searches alone

	// The writer's.
	free    []uint32  // slots that were wiped
	retired []retired // slots that no search finds anew, oldest first
	dead    []uint32  // slots that are deleted and still linked
	buried  int       // those, and the ones around which the graph is being repaired
}

// retired is a slot that waits for searches to leave.
type retired struct {
	slot  uint32
	epoch uint64 // when it was retired
}

func newCore(dim int, withGraph bool, source Source) *core {
	if !withGraph {
		return &core{arena: newArena(dim, 0, source)}
	}
	a := newArena(dim, graphM0, source)
	return &core{arena: a, graph: newGraph(a)}
}

// put stores vectors, [dim]float32 each, under ids, of which none occurs twice.
// REQUIRES: the caller is the writer.
func (c *core) put(ids []ID, vectors [][]float32) {
	c.reclaim()
	slots := make([]uint32, len(ids))
	for i := range slots {
		if n := len(c.free); n > 0 {
			slots[i] = c.free[n-1]
			c.free = c.free[:n-1]
		} else {
			slots[i] = c.extend()
		}
	}
	for i, slot := range slots {
		c.write(slot, ids[i], vectors[i])
	}
	c.used.Store(c.next)
	if c.graph != nil {
		c.graph.insert(slots)
	}
	for i, id := range ids {
		old, replaced := c.slots.get(id)
		if replaced {
			c.replacing.Add(1)
		}
		c.slots.set(id, slots[i])
		if replaced {
			c.bury(old)
			c.replacing.Add(1)
		} else {
			c.live.Add(1)
		}
	}
}

// remove deletes the vector of id and reports whether there was one.
// REQUIRES: the caller is the writer.
func (c *core) remove(id ID) bool {
	slot, ok := c.slots.get(id)
	if !ok {
		return false
	}
	c.slots.remove(id)
	c.live.Add(-1)
	c.bury(slot)
	c.reclaim()
	return true
}

// bury takes care of a slot whose ID is forgotten or lies elsewhere now.
func (c *core) bury(slot uint32) {
	c.hide(slot)
	if c.graph != nil {
		c.dead = append(c.dead, slot)
		c.buried++
		return
	}
	c.retire(slot)
}

func (c *core) retire(slot uint32) {
	c.retired = append(c.retired, retired{slot, c.epochs.now.Load()})
}

// reclaim frees the retired slots that no search can be looking at. Without
// searches under way that is all of them.
func (c *core) reclaim() {
	if len(c.retired) == 0 {
		return
	}
	now := c.epochs.now.Load()
	for range graceEpochs {
		now = c.epochs.advance()
	}
	for len(c.retired) > 0 && c.retired[0].epoch+graceEpochs <= now {
		slot := c.retired[0].slot
		c.retired = c.retired[1:]
		c.wipe(slot)
		c.free = append(c.free, slot)
	}
}
