package index

import (
	"maps"
	"math"
	"slices"
	"testing"

	"rollcall/index/kernel"
)

// model is the oracle: a plain map, searched by brute force.
type model map[ID][]float32

// similarities returns the cosine of the query with every allowed vector, in
// float64, by plain addition.
func (m model) similarities(query []float32, allow *Set) map[ID]float64 {
	out := map[ID]float64{}
	for id, v := range m {
		if allow != nil && !allow.Has(id) {
			continue
		}
		out[id] = similarity(v, query)
	}
	return out
}

func similarity(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return max(-1, min(1, sum))
}

// tolerance is the error that kernel.Dot promises, for vectors whose length is as
// far from 1 as a vector's may be, and for the rounding of the clamp.
func tolerance(dim int) float64 { return (float64(dim)/kernel.RowAlign + 6) * 0x1p-24 * 1.001 }

// checkHits checks what every answer promises, exact or not.
func (m model) checkHits(t *testing.T, q Query, hits []Hit) {
	t.Helper()
	want := m.similarities(q.Vector, q.Allow)
	if len(hits) != min(q.K, len(want)) {
		t.Fatalf("%d hits, want %d", len(hits), min(q.K, len(want)))
	}
	for i, hit := range hits {
		cosine, ok := want[hit.ID]
		if !ok {
			t.Fatalf("hit %d is not stored or not allowed", hit.ID)
		}
		if diff := math.Abs(float64(hit.Similarity) - cosine); !(diff <= tolerance(len(q.Vector))) {
			t.Fatalf("similarity of %d is %g, want %g", hit.ID, hit.Similarity, cosine)
		}
		alone := max(-1, min(1, kernel.Dot(pad(q.Vector), pad(m[hit.ID]))))
		if math.Float32bits(alone) != math.Float32bits(hit.Similarity) {
			t.Fatalf("similarity of %d is %g, alone it is %g", hit.ID, hit.Similarity, alone)
		}
		if i > 0 {
			before := hits[i-1]
			if before.Similarity < hit.Similarity || before.Similarity == hit.Similarity && before.ID >= hit.ID {
				t.Fatalf("hits out of order: %v before %v", before, hit)
			}
		}
	}
}

// checkExact checks that the hits are the best there are: those of the float64
// oracle up to rounding, and exactly those of a full sort by the kernel's score.
func (m model) checkExact(t *testing.T, q Query, hits []Hit) {
	t.Helper()
	m.checkHits(t, q, hits)
	if len(hits) == 0 {
		return
	}
	worst := float64(hits[len(hits)-1].Similarity)
	isHit := map[ID]bool{}
	for _, hit := range hits {
		isHit[hit.ID] = true
	}
	var all []Hit
	for id, cosine := range m.similarities(q.Vector, q.Allow) {
		if !isHit[id] && cosine > worst+tolerance(len(q.Vector)) {
			t.Fatalf("%d with %g was missed; the worst hit has %g", id, cosine, worst)
		}
		all = append(all, Hit{id, max(-1, min(1, kernel.Dot(pad(q.Vector), pad(m[id]))))})
	}
	slices.SortFunc(all, compareHits)
	if !slices.Equal(hits, all[:len(hits)]) {
		t.Fatalf("hits %v, want %v", hits, all[:len(hits)])
	}
}

// checkState compares all that an engine tells about its state with the model.
func (m model) checkState(t *testing.T, e Engine) {
	t.Helper()
	if e.Len() != len(m) {
		t.Fatalf("Len is %d, want %d", e.Len(), len(m))
	}
	var ids []ID
	for id, v := range e.Vectors() {
		ids = append(ids, id)
		into := make([]float32, e.Dim())
		if !slices.Equal(v, m[id]) || !e.Vector(id, into) || !slices.Equal(into, v) {
			t.Fatalf("vector of %d is not what was stored", id)
		}
	}
	if want := slices.Sorted(maps.Keys(m)); !slices.Equal(ids, want) {
		t.Fatalf("Vectors has %v, want %v", ids, want)
	}
	least := 5 * int64(len(m)) * int64(e.Dim()) // float32 and int8
	if e.Bytes() < least {
		t.Fatalf("Bytes is %d, the vectors alone are %d", e.Bytes(), least)
	}
}

// checkSearch searches and holds the answer against the model.
func (m model) checkSearch(t *testing.T, e Engine, q Query) {
	t.Helper()
	before := slices.Clone(q.Vector)
	result, err := e.Search(q)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, q.Vector) {
		t.Fatal("the search modified the query")
	}
	if (q.Exact || e.Name() == exactName) && !result.Exact {
		t.Fatal("not exact though demanded")
	}
	if result.Exact {
		m.checkExact(t, q, result.Hits)
	} else {
		m.checkHits(t, q, result.Hits)
	}
}

// checkSearchMany searches for several vectors at once and holds the answers against the
// model and against single searches.
func (m model) checkSearchMany(t *testing.T, e Engine, vectors [][]float32, like Query) {
	t.Helper()
	var before [][]float32
	for _, v := range vectors {
		before = append(before, slices.Clone(v))
	}
	results, err := e.SearchMany(vectors, like)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(before, vectors, slices.Equal) {
		t.Fatal("the search modified the queries")
	}
	if len(results) != len(vectors) {
		t.Fatalf("%d results for %d queries", len(results), len(vectors))
	}
	for i, result := range results {
		like.Vector = vectors[i]
		if (like.Exact || e.Name() == exactName) && !result.Exact {
			t.Fatalf("query %d: not exact though demanded", i)
		}
		if !result.Exact {
			m.checkHits(t, like, result.Hits)
			continue
		}
		m.checkExact(t, like, result.Hits)
		alone, err := e.Search(like)
		if err != nil {
			t.Fatal(err)
		}
		if alone.Exact && !slices.Equal(alone.Hits, result.Hits) {
			t.Fatalf("query %d: hits %v, alone %v", i, result.Hits, alone.Hits)
		}
	}
}
