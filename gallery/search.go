package gallery

import (
	"cmp"
	"math"
	"slices"

	"rollcall/index"
)

const (
	// firstHits is how many vectors a search asks for at least: mostly enough to
	// find five students if the first of them has half a dozen crops. It is no
	// larger, because in a small scope keeping the best hits is a good part of the
	// work.
	firstHits = 16

	// moreHits is the factor by which it asks for more if the hits belong to too
	// few students. Each round is a new search.
	moreHits = 4
)

// nothing is a floor that no similarity reaches.
var nothing = float32(math.Inf(1))

// rank returns the students of the roster by their best crop's similarity to the
// vector, best first; of equal similarity the lower student id first. It returns at
// least want students, and at least all who reach the floor; if there are fewer, it
// returns all. Exact says whether that is proved; an approximate engine proves it
// only if demand is set. Threshold is the similarity that a match needs.
//
// It skips vectors without an owner and that of the excluded crop.
// REQUIRES: the lock is held, as when the roster was made.
func (r *roster) rank(vector []float32, want int, floor, threshold float32, demand bool) (ranked []Candidate, exact bool, err error) {
	if r.space == nil {
		return nil, true, nil
	}
	for k := max(firstHits, want); ; k *= moreHits {
		// In a search of everybody the engine may change meanwhile, so its size
		// says nothing. There are no more hits once it returns fewer than it was
		// asked for.
		all := math.MaxInt
		if r.allow != nil {
			if all = r.allow.Len(); all == 0 {
				return nil, true, nil
			}
		}
		k = min(k, all)
		res, err := r.space.engine.Search(index.Query{Vector: vector, K: k, Allow: r.allow, Exact: demand, Threshold: threshold})
		if err != nil {
			return nil, false, err
		}
		ranked, enough := r.best(res.Hits, want, floor)
		if enough || len(res.Hits) < k || k == all {
			return ranked, res.Exact, nil
		}
	}
}

// best returns each student's best crop among the hits; of equal ones, that of the
// lower id. It stops, and reports enough, when the other hits cannot change the
// answer: they are worse than everything that was asked for.
func (r *roster) best(hits []index.Hit, want int, floor float32) (ranked []Candidate, enough bool) {
	ranked = make([]Candidate, 0, min(want, len(hits)))
	students := make(map[*student]int, want) // places in ranked
	for _, h := range hits {
		if len(ranked) >= want && h.Similarity < ranked[want-1].Similarity && h.Similarity < floor {
			enough = true
			break
		}
		c := r.space.owner(h.ID)
		if c == nil || c == r.exclude {
			continue
		}
		switch i, ranks := students[c.student]; {
		case !ranks:
			students[c.student] = len(ranked)
			ranked = append(ranked, Candidate{c.student.ID, c.ID, h.Similarity})
		case ranked[i].Similarity == h.Similarity:
			ranked[i].CropID = min(ranked[i].CropID, c.ID)
		}
	}
	slices.SortFunc(ranked, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.StudentID, b.StudentID))
	})
	return ranked, enough
}
