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

// A ranking is the students that a vector resembles.
type ranking struct {
	students []Candidate // best first
	exact    bool        // it is proved that no other student belongs here
}

// rank returns, for each vector, the students of the roster by their best crop's similarity
// to it, best first; of equal similarity the lower student id first. Each ranking has at
// least want students, and at least all who reach the floor; if there are fewer, it has
// all. It is exact if demand is set; else it may rest on an approximate engine. Threshold is
// the similarity that a match needs.
//
// It skips vectors without an owner and that of the excluded crop.
// REQUIRES: the lock is held, as when the roster was made.
func (r *roster) rank(vectors [][]float32, want int, floor, threshold float32, demand bool) ([]ranking, error) {
	rankings := make([]ranking, len(vectors))
	open := make([]*ranking, len(vectors)) // of vectors, which need more hits
	for i := range rankings {
		rankings[i].exact = true
		open[i] = &rankings[i]
	}
	// In a search of everybody the engine may change meanwhile, so its size says nothing.
	// There are no more hits once it returns fewer than it was asked for.
	all := math.MaxInt
	if r.allow != nil {
		all = r.allow.Len()
	}
	if r.space == nil || all == 0 {
		return rankings, nil
	}
	for k := max(firstHits, want); len(open) > 0; k *= moreHits {
		k = min(k, all)
		results, err := r.space.engine.SearchMany(vectors, index.Query{K: k, Allow: r.allow, Exact: demand, Threshold: threshold})
		if err != nil {
			return nil, err
		}
		var again [][]float32
		var stillOpen []*ranking
		for i, res := range results {
			ranked, enough := r.best(res.Hits, want, floor)
			if enough || len(res.Hits) < k || k == all {
				*open[i] = ranking{ranked, res.Exact}
				continue
			}
			again, stillOpen = append(again, vectors[i]), append(stillOpen, open[i])
		}
		vectors, open = again, stillOpen
	}
	return rankings, nil
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
