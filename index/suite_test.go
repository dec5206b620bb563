package index

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The suite is what every engine must do; each test runs for each of them.
func forEachEngine(t *testing.T, test func(t *testing.T, name string)) {
	for _, name := range Engines {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

func mustNew(t testing.TB, name string, dim int) Engine {
	t.Helper()
	e, err := New(name, dim)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// put stores v under id, in place of what was there.
func put(t testing.TB, e Engine, id ID, v []float32) {
	t.Helper()
	e.Delete(id)
	if err := e.Add([]ID{id}, [][]float32{v}); err != nil {
		t.Fatal(err)
	}
}

// hardUnit returns a unit vector, often one that ties or nearly ties with a
// stored one, or that lies opposite to it.
func hardUnit(rng *rand.Rand, dim int, stored model) []float32 {
	v := randomUnit(rng, dim)
	if len(stored) == 0 {
		return v
	}
	var other []float32 // of a random stored ID, chosen reproducibly
	ids := slices.Sorted(maps.Keys(stored))
	other = slices.Clone(stored[ids[rng.IntN(len(ids))]])
	i := rng.IntN(dim)
	switch rng.IntN(8) {
	case 0: // a duplicate
		return other
	case 1: // a near tie: one element, one step of float32
		other[i] = math.Nextafter32(other[i], 0)
		return other
	case 2: // the opposite
		for i := range other {
			other[i] = -other[i]
		}
		return other
	case 3: // an axis: most similarities with other axes are exactly zero
		clear(other)
		other[i] = 1
		return other
	case 4: // close by, as two crops of one student are
		for i := range other {
			other[i] += 0.3 * v[i]
		}
		return normalise(other)
	}
	return v
}

// randomQuery returns a query and mostly a small one; the allow-list is absent,
// empty, a few IDs, a good part of them, or all and more.
func randomQuery(rng *rand.Rand, dim, ids int, stored model) Query {
	q := Query{Vector: hardUnit(rng, dim, stored), K: 1 + rng.IntN(1+rng.IntN(30)), Exact: rng.IntN(3) == 0}
	if rng.IntN(20) == 0 {
		q.K = math.MaxInt
	}
	if rng.IntN(2) == 0 {
		q.Allow = NewSet()
		for range []int{0, 3, ids / 8, ids / 2, 4 * ids}[rng.IntN(5)] {
			q.Allow.Add(ID(rng.IntN(ids + ids/4)))
		}
	}
	return q
}

// randomQueries returns mostly a few vectors to search for, and sometimes more than go
// through the rows together.
func randomQueries(rng *rand.Rand, dim int, stored model) (vectors [][]float32) {
	n := rng.IntN(11)
	if rng.IntN(30) == 0 {
		n += manyQueries
	}
	for range n {
		vectors = append(vectors, hardUnit(rng, dim, stored))
	}
	return vectors
}

// TestSequences runs random changes and searches beside the model.
func TestSequences(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		for _, dim := range []int{1, 3, 8, 127, 128, 512} {
			t.Run(fmt.Sprintf("dim=%d", dim), func(t *testing.T) {
				t.Parallel()
				const ids = 160
				rng := rand.New(rand.NewPCG(51, uint64(dim)))
				e, m := mustNew(t, name, dim), model{}
				for step := range 900 {
					id := ID(rng.IntN(ids))
					switch rng.IntN(5) {
					case 0, 1:
						v := hardUnit(rng, dim, m)
						put(t, e, id, v)
						m[id] = slices.Clone(v)
						clear(v) // the engine must have copied
					case 2:
						_, want := m[id]
						if got := e.Delete(id); got != want {
							t.Fatalf("Delete(%d) is %v", id, got)
						}
						delete(m, id)
					case 3:
						m.checkSearch(t, e, randomQuery(rng, dim, ids, m))
					default:
						m.checkSearchMany(t, e, randomQueries(rng, dim, m), randomQuery(rng, dim, ids, m))
					}
					if step%100 == 0 {
						m.checkState(t, e)
					}
				}
				for id := range ID(ids) { // delete everything, then start again
					e.Delete(id)
				}
				model{}.checkState(t, e)
				model{}.checkSearch(t, e, randomQuery(rng, dim, ids, nil))
				m = model{7: randomUnit(rng, dim)}
				put(t, e, 7, m[7])
				m.checkState(t, e)
				m.checkSearch(t, e, Query{Vector: m[7], K: 3})
			})
		}
	})
}

// TestManyRows crosses the seams of blocks and chunks, in a dimension of
// 1,024 rows per chunk, with scopes on both sides of the cut between gather and scan.
func TestManyRows(t *testing.T) {
	const dim, n = 500, 1300
	rng := rand.New(rand.NewPCG(53, 54))
	e, m := mustNew(t, exactName, dim), model{}
	for id := range ID(n) {
		m[id] = randomUnit(rng, dim)
		put(t, e, id, m[id])
	}
	for len(m) > 200 {
		for range 12 {
			m.checkSearch(t, e, randomQuery(rng, dim, n, m))
		}
		for range 3 {
			m.checkSearchMany(t, e, randomQueries(rng, dim, m), randomQuery(rng, dim, n, m))
		}
		for range 250 {
			id := ID(rng.IntN(n))
			e.Delete(id)
			delete(m, id)
		}
	}
	m.checkState(t, e)
}

// IDs far apart must work and must not cost memory by their distance.
func TestHugeIDGaps(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		const dim = 8
		rng := rand.New(rand.NewPCG(55, 56))
		e, m := mustNew(t, name, dim), model{}
		for _, id := range []ID{0, 1 << 20, 1 << 31, math.MaxUint32 - 1, math.MaxUint32} {
			m[id] = randomUnit(rng, dim)
			put(t, e, id, m[id])
		}
		m.checkState(t, e)
		m.checkSearch(t, e, Query{Vector: m[math.MaxUint32], K: 2, Exact: true})
		m.checkSearch(t, e, Query{Vector: m[0], K: 3, Allow: NewSet(0, 5, math.MaxUint32)})
		if e.Bytes() > 64<<20 {
			t.Errorf("%d vectors hold %d bytes", e.Len(), e.Bytes())
		}
	})
}

// Vectors lends no lock: the caller may change the engine between two vectors.
func TestChangeDuringVectors(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		const dim, n = 8, 140
		rng := rand.New(rand.NewPCG(57, 58))
		e := mustNew(t, name, dim)
		for id := range ID(n) {
			put(t, e, id, randomUnit(rng, dim))
		}
		met := map[ID]int{}
		for id := range e.Vectors() {
			met[id]++
			e.Delete(ID(rng.IntN(n/2)) * 2) // even IDs go; the odd ones stay
			put(t, e, n+id, randomUnit(rng, dim))
			if id >= 2*n {
				break
			}
		}
		for id, times := range met {
			if times != 1 {
				t.Errorf("%d was met %d times", id, times)
			}
		}
		for id := ID(1); id < n; id += 2 {
			if met[id] != 1 {
				t.Errorf("%d stayed and was met %d times", id, met[id])
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		e, m := mustNew(t, name, 2), model{1: {1, 0}, 2: {0.6, 0.8}}
		for id, v := range m {
			put(t, e, id, v)
		}
		unit := []float32{0, 1}
		for _, c := range []struct {
			v    []float32
			want error
		}{
			{nil, ErrDimension}, {[]float32{1}, ErrDimension}, {[]float32{1, 0, 0}, ErrDimension},
			{[]float32{0, 0}, ErrNotUnit}, {[]float32{2, 0}, ErrNotUnit},
			{[]float32{float32(math.NaN()), 1}, ErrNotUnit}, {[]float32{float32(math.Inf(-1)), 0}, ErrNotUnit},
		} {
			for _, id := range []ID{1, 3} {
				if err := e.Add([]ID{4, id}, [][]float32{{1, 0}, c.v}); !errors.Is(err, c.want) && !errors.Is(err, ErrExists) {
					t.Errorf("Add of %v: %v, want %v", c.v, err, c.want)
				}
			}
			if _, err := e.Search(Query{Vector: c.v, K: 1}); !errors.Is(err, c.want) {
				t.Errorf("Search for %v: %v, want %v", c.v, err, c.want)
			}
			if results, err := e.SearchMany([][]float32{unit, c.v}, Query{K: 1}); !errors.Is(err, c.want) || results != nil {
				t.Errorf("SearchMany with %v: %v, %v, want %v", c.v, results, err, c.want)
			}
		}
		for _, ids := range [][]ID{{3, 1}, {3, 4, 3}} {
			if err := e.Add(ids, slices.Repeat([][]float32{unit}, len(ids))); !errors.Is(err, ErrExists) {
				t.Errorf("Add under %v: %v, want %v", ids, err, ErrExists)
			}
		}
		if err := e.Add([]ID{3, 4}, [][]float32{unit}); !errors.Is(err, ErrDimension) {
			t.Errorf("Add of one vector under two IDs: %v, want %v", err, ErrDimension)
		}
		if e.Vector(3, make([]float32, 2)) {
			t.Error("there is a vector under an ID that was refused")
		}
		for _, k := range []int{0, -1, math.MinInt} {
			if _, err := e.Search(Query{Vector: unit, K: k}); !errors.Is(err, ErrK) {
				t.Errorf("K of %d: %v, want %v", k, err, ErrK)
			}
			if _, err := e.SearchMany([][]float32{unit}, Query{K: k}); !errors.Is(err, ErrK) {
				t.Errorf("K of %d, many: %v, want %v", k, err, ErrK)
			}
		}
		m.checkState(t, e) // nothing changed
		m.checkSearch(t, e, Query{Vector: unit, K: 2})
	})
}

func TestNew(t *testing.T) {
	for _, name := range Engines {
		e := mustNew(t, name, 5)
		if e.Name() != name || e.Dim() != 5 || e.Len() != 0 {
			t.Errorf("New(%q, 5) is %q of dimension %d with %d vectors", name, e.Name(), e.Dim(), e.Len())
		}
		for _, dim := range []int{0, -3, maxDim + 1} {
			if _, err := New(name, dim); !errors.Is(err, ErrDimension) {
				t.Errorf("New(%q, %d): %v", name, dim, err)
			}
		}
	}
	_, err := New("no-such-engine", 5)
	if err == nil {
		t.Fatal("an unknown engine was made")
	}
	for _, name := range Engines {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not list %q", err, name)
		}
	}
}
