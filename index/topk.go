package index

import (
	"cmp"
	"math"
	"slices"
)

// topK keeps the best k hits of those that it is offered, in a heap with the
// worst at its root.
type topK struct {
	k     int
	least float32 // similarity below which nothing is kept
	hits  []Hit
}

// firstRoom is for how many hits there is room before more are found.
const firstRoom = 1024

// newTopK returns room for k hits. Those below least are not kept, if it is above 0.
// REQUIRES: k >= 1.
func newTopK(k int, least float32) *topK {
	t := &topK{k: k, least: float32(math.Inf(-1)), hits: make([]Hit, 0, min(k, firstRoom))}
	if least > 0 {
		t.least = least
	}
	return t
}

// compareHits orders hits best first: by similarity, then by ID.
func compareHits(a, b Hit) int {
	if c := cmp.Compare(b.Similarity, a.Similarity); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// floor returns the score below which an offer is useless, so that a scan can skip
// most rows with one comparison.
func (t *topK) floor() float32 {
	// At -1 the floor is open: scores a little below it are clamped to it, and
	// may win by a lower ID.
	if len(t.hits) < t.k || t.hits[0].Similarity <= -1 {
		return t.least
	}
	return t.hits[0].Similarity
}

// offer takes id with the kernel's score for it, if that is among the best k.
// Rounding may carry the score of nearly equal vectors beyond 1: it is clamped
// here, before it is compared, so that ties are ties.
func (t *topK) offer(id ID, score float32) {
	hit := Hit{ID: id, Similarity: max(-1, min(1, score))}
	if hit.Similarity < t.least {
		return
	}
	if len(t.hits) < t.k {
		t.hits = append(t.hits, hit)
		t.up(len(t.hits) - 1)
	} else if compareHits(hit, t.hits[0]) < 0 {
		t.hits[0] = hit
		t.down(0)
	}
}

// sorted returns the hits best first and ends the use of the heap.
func (t *topK) sorted() []Hit {
	slices.SortFunc(t.hits, compareHits)
	return t.hits
}

func (t *topK) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if compareHits(t.hits[i], t.hits[parent]) <= 0 {
			return
		}
		t.hits[i], t.hits[parent] = t.hits[parent], t.hits[i]
		i = parent
	}
}

func (t *topK) down(i int) {
	for {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.hits); child++ {
			if compareHits(t.hits[child], t.hits[worst]) > 0 {
				worst = child
			}
		}
		if worst == i {
			return
		}
		t.hits[i], t.hits[worst] = t.hits[worst], t.hits[i]
		i = worst
	}
}
