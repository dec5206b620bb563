package bench

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"rollcall/index"
)

const (
	// searchK is how many hits bench index asks for: as many as recall@10 needs.
	searchK = 10

	// equalSimilarity is how much two similarities may differ and be the same to an
	// engine, which sums in float32: twice the error that package index states for
	// its sums at 512 components.
	equalSimilarity = 1e-6

	// queryBlock is how many queries are compared with a vector at once. To convert
	// the vector to float64 then hardly counts, and the sums do not wait for each
	// other.
	queryBlock = 4
)

// rightAnswers knows those to queries: from which similarity on a hit is one
// of the best.
type rightAnswers struct {
	gallery, queries vectors
	best             [][]float64 // by query: the similarities of the best searchK, best first
}

// newRightAnswers compares every query with every vector of among, which are all vectors
// of the gallery or those of a scope, in float64. It is the plain way, to judge the
// quick ones by.
func newRightAnswers(ctx context.Context, gallery, among, queries vectors) (rightAnswers, error) {
	t := rightAnswers{gallery: gallery, queries: queries, best: make([][]float64, queries.len())}
	blocks := (queries.len() + queryBlock - 1) / queryBlock
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for b := int(next.Add(1) - 1); b < blocks; b = int(next.Add(1) - 1) {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				t.compare(among, b*queryBlock)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return rightAnswers{}, err
	}
	return t, nil
}

// compare finds the best of a block of queries, from the first on.
func (t *rightAnswers) compare(among vectors, first int) {
	n := min(queryBlock, t.queries.len()-first)
	var block [queryBlock][]float64
	for i := range block {
		block[i] = doubles(t.queries.at(first+min(i, n-1)), make([]float64, among.dim))
	}
	row := make([]float64, among.dim)
	for j := range among.len() {
		similarities := dotBlock(doubles(among.at(j), row), &block)
		for i, similarity := range similarities[:n] {
			t.best[first+i] = keepBest(t.best[first+i], similarity)
		}
	}
}

// doubles writes v to out, which it returns.
func doubles(v []float32, out []float64) []float64 {
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// dotBlock returns the similarity of row to each of the queries.
func dotBlock(row []float64, queries *[queryBlock][]float64) (sums [queryBlock]float64) {
	a, b, c, d := queries[0][:len(row)], queries[1][:len(row)], queries[2][:len(row)], queries[3][:len(row)]
	var s0, s1, s2, s3 float64
	for i, x := range row {
		s0 += x * a[i]
		s1 += x * b[i]
		s2 += x * c[i]
		s3 += x * d[i]
	}
	return [queryBlock]float64{s0, s1, s2, s3}
}

// keepBest puts a similarity into best, which are at most searchK, in descending
// order.
func keepBest(best []float64, similarity float64) []float64 {
	switch n := len(best); {
	case n < searchK:
		best = append(best, similarity)
	case similarity > best[n-1]:
		best[n-1] = similarity
	default:
		return best
	}
	for i := len(best) - 1; i > 0 && best[i] > best[i-1]; i-- {
		best[i], best[i-1] = best[i-1], best[i]
	}
	return best
}

// recall counts, for query q, how many of the best k there are and how many of them
// the first k hits have. Any of equally similar vectors is right, but none twice.
func (t *rightAnswers) recall(q int, hits []index.Hit, k int) (right, of int) {
	of = min(k, len(t.best[q]))
	floor := t.best[q][of-1] - equalSimilarity
	seen := make(map[index.ID]bool, k)
	for _, hit := range hits[:min(k, len(hits))] {
		if seen[hit.ID] || int64(hit.ID) >= int64(t.gallery.len()) {
			continue
		}
		seen[hit.ID] = true
		var similarity float64
		for i, x := range t.gallery.at(int(hit.ID)) {
			similarity += float64(x) * float64(t.queries.at(q)[i])
		}
		if similarity >= floor {
			right++
		}
	}
	return min(right, of), of
}
