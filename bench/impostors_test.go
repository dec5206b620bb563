package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestImpostors compares with every comparison written down: each pair of people counts alike, and two
// names of one person do not count.
func TestImpostors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var embeddings [][]float32
	var people []string
	crop := func(who string, centre []float32) {
		e := make([]float32, len(centre))
		var square float64
		for i := range e {
			e[i] = centre[i] + 0.1*float32(r.NormFloat64())
			square += float64(e[i] * e[i])
		}
		for i := range e {
			e[i] /= float32(math.Sqrt(square))
		}
		embeddings, people = append(embeddings, e), append(people, who)
	}
	for p := range 30 {
		centre := make([]float32, 16)
		for i := range centre {
			centre[i] = float32(r.NormFloat64()) / 4
		}
		for range 1 + p%4 {
			crop(strconv.Itoa(p), centre)
		}
		if p == 7 { // listed twice
			crop("again", centre)
		}
	}
	got, err := compareImpostors(t.Context(), embeddings, people)
	if err != nil {
		t.Fatal(err)
	}
	if got.same != 1 || got.total != 30*31/2-1 {
		t.Fatalf("%d pairs left out of %g", got.same, got.total)
	}
	crops := make(map[string]int)
	for _, p := range people {
		crops[p]++
	}
	type weighted struct{ similarity, weight float64 }
	var all []weighted
	for i, a := range people {
		for j, b := range people[:i] {
			if a != b && !(a == "again" && b == "7") && !(a == "7" && b == "again") {
				all = append(all, weighted{float64(dot(embeddings[i], embeddings[j])), 1 / float64(crops[a]*crops[b])})
			}
		}
	}
	slices.SortFunc(all, func(a, b weighted) int { return int(math.Copysign(1, b.similarity-a.similarity)) })
	for _, fmr := range []float64{0.5, 0.1, 0.01} {
		over, want := 0.0, 0.0
		for _, w := range all {
			if over += w.weight; over > fmr*got.total {
				want = w.similarity
				break
			}
		}
		if s := got.at(fmr); math.Abs(s-want) > 2*similarityStep {
			t.Errorf("FMR %g at %g, and sorted at %g", fmr, s, want)
		}
	}
}

// TestParetoTail takes the tail of a distribution whose tail is known: that of 1 - u^k with u uniform is a
// generalised Pareto one of shape k at every limit.
func TestParetoTail(t *testing.T) {
	const shape, n = 0.2, 2_000_000
	r := rand.New(rand.NewPCG(5, 6))
	m := &impostors{weights: make([]float64, similarityBins), total: n}
	for range n {
		m.weights[similarityBin(float32(0.9-math.Pow(r.Float64(), shape)))]++
	}
	tail := m.fitTail(1e-2)
	if math.Abs(tail.shape-shape) > 0.05 {
		t.Errorf("shape %g, want %g", tail.shape, shape)
	}
	for _, fmr := range []float64{1e-3, 1e-4, 1e-5} {
		if got, want := tail.at(fmr), 0.9-math.Pow(fmr, shape); math.Abs(got-want) > 0.01 {
			t.Errorf("FMR %g at %g, want %g", fmr, got, want)
		}
	}
}

func TestCalibrateTooFew(t *testing.T) {
	m := &impostors{weights: make([]float64, similarityBins), total: 300}
	_, err := m.calibrate("test")
	wantError(t, err, "too few")
}
