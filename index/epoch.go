package index

import "sync/atomic"

// epochs tell when nobody can hold on to a slot any more, so that searches need
// no lock: a search is inside from its first look at the arena to its last, and a
// slot that no search can find anew is written again only after every search
// that may have found it before has left.
//
// There are two counters, for searches that came in an even and an odd epoch. An
// epoch ends when the counter of the epoch before is zero; so whoever came in
// epoch n has left once epoch n+2 has come. The scheme is that of epoch-based
// reclamation (Fraser, Practical lock-freedom, 2004, section 5.2.3).
type epochs struct {
	now    atomic.Uint64
	inside [2]struct {
		atomic.Int64
		_ [56]byte // a cache line for each
	}
}

// enter begins a visit; leave ends it with what enter returned.
func (e *epochs) enter() uint64 {
	for {
		n := e.now.Load()
		e.inside[n%2].Add(1)
		if e.now.Load() == n {
			return n
		}
		e.inside[n%2].Add(-1) // the epoch ended in between: count for the next one
	}
}

func (e *epochs) leave(n uint64) { e.inside[n%2].Add(-1) }

// advance ends the epoch if it can, and returns the one that it is.
// REQUIRES: the caller is the one writer.
func (e *epochs) advance() uint64 {
	n := e.now.Load()
	if e.inside[(n+1)%2].Load() != 0 {
		return n
	}
	e.now.Store(n + 1)
	return n + 1
}

// graceEpochs is how many epochs after its retirement a slot is free of visitors.
const graceEpochs = 2
