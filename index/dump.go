package index

import (
	"errors"
	"slices"
	"sync"
)

// dumpEngine writes the graph, if there is one, and the rows of e.
func dumpEngine(e Engine, w *snapshotWriter) error {
	if e, ok := e.(*engine); ok {
		return e.dump(w)
	}
	if err := w.graph(nil); err != nil {
		return err
	}
	for id, vector := range e.Vectors() {
		if err := w.row(id, vector); err != nil {
			return err
		}
	}
	return nil
}

// loadEngine fills e, which is empty and nobody else's, with the vectors of ids.
func loadEngine(e Engine, r *snapshotReader, ids []ID) error {
	// Also where it is of no use: a damaged file is believed in nothing.
	graph, err := r.readGraph()
	if err != nil {
		return err
	}
	if e, ok := e.(*engine); ok {
		return e.load(r, ids, graph)
	}
	vectors := make([][]float32, len(ids))
	err = r.readRows(func(row int, vector []float32) error {
		vectors[row] = slices.Clone(vector)
		return nil
	})
	if err != nil {
		return err
	}
	return e.UpsertAll(ids, vectors)
}

// errGone says that a source lost a vector while a snapshot was written: it is
// about to be deleted here too, and a later snapshot will do.
var errGone = errors.New("a vector was deleted meanwhile")

// dump writes the live vectors, by slot, and the links between them. Changes wait
// only while the links are copied; the rows are written beside them, as a search
// would read them: from inside an epoch no row is rewritten that was live when
// the links were copied.
func (e *engine) dump(w *snapshotWriter) error {
	e.writer.Lock()
	unlock := sync.OnceFunc(e.writer.Unlock)
	defer unlock()
	c := e.core.Load()
	epoch := c.epochs.enter()
	defer c.epochs.leave(epoch)
	var slots []uint32
	var buffer []float32
	for slot := range c.used.Load() {
		if id, ok := c.id(slot); ok {
			slots = append(slots, slot)
			w.ids = append(w.ids, id)
		}
	}
	var graph []byte
	if c.graph != nil {
		c.unlinkDead(slots)
		graph = c.graph.encode(slots)
	}
	unlock()
	if err := w.graph(graph); err != nil {
		return err
	}
	for i, slot := range slots {
		row, err := c.row(slot, w.ids[i], &buffer)
		if err != nil {
			return err
		}
		if row == nil {
			return errGone
		}
		if err := w.vector(row); err != nil {
			return err
		}
	}
	return nil
}

// unlinkDead repairs the graph around deleted nodes, where that was not done yet,
// so that it does not lose with them what they lead to.
// REQUIRES: the caller is the writer; live are the live slots.
func (c *core) unlinkDead(live []uint32) {
	used := int(c.used.Load())
	if len(live)+len(c.free)+len(c.retired) == used {
		return
	}
	dead := make(map[uint32]bool, used-len(live))
	for slot := range uint32(used) {
		if len(live) > 0 && live[0] == slot {
			live = live[1:]
		} else {
			dead[slot] = true
		}
	}
	c.graph.repairNodes(0, uint32(used), dead)
	if top, _, ok := c.graph.top(); ok && dead[top] {
		c.graph.newTop(dead)
	}
}

// occupy takes the first n slots at once: the arena is then as if they had been
// taken one by one, but nothing was copied on the way.
// REQUIRES: the arena is empty.
func (a *arena) occupy(n int) {
	full := 1 << a.shift
	step := max(full/growShare, rowGroup)
	var chunks []*chunk
	for rest := n; rest > 0; rest -= full {
		rows := step
		if len(chunks) == 0 {
			rows = min(step, firstRows)
		}
		for rows < min(rest, full) {
			rows = min(2*rows, rows+step)
		}
		chunks = append(chunks, a.newChunk(rows))
	}
	a.setChunks(chunks)
	a.next = uint32(n)
}

// load fills an engine that is empty and nobody else's: each row into the slot of
// its number, to which the links refer.
func (e *engine) load(r *snapshotReader, ids []ID, graph []byte) error {
	c := newCore(e.dim, e.mode == always || e.mode == itPays && len(graph) > 0, e.source)
	c.occupy(len(ids))
	slots := make([]uint32, len(ids))
	for i := range slots {
		slots[i] = uint32(i)
	}
	err := r.readRows(func(row int, vector []float32) error {
		c.write(slots[row], ids[row], vector)
		return nil
	})
	if err != nil {
		return err
	}
	c.used.Store(c.next)
	switch {
	case c.graph != nil && len(graph) > 0:
		err = c.graph.decode(graph, len(ids))
	case c.graph != nil:
		c.graph.insert(slots)
	}
	if err != nil {
		return err
	}
	for i, id := range ids {
		c.slots.set(id, slots[i])
	}
	c.live.Store(int64(len(ids)))

	e.writer.Lock()
	defer e.writer.Unlock()
	e.core.Store(c)
	e.changed()
	return nil
}
