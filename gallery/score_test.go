package gallery

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// Rankings among many students, with crops that disagree, against brute force. The
// search must not stop before it has everybody who belongs there.
func TestRankingsByBruteForce(t *testing.T) {
	for _, engine := range []string{"exact", "hnsw"} {
		t.Run(engine, func(t *testing.T) {
			rng := newRand(t, 41)
			g := openGallery(t, Options{Engine: engine})
			crops := map[string][][]float32{}
			for i := range 400 {
				id := fmt.Sprintf("student-%03d", i)
				for j := range 1 + rng.IntN(6) {
					who, spread := i, 0.3+0.5*rng.Float64()
					if rng.IntN(10) == 0 {
						who = rng.IntN(400) // somebody else's face
					}
					v := face(rng, who, wide.Dimension, spread)
					crops[id] = append(crops[id], v)
					mustEnroll(t, g, Enrolment{CropID: fmt.Sprint(id, "-", j), StudentID: id, Embedding: made(wide, v), AllowDuplicate: true, AllowUnlike: true})
				}
			}
			// Crops that hardly agree: a probe in their middle is far from each of them.
			for i := range 40 {
				id := fmt.Sprintf("wide-%03d", i)
				for j := range 6 {
					v := face(rng, 1000+i, wide.Dimension, 1.1)
					crops[id] = append(crops[id], v)
					mustEnroll(t, g, Enrolment{CropID: fmt.Sprint(id, "-", j), StudentID: id, Embedding: made(wide, v), AllowDuplicate: true, AllowUnlike: true})
				}
			}
			for round := range 200 {
				probe := face(rng, rng.IntN(500), wide.Dimension, 0.6)
				if round%2 == 0 {
					probe = face(rng, 1000+rng.IntN(40), wide.Dimension, 2)
				}
				var want []Candidate
				for id, vectors := range crops {
					want = append(want, Candidate{StudentID: id, Similarity: float32(plainScore(probe, vectors))})
				}
				slices.SortFunc(want, func(a, b Candidate) int { return cmp.Compare(b.Similarity, a.Similarity) })
				m, release, err := g.read(ctx)
				if err != nil {
					t.Fatal(err)
				}
				r, err := m.roster(wide, Scope{}, "")
				if err != nil {
					t.Fatal(err)
				}
				floor := want[rng.IntN(4)].Similarity - 2*near
				rankings, err := r.rank([][]float32{probe}, 1+rng.IntN(3), floor, 0.5, true)
				release()
				if err != nil {
					t.Fatal(err)
				}
				got := rankings[0].students
				for i, w := range want {
					if w.Similarity < floor {
						break
					}
					if i >= len(got) || math.Abs(float64(got[i].Similarity-w.Similarity)) > near {
						t.Fatalf("place %d: %v, want %v", i, got[min(i, len(got)-1)], w)
					}
				}
			}
		})
	}
}

// A crop of somebody else, or a poor one, draws no score down: it stands alone.
func TestCropsThatDisagreeStandAlone(t *testing.T) {
	rng := newRand(t, 43)
	g := openGallery(t, Options{})
	var good [][]float32
	for i := range 3 {
		good = append(good, face(rng, 1, wide.Dimension, 0.4))
		mustEnroll(t, g, Enrolment{CropID: fmt.Sprint("a", i), StudentID: "a", Embedding: made(wide, good[i])})
	}
	identify := func() Identification {
		got, err := g.Identify(ctx, Probe{Embedding: made(wide, face(newRand(t, 44), 1, wide.Dimension, 0.4))})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := identify()
	mustEnroll(t, g, Enrolment{CropID: "wrong", StudentID: "a", Embedding: made(wide, face(rng, 2, wide.Dimension, 0.4))})
	after := identify()
	if after.Similarity != before.Similarity || len(after.Crops[0]) != 4 {
		t.Errorf("a wrong crop makes %v of %v", after, before)
	}
	for i, c := range after.Crops[0] {
		if c.Alone != (c.CropID == "wrong") || i > 0 && c.Similarity > after.Crops[0][i-1].Similarity {
			t.Errorf("crop %d: %+v", i, c)
		}
	}
}

// Of very many crops the newest make the centroid. The others count alone.
func TestVeryManyCrops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		rng := newRand(t, 47)
		g := openGallery(t, Options{})
		const many = 2 * mostTogether
		for i := range many {
			mustEnroll(t, g, Enrolment{CropID: fmt.Sprintf("a%03d", many-i), StudentID: "a", Embedding: made(wide, face(rng, 1, wide.Dimension, 0.4))})
			time.Sleep(time.Second)
		}
		m, release, err := g.read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.roster(wide, Scope{}, "")
		if err != nil {
			t.Fatal(err)
		}
		u := r.united(m.students["a"])
		release()
		if u.core != mostTogether || len(u.crops) != many {
			t.Fatalf("%d of %d crops make the centroid, want %d", u.core, len(u.crops), mostTogether)
		}
		for i, c := range u.crops {
			if newest := c.ID <= fmt.Sprintf("a%03d", mostTogether); newest != (i < mostTogether) {
				t.Errorf("place %d: crop %s", i, c.ID)
			}
		}
	})
}
