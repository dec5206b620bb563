package index

import (
	"iter"
	"sync"
)

const (
	// blockRows is how many rows one kernel call scores: enough that the call
	// does not count, few enough that the scores (1 KiB) stay on the stack.
	blockRows = 256

	// gatherCost is what scoring one row by its ID costs, in rows of the scan: it
	// has a call and a cache miss of its own, and the scan reads ahead.
	gatherCost = 4
)

// search returns the exact best k hits for query, [dim]float32.
func (a *arena) search(query []float32, k int, allow *Set) []Hit {
	k = min(k, a.len())
	if allow != nil {
		k = min(k, allow.Len())
	}
	if k == 0 {
		return nil
	}
	best := newTopK(k)
	query = a.pad(query)
	if allow != nil && allow.Len() < a.len()/gatherCost {
		a.gather(query, allow, best)
	} else {
		a.scan(query, allow, best)
	}
	return best.sorted()
}

// scan offers every row that is allowed.
func (a *arena) scan(query []float32, allow *Set, best *topK) {
	var scores [blockRows]float32
	for slot := 0; slot < a.len(); {
		rows := a.run(slot, min(blockRows, a.len()-slot))
		n := len(rows) / a.stride
		dotRows(query, rows, scores[:n])

		floor := best.floor()
		for i, score := range scores[:n] {
			if score < floor {
				continue
			}
			id := a.ids[slot+i]
			if allow != nil && !allow.Has(id) {
				continue
			}
			best.offer(id, score)
			floor = best.floor()
		}
		slot += n
	}
}

// gather offers the rows of the allowed IDs, one by one.
func (a *arena) gather(query []float32, allow *Set, best *topK) {
	for id := range allow.All() {
		if row := a.get(id); row != nil {
			best.offer(id, dot(query, row))
		}
	}
}

// vectorsBatch is how many vectors are copied under the lock at a time: a few
// microseconds' work, against which taking the lock does not count.
const vectorsBatch = 64

// vectors implements [Engine.Vectors] for an engine whose arena is guarded by
// lock. It goes by ID, not by slot: slots change when a row is deleted.
func (a *arena) vectors(lock sync.Locker) iter.Seq2[ID, []float32] {
	return func(yield func(ID, []float32) bool) {
		var from uint64
		for {
			lock.Lock()
			ids, rows := a.copyFrom(from, vectorsBatch)
			lock.Unlock()
			if len(ids) == 0 {
				return
			}
			for i, id := range ids {
				if !yield(id, rows[i]) {
					return
				}
			}
			from = uint64(ids[len(ids)-1]) + 1
		}
	}
}

// copyFrom returns copies, [dim]float32 each, of the vectors under the first n
// IDs that are at least from.
func (a *arena) copyFrom(from uint64, n int) (ids []ID, rows [][]float32) {
	for id, slot := range a.slots.ascend(from) {
		ids = append(ids, id)
		rows = append(rows, append([]float32(nil), a.row(int(slot))[:a.dim]...))
		if len(ids) == n {
			break
		}
	}
	return ids, rows
}
