package index

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The best k must be those of a full sort, with scores that often tie, that
// rounding carried beyond the range, and with offers below the floor left out.
func TestTopK(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	scores := []float32{-1.0000002, -1, -0.5, 0, 0.25, 0.9999999, 1, 1.0000001}
	for range 3000 {
		n, k := rng.IntN(40), 1+rng.IntN(20)
		best := newTopK(k, 0)
		var all []Hit
		for _, id := range rng.Perm(n) {
			score := scores[rng.IntN(1+rng.IntN(len(scores)))]
			all = append(all, Hit{ID(id), max(-1, min(1, score))})
			if score >= best.floor() {
				best.offer(ID(id), score)
			}
		}
		slices.SortFunc(all, func(a, b Hit) int {
			switch {
			case a.Similarity > b.Similarity, a.Similarity == b.Similarity && a.ID < b.ID:
				return -1
			default:
				return 1
			}
		})
		if got, want := best.sorted(), all[:min(k, n)]; !slices.Equal(got, want) {
			t.Fatalf("best %d of %d: %v, want %v", k, n, got, want)
		}
	}
}
