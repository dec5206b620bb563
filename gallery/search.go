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

	// boundedHits is how many it asks for once it knows which similarity they must
	// reach: few do.
	boundedHits = 1024

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

// rank returns, for each vector, the students of the roster by their score for it, best
// first; of equal scores the lower student id first. Each ranking has at least want
// students, and at least all who reach the floor; if there are fewer, it has all. It is
// exact if demand is set; else it may rest on an approximate engine. Threshold is the
// similarity that a match needs.
//
// It searches for crops, and scores the students whom they belong to. It searches on
// until no student whose crops were not found can belong here: see leastCrop. It skips
// vectors without an owner and that of the excluded crop.
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
	least := float32(0) // no crop below it matters
	for k := max(firstHits, want); len(open) > 0; k *= moreHits {
		if least > 0 {
			k = max(k, boundedHits)
		}
		k = min(k, all)
		results, err := r.space.engine.SearchMany(vectors, index.Query{K: k, Allow: r.allow, Exact: demand, Least: least, Threshold: threshold})
		if err != nil {
			return nil, err
		}
		var again [][]float32
		var stillOpen []*ranking
		lower := nothing
		for i, res := range results {
			ranked := r.scores(vectors[i], res.Hits, want, floor)
			needs := r.needs(ranked, want, floor)
			complete := least == 0 || needs >= least
			if len(res.Hits) == k && k < all { // there may be more
				complete = needs > res.Hits[k-1].Similarity
			}
			if complete {
				*open[i] = ranking{ranked, res.Exact}
				continue
			}
			again, stillOpen = append(again, vectors[i]), append(stillOpen, open[i])
			lower = min(lower, needs)
		}
		vectors, open, least = again, stillOpen, max(0, lower)
	}
	return rankings, nil
}

// needs returns a similarity that a crop of every student reaches who is not among the
// ranked and belongs there; -Inf: it is not known.
func (r *roster) needs(ranked []Candidate, want int, floor float32) float32 {
	if len(ranked) < want {
		return -nothing
	}
	return leastCrop(min(ranked[want-1].Similarity, floor), r.space.most)
}

// scores returns students whose crops are among the hits, by their score. It leaves out
// some who are worse than want others and do not reach the floor.
func (r *roster) scores(vector []float32, hits []index.Hit, want int, floor float32) []Candidate {
	ranked := make([]Candidate, 0, want)
	nearest := make([]float32, 0, want)    // similarity of the nearest crop, as ranked
	students := make(map[*student]int, 64) // places in ranked, or leftOut
	const leftOut = -1
	best := newBest(want, floor)
	var similarities []float32
	for _, h := range hits {
		if h.Similarity < leastCrop(best.cut(), r.space.most) {
			break
		}
		c := r.space.owner(h.ID)
		if c == nil || c == r.exclude {
			continue
		}
		if i, known := students[c.student]; known {
			if i != leftOut && nearest[i] == h.Similarity {
				ranked[i].CropID = min(ranked[i].CropID, c.ID)
			}
			continue
		}
		score := h.Similarity
		if r.space.students[c.student].vectors > 1 {
			u := r.united(c.student)
			if u.most(h.Similarity) < best.cut() {
				students[c.student] = leftOut
				continue
			}
			similarities = slices.Grow(similarities[:0], len(u.ids))[:len(u.ids)]
			r.space.engine.Similarities(vector, u.ids, similarities)
			score = u.score(similarities)
		}
		students[c.student] = len(ranked)
		ranked, nearest = append(ranked, Candidate{c.student.ID, c.ID, score}), append(nearest, h.Similarity)
		best.add(score)
	}
	slices.SortFunc(ranked, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.StudentID, b.StudentID))
	})
	return ranked
}

// best keeps the best scores of a search, to know which ones are of no use.
type best struct {
	floor  float32
	scores []float32 // best first; as many as are wanted
	wanted int
}

func newBest(want int, floor float32) *best {
	return &best{floor: floor, scores: make([]float32, 0, want+1), wanted: want}
}

// cut returns the score below which another one is of no use.
func (b *best) cut() float32 {
	if len(b.scores) < b.wanted {
		return -nothing
	}
	return min(b.floor, b.scores[b.wanted-1])
}

func (b *best) add(score float32) {
	i, _ := slices.BinarySearchFunc(b.scores, score, func(a, b float32) int { return cmp.Compare(b, a) })
	b.scores = slices.Insert(b.scores, i, score)
	b.scores = b.scores[:min(len(b.scores), b.wanted)]
}
