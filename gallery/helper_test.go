package gallery

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

var ctx = context.Background()

// small is a model of few dimensions, calibrated.
var small = Model{
	Name: "small", Digest: "aa11", Dimension: 8, Threshold: 0.5,
	Calibration: []Calibration{{1e-1, 0.60}, {1e-2, 0.72}, {1e-3, 0.80}, {1e-4, 0.86}},
}

// plain is a model without a calibration.
var plain = Model{Name: "plain", Digest: "bb22", Dimension: 16, Threshold: 0.7}

func openStore(t testing.TB, fs vfs.FS) *storage.Store {
	t.Helper()
	store, err := storage.Open("gallery", storage.Options{FS: fs, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openGallery returns a gallery in memory, closed when the test ends.
func openGallery(t testing.TB, opts Options) *Gallery {
	t.Helper()
	store := openStore(t, vfs.NewMem())
	g, err := Open(ctx, store, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil && err != ErrClosed {
			t.Error(err)
		}
		if err := store.Close(); err != nil && err != storage.ErrClosed {
			t.Error(err)
		}
	})
	return g
}

func newRand(t testing.TB, seed uint64) *rand.Rand {
	t.Helper()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// unit returns v scaled to unit length.
func unit(v []float32) []float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) / math.Sqrt(sum))
	}
	return out
}

// face returns a random vector near the centre that belongs to the person; the
// larger the spread, the less near.
func face(rng *rand.Rand, person, dim int, spread float64) []float32 {
	centre := rand.New(rand.NewPCG(uint64(person), uint64(dim)))
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(centre.NormFloat64() + spread*rng.NormFloat64())
	}
	return unit(v)
}

// at returns a vector of the model that has exactly (but for rounding) the given
// similarities to the first base vectors; what is left to unit length it has in
// common with the last one.
func at(m Model, similarities ...float32) []float32 {
	v := make([]float32, m.Dimension)
	rest := 1.0
	for i, s := range similarities {
		v[i] = s
		rest -= float64(s) * float64(s)
	}
	if rest < 0 {
		panic("similarities too large together")
	}
	v[m.Dimension-1] = float32(math.Sqrt(rest))
	return v
}

// base returns the i-th base vector.
func base(m Model, i int) []float32 {
	v := make([]float32, m.Dimension)
	v[i] = 1
	return v
}

func mustEnroll(t testing.TB, g *Gallery, e Enrolment) Enrolled {
	t.Helper()
	out, err := g.Enroll(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustBeConsistent(t testing.TB, g *Gallery) {
	t.Helper()
	r, err := g.CheckConsistency(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r.Total != 0 {
		t.Fatalf("%d differences: %v", r.Total, r.Differences)
	}
}

// picture is everything in memory, in a form that two galleries can be compared by.
func picture(g *Gallery) map[string]string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := map[string]string{"stored": fmt.Sprint(g.state.stored), "seq": fmt.Sprint(g.state.seq)}
	for id, st := range g.state.students {
		out["student "+id] = fmt.Sprint(st.groups, len(st.crops))
	}
	for name, sp := range g.state.spaces {
		out["model "+name] = fmt.Sprint(sp.model.Digest, sp.engine.Len(), len(sp.students))
		for id, v := range sp.engine.Vectors() {
			if c := sp.owner(id); c != nil {
				out["crop "+c.id+" "+name] = fmt.Sprint(c.student.id, v)
			}
		}
	}
	return out
}
