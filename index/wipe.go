package index

import (
	"slices"
	"time"
)

// wipePause is how long a wipe waits for more deletions, so that a chunk is copied
// once for many of them.
const wipePause = 100 * time.Millisecond

// wipe clears deleted vectors from memory, until there are none left.
func (e *engine) wipe() {
	for {
		time.Sleep(wipePause)
		for e.wipeChunk() {
		}
		e.writer.Lock()
		done := len(e.generation.Load().dead) == 0
		e.writer.wiping = !done
		e.writer.Unlock()
		if done {
			return
		}
	}
}

// wipeChunk wipes the dead rows of one chunk. It reports false if there are none,
// or if a rebuild is about to replace all chunks.
func (e *engine) wipeChunk() bool {
	e.writer.Lock()
	defer e.writer.Unlock()
	gen := e.generation.Load()
	if len(gen.dead) == 0 || e.writer.touched != nil {
		return false
	}
	chunk := gen.dead[0] >> gen.shift
	var here []uint32
	gen.dead = slices.DeleteFunc(gen.dead, func(slot uint32) bool {
		if slot>>gen.shift != chunk {
			return false
		}
		here = append(here, slot)
		return true
	})
	gen.clear(here)
	return true
}

// clear replaces the chunk of the slots by a copy without their rows. Searches that
// have begun go on with the old chunk, which is garbage after them. So no search
// needs a lock, and none meets a row that is half cleared.
// REQUIRES: the caller is the writer; the slots are dead, and of one chunk.
func (a *arena) clear(slots []uint32) {
	next := *a.now.Load()
	next.chunks = slices.Clone(next.chunks)
	c, _ := next.at(slots[0])
	rows, codes := aligned[float32](len(c.rows)), aligned[int8](len(c.codes))
	copy(rows, c.rows)
	copy(codes, c.codes)
	c.rows, c.codes = rows, codes
	for _, slot := range slots {
		clear(next.row(slot))
		clear(next.code(slot))
	}
	a.now.Store(&next)
}
