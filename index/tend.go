package index

import (
	"slices"
	"sync/atomic"
	"time"
)

const (
	// tendPause is what a repair waits for more deletions to do at once, and how
	// long it then lets searches leave.
	tendPause = 20 * time.Millisecond

	// repairable is up to which share of the live nodes the deleted ones are repaired
	// around: one in so many. Where there are more, the neighbours of a deleted node
	// are deleted too, little is left to choose from, and the graph is made anew.
	// (TestReplaceAll found a recall of 0.3 to 0.8 without that.)
	repairable = 4

	// repairNodes is how many nodes are repaired under one hold of the lock: other
	// changes wait for a few milliseconds at most, searches for nothing.
	repairNodes = 1024
)

// tend repairs the graph around deleted nodes and frees their slots, until there
// is nothing left to do.
func (e *engine) tend() {
	for {
		time.Sleep(tendPause)
		e.writer.Lock()
		c := e.core.Load()
		if dead := c.dead; len(dead) > 0 {
			c.dead = nil
			e.writer.Unlock()
			e.repair(c, dead)
			continue
		}
		c.reclaim()
		if len(c.retired) > 0 {
			e.writer.Unlock()
			continue
		}
		e.writer.tending = false
		// More than half of it holes: deletions that nobody makes up for.
		if holes := len(c.free); holes > 1<<c.shift && holes > int(c.used.Load())/2 {
			e.startRebuild(c.graph != nil)
		}
		e.writer.Unlock()
		return
	}
}

// repair takes the deleted nodes out of the graph: every node that is linked to
// one chooses anew among its other neighbours and those of the deleted ones. Then
// no link leads to them any more, and new nodes choose none of them, so they can
// be retired. (FreshDiskANN by Singh et al., arXiv:2105.09613, section 4, repairs
// so.)
func (e *engine) repair(c *core, dead []uint32) {
	isDead := make(map[uint32]bool, len(dead))
	for _, slot := range dead {
		isDead[slot] = true
	}
	for first, used := uint32(0), uint32(1); first < used; first += repairNodes {
		e.writer.Lock()
		used = c.used.Load() // new ones are linked to no dead one, looking at them is harmless
		c.graph.repairNodes(first, min(first+repairNodes, used), isDead)
		e.writer.Unlock()
	}
	e.writer.Lock()
	defer e.writer.Unlock()
	if top, _, ok := c.graph.top(); ok && isDead[top] {
		c.graph.newTop(isDead)
	}
	for _, slot := range dead {
		c.retire(slot)
	}
	c.buried -= len(dead)
}

// repairNodes repairs the nodes at the slots from first to before last.
func (g *graph) repairNodes(first, last uint32, isDead map[uint32]bool) {
	v := g.view()
	s := g.scratch.get(&v)
	defer g.scratch.Put(s)
	for slot := first; slot < last; slot++ {
		if isDead[slot] {
			continue
		}
		for layer := v.level(slot); layer >= 0; layer-- {
			list := v.neighbours(slot, layer)
			if !slices.ContainsFunc(linked(list), func(to uint32) bool { return isDead[to] }) {
				continue
			}
			s.rank(&v, slot, v.around(slot, layer, isDead))
			storeLinks(list, s.choose(&v, slot, len(list)))
		}
	}
}

// around returns the neighbours of a node, with the neighbours of each dead one in
// its place.
func (v *view) around(slot uint32, layer int, isDead map[uint32]bool) []uint32 {
	var all []uint32
	for _, to := range linked(v.neighbours(slot, layer)) {
		if !isDead[to] {
			all = append(all, to)
			continue
		}
		for _, next := range linked(v.neighbours(to, layer)) {
			if next != slot && !isDead[next] {
				all = append(all, next)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// linked returns the slots of a list of links.
func linked(list []atomic.Uint32) []uint32 {
	slots := make([]uint32, 0, len(list))
	for i := range list {
		slot := list[i].Load()
		if slot == noSlot {
			break
		}
		slots = append(slots, slot)
	}
	return slots
}

// newTop makes the highest node that is left the one where searches begin.
func (g *graph) newTop(isDead map[uint32]bool) {
	v := g.view()
	best, bestLevel := noSlot, -1
	for slot := range v.used {
		if isDead[slot] {
			continue
		}
		if level := v.level(slot); level > bestLevel {
			if _, ok := v.id(slot); ok {
				best, bestLevel = slot, level
			}
		}
	}
	if bestLevel < 0 {
		g.entry.Store(0)
		return
	}
	g.setTop(best, bestLevel)
}
