package index

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// manyQueries is how many queries go through the rows together at most. Their codes,
	// 64 KiB at 512 dimensions, fit the second-level cache beside a block of rows.
	manyQueries = 64

	// pieceRows is how many rows of a scan a processor takes at a time. It is a multiple
	// of kernel.RowGroup.
	pieceRows = 4 * blockRows

	// leastShare is how many bytes of codes there are at least for each processor of a scan.
	// A processor knows nothing of the hits of the others, so it scores some hundred rows
	// of each query that another one would not. (With two processors, 40 queries took .85
	// of the time at 10,000 x 512, .66 at 100,000 x 128, .59 at 100,000 x 512.)
	leastShare = 4 << 20
)

// nearestOfEach returns the exact best k hits for each query, [dim]float32, that reach least: those of
// [state.nearest]. If there are many rows, it uses all processors.
// REQUIRES: 1 <= k <= s.live().
func (s *state) nearestOfEach(queries [][]float32, k int, least float32, allow *Set) [][]Hit {
	if len(queries) == 1 {
		return [][]Hit{s.nearest(queries[0], k, least, allow)}
	}
	hits := make([][]Hit, 0, len(queries))
	for together := range slices.Chunk(queries, manyQueries) {
		n := s.scannerOf(together, allow)
		n.least = least
		n.start(k)
		if !n.gathers(k) {
			n.scanInParallel(k, min(processors(), int(s.used)*s.width/leastShare))
		}
		for _, q := range n.queries {
			hits = append(hits, q.best.sorted())
		}
	}
	return hits
}

// scannerOf returns a scanner for queries, [dim]float32 each, whose codes lie side by side:
// the slice of one query's codes can be extended over those that follow.
func (s *state) scannerOf(queries [][]float32, allow *Set) *scanner {
	n := &scanner{state: s, allow: allow, queries: make([]scannedQuery, len(queries))}
	codes := make([]int16, len(queries)*s.width)
	for i, query := range queries {
		q := &n.queries[i]
		q.query = pad(query)
		q.coded.d = codes[i*s.width:]
		q.coded.encode(query)
	}
	return n
}

// scanInParallel scans everything on as many processors as workers, or on one. Each takes a
// piece of the rows at a time and keeps its own best k hits.
func (s *scanner) scanInParallel(k, workers int) {
	var next atomic.Int64
	scan := func(s *scanner) {
		for from := next.Add(pieceRows) - pieceRows; from < int64(s.used); from = next.Add(pieceRows) - pieceRows {
			s.scan(uint32(from), uint32(min(from+pieceRows, int64(s.used))))
		}
	}
	var others []*scanner
	var scanning sync.WaitGroup
	for range workers - 1 {
		other := &scanner{state: s.state, allow: s.allow, least: s.least, queries: slices.Clone(s.queries)}
		other.start(k)
		others = append(others, other)
		scanning.Go(func() { scan(other) })
	}
	scan(s)
	scanning.Wait()
	for _, other := range others {
		for i, q := range other.queries {
			for _, hit := range q.best.hits {
				s.queries[i].best.offer(hit.ID, hit.Similarity)
			}
		}
	}
}
