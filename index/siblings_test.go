package index

import (
	"math/rand/v2"
	"testing"
)

// TestSiblings asks where decisions are hard: among clusters of siblings, whose
// vectors resemble each other, with probes whose best similarity lies about a
// threshold, while crops come and go. Who is best, whether that reaches the
// threshold and who comes next must be as by brute force in every exact answer.
func TestSiblings(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		t.Parallel()
		const dim, families, siblings, crops = 64, 60, 3, 4
		const threshold, band = 0.45, 0.02
		probes := 150
		if name == exactName {
			probes = 1000
		}
		rng := rand.New(rand.NewPCG(121, 122))
		e, m := mustNew(t, name, dim), model{}
		var people [][]float32
		for range families {
			family := randomUnit(rng, dim)
			for range siblings {
				people = append(people, towards(rng, family, 0.8))
			}
		}
		id := ID(0)
		add := func() {
			v := towards(rng, people[rng.IntN(len(people))], 0.75)
			m[id] = v
			put(t, e, id, v)
			id++
		}
		for range len(people) * crops {
			add()
		}
		near, exact, reached := 0, 0, 0
		for i := 0; near < probes; i++ {
			if i == 100*probes {
				t.Fatalf("only %d probes lie about the threshold", near)
			}
			q := Query{Vector: towards(rng, people[rng.IntN(len(people))], 0.6), K: 2 + rng.IntN(8), Threshold: threshold, Exact: i%3 == 0}
			if i%2 == 0 { // classes, of which siblings are in different ones
				q.Allow = NewSet()
				for other := range m {
					if other%5 > ID(i%4) {
						q.Allow.Add(other)
					}
				}
			}
			best := float32(-1)
			for other, v := range m {
				if q.Allow == nil || q.Allow.Has(other) {
					best = max(best, float32(similarity(v, q.Vector)))
				}
			}
			if best < threshold-band || best > threshold+band {
				continue
			}
			near++
			result, err := e.Search(q)
			if err != nil {
				t.Fatal(err)
			}
			if !result.Exact {
				if q.Exact || name == exactName {
					t.Fatal("not exact though demanded")
				}
				m.checkHits(t, q, result.Hits)
			} else {
				m.checkExact(t, q, result.Hits)
				exact++
				if result.Hits[0].Similarity >= threshold {
					reached++
				}
			}
			gone := ID(rng.IntN(int(id)))
			e.Delete(gone)
			delete(m, gone)
			add()
		}
		if exact < probes/3 || reached < exact/5 || reached > exact*4/5 {
			t.Errorf("%d of %d answers are exact, %d reach the threshold", exact, probes, reached)
		}
	})
}
