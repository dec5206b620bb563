package gallery

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// shots returns n vectors of a person under the model wide.
func shots(rng *rand.Rand, person, n int, spread float64) (vectors [][]float32) {
	for range n {
		vectors = append(vectors, face(rng, person, wide.Dimension, spread))
	}
	return vectors
}

// TestSamePerson: somebody has more than half of the frames, and each of the others shows another person.
func TestSamePerson(t *testing.T) {
	const agree = 0.5
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		n := 1 + rng.IntN(MaxFrames)
		own := n/2 + 1 + rng.IntN(n-n/2)
		vectors := shots(rng, 0, own, 0.5)
		for len(vectors) < n {
			vectors = append(vectors, shots(rng, len(vectors), 1, 0)...)
		}
		order := rng.Perm(n)
		shuffled := make([][]float32, n)
		for i, j := range order {
			shuffled[j] = vectors[i]
		}
		frames := samePerson(shuffled, agree)
		for i, j := range order {
			f := frames[j]
			if f.Counted != (i < own) {
				t.Fatalf("seed %d: %d of %d frames are one person's; frame %d counts: %v", seed, own, n, i, f.Counted)
			}
			if want := agreementOf(shuffled, frames, j); math.Abs(float64(f.Agreement)-want) > 1e-5 {
				t.Fatalf("seed %d: frame %d agrees by %v, want %v", seed, i, f.Agreement, want)
			}
		}
	}
}

// agreementOf is the similarity of frame i and those that count, without itself, computed anew.
func agreementOf(vectors [][]float32, frames []Frame, i int) float64 {
	sum := make([]float64, wide.Dimension)
	others := 0
	for j, f := range frames {
		if f.Counted && j != i {
			others++
			for k, x := range vectors[j] {
				sum[k] += float64(x)
			}
		}
	}
	if others == 0 {
		return 0
	}
	var product, square float64
	for k, x := range sum {
		product += x * float64(vectors[i][k])
		square += x * x
	}
	return product / math.Sqrt(square)
}

// TestNoPersonHasMostFrames: where nobody has more than half of the frames, none counts.
func TestNoPersonHasMostFrames(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		half := 1 + rng.IntN(MaxFrames/2)
		vectors := append(shots(rng, 1, half, 0.3), shots(rng, 2, half, 0.3)...)
		for i, f := range samePerson(vectors, 0.5) {
			if f.Counted {
				t.Fatalf("seed %d: frame %d of %d counts", seed, i, 2*half)
			}
		}
	}
	opposite := [][]float32{{1, 0}, {-1, 0}, {1, 0}, {-1, 0}}
	for _, f := range samePerson(opposite, -1) { // even then: the mean has no direction
		if math.IsNaN(float64(f.Agreement)) {
			t.Error("an agreement is no number")
		}
	}
}

// TestIdentifyBurst compares with Identify of the mean vector, whose threshold follows from the length of the
// mean.
func TestIdentifyBurst(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	g := openGallery(t, Options{})
	ada, ben := shots(rng, 1, 9, 0.5), shots(rng, 2, 9, 0.5)
	mustEnroll(t, g, Enrolment{CropID: "ada/1", StudentID: "ada", Embedding: made(wide, ada[0])})
	mustEnroll(t, g, Enrolment{CropID: "ben/1", StudentID: "ben", Embedding: made(wide, ben[0])})
	for n := 1; n <= 8; n++ {
		var frames []Embedding
		for _, v := range ada[1 : n+1] {
			frames = append(frames, made(wide, v))
		}
		got, each, err := g.IdentifyBurst(ctx, Burst{Frames: frames})
		if err != nil || len(each) != n || slices.ContainsFunc(each, func(f Frame) bool { return !f.Counted }) {
			t.Fatalf("%d frames: %v, %+v", n, err, each)
		}
		sum := make([]float64, wide.Dimension)
		for _, v := range ada[1 : n+1] {
			for k, x := range v {
				sum[k] += float64(x) / float64(n)
			}
		}
		var square float64
		mean := make([]float32, wide.Dimension)
		for _, x := range sum {
			square += x * x
		}
		for k, x := range sum {
			mean[k] = float32(x / math.Sqrt(square))
		}
		want, err := g.Identify(ctx, Probe{Embedding: made(wide, mean)})
		if err != nil {
			t.Fatal(err)
		}
		threshold := float64(want.Threshold) / math.Pow(square, burstPower/2)
		if math.Abs(float64(got.Similarity-want.Similarity)) > 1e-5 || math.Abs(float64(got.Threshold)-threshold) > 1e-5 || got.StudentID != "ada" {
			t.Errorf("%d frames: %+v, want similarity %v and threshold %v", n, got, want.Similarity, threshold)
		}
		if n == 1 && got.Threshold != want.Threshold {
			t.Errorf("one frame: the threshold is %v, that of Identify %v", got.Threshold, want.Threshold)
		}
	}
	mixed := []Embedding{made(wide, ada[1]), made(wide, ben[1])}
	id, each, err := g.IdentifyBurst(ctx, Burst{Frames: mixed})
	if err != nil || id.Verdict != Unknown || !slices.Equal(id.Reasons, []string{ReasonAnotherPerson}) || each[0].Counted || each[1].Counted {
		t.Errorf("two people: %v, %+v, %+v", err, id, each)
	}
	for name, frames := range map[string][]Embedding{
		"no frame":      nil,
		"eleven frames": slices.Repeat(mixed[:1], MaxFrames+1),
		"two models":    {mixed[0], made(plain, base(plain, 0))},
	} {
		if _, _, err := g.IdentifyBurst(ctx, Burst{Frames: frames}); !errors.Is(err, ErrInvalidVector) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A threshold stays as it is where nothing is stricter, also one below 0.
func TestStrictness(t *testing.T) {
	for _, threshold := range []float32{-0.2, 0, 0.4, 1} {
		for _, s := range []strictness{0, 1} {
			if got := s.than(threshold); got != threshold {
				t.Errorf("%v makes %v of %v", s, got, threshold)
			}
		}
		if got := strictness(1.2).than(threshold); got < threshold || got > 1 {
			t.Errorf("stricter than %v is %v", threshold, got)
		}
	}
}
