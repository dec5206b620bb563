package gallery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

var ctx = context.Background()

// small is a model of few dimensions, calibrated.
var small = Model{
	Name: "small", Digest: "aa11", Dimension: 8, Recipe: "small, eyes, 1", Threshold: 0.5,
	Calibration: []Calibration{{1e-1, 0.60}, {1e-2, 0.72}, {1e-3, 0.80}, {1e-4, 0.86}},
}

// plain is a model without a calibration.
var plain = Model{Name: "plain", Digest: "bb22", Dimension: 16, Recipe: "plain, eyes, 1", Threshold: 0.7}

// low has a threshold low enough for one probe to resemble several students.
var low = Model{Name: "low", Digest: "cc33", Dimension: 16, Recipe: "low, eyes, 1", Threshold: 0.4}

// wide is a model of a usual dimension.
var wide = Model{Name: "wide", Digest: "dd44", Dimension: 128, Recipe: "wide, eyes, 1", Threshold: 0.5}

// catalogue returns an Options.Models that knows these models. Of another one it
// gives facts that do not do.
func catalogue(models ...Model) func(string) (Model, error) {
	return func(name string) (Model, error) {
		for _, m := range models {
			if m.Name == name {
				return m, nil
			}
		}
		return Model{Name: name}, nil
	}
}

var everyModel = catalogue(small, plain, low, wide)

// made returns an embedding as the model makes it.
func made(m Model, vector []float32) Embedding {
	return Embedding{Model: m.Name, Digest: m.Digest, Recipe: m.Recipe, Vector: vector}
}

// under returns the probe of a stored crop under the model.
func under(m Model) Probe { return Probe{Embedding: Embedding{Model: m.Name}} }

// openPebble returns a store on a file system.
func openPebble(t testing.TB, fs vfs.FS) *storage.Store {
	t.Helper()
	store, err := storage.Open("gallery", storage.Options{FS: fs, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// backends are what the galleries of the main tests lie on. Each returns a store
// that opens again with what it had.
var backends = map[string]func(t testing.TB) (open func() *storage.Store){
	"memory": func(testing.TB) func() *storage.Store {
		store := storage.OpenMemory(storage.Faults{})
		return func() *storage.Store { return store }
	},
	"pebble": func(t testing.TB) func() *storage.Store {
		fs := vfs.NewMem()
		var store *storage.Store
		return func() *storage.Store {
			if store != nil {
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
			}
			store = openPebble(t, fs)
			return store
		}
	},
}

// disk is what a store in memory does at its commits; it may be exchanged while the
// store is in use.
type disk struct{ before, after atomic.Pointer[func() error] }

func (d *disk) open() *storage.Store {
	call := func(do *atomic.Pointer[func() error]) func() error {
		return func() error {
			if f := do.Load(); f != nil {
				return (*f)()
			}
			return nil
		}
	}
	return storage.OpenMemory(storage.Faults{BeforeCommit: call(&d.before), AfterCommit: call(&d.after)})
}

// hold keeps the commits that come after it from the disk, until it is released.
func (d *disk) hold() (release func()) {
	wait := make(chan struct{})
	d.before.Store(new(func() error { <-wait; return nil }))
	return func() {
		d.before.Store(nil)
		close(wait)
	}
}

// openGallery returns a gallery in memory, closed when the test ends.
func openGallery(t testing.TB, opts Options) *Gallery {
	t.Helper()
	return openOn(t, storage.OpenMemory(storage.Faults{}), opts)
}

// openOn returns a gallery in the store; both are closed when the test ends.
func openOn(t testing.TB, store *storage.Store, opts Options) *Gallery {
	t.Helper()
	g, err := open(store, opts)
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

// open opens the store's gallery, with every model of the tests unless the options
// have others.
func open(store *storage.Store, opts Options) (*Gallery, error) {
	if opts.Models == nil {
		opts.Models = everyModel
	}
	partition, err := store.Partition(DefaultGallery)
	if err != nil {
		return nil, err
	}
	return Open(ctx, partition, opts)
}

// sequence returns the number of the last change on disk.
func sequence(t testing.TB, g *Gallery) uint64 {
	t.Helper()
	n, err := g.writer.partition.Sequence(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return n
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

// mustEnroll enrols a crop, like the student's other ones or not: a test of
// something else need not care.
func mustEnroll(t testing.TB, g *Gallery, e Enrolment) Enrolled {
	t.Helper()
	e.AllowUnlike = true
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

// mustBeAsStored compares memory with what loading it anew makes of the disk, and
// both with themselves. No change may be under way.
func mustBeAsStored(t testing.TB, g *Gallery) {
	t.Helper()
	if err := asStored(g); err != nil {
		t.Fatal(err)
	}
}

func asStored(g *Gallery) error {
	m := g.writer.memory.Load()
	if m == nil {
		return errors.New("not in memory")
	}
	fresh, err := load(ctx, g.writer.partition, &g.opts)
	if err != nil {
		return err
	}
	for _, m := range []*memory{m, fresh} {
		if err := checkMemory(m); err != nil {
			return err
		}
	}
	if got, want := stateOf(m), stateOf(fresh); !maps.Equal(got, want) {
		return fmt.Errorf("memory:\n%v\nfrom storage:\n%v", got, want)
	}
	return nil
}

// stateOf returns what memory says, in a form that two galleries can be compared by.
func stateOf(m *memory) map[string]string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := map[string]string{"settings": fmt.Sprint(m.settings), "seq": fmt.Sprint(m.seq)}
	for id, st := range m.students {
		out["student "+id] = fmt.Sprint(st.Student, len(st.crops))
	}
	for id, c := range m.crops {
		out["crop "+id] = fmt.Sprint(c.Crop)
		for _, p := range c.embeddings {
			out["embedding "+id+" "+p.space.Name] = fmt.Sprint(p.indexed, p.recipe.Value())
		}
	}
	for name, sp := range m.spaces {
		out["model "+name] = fmt.Sprint(sp.Model, sp.owned, len(sp.students))
		for id, v := range sp.engine.Vectors() {
			if c := sp.owner(id); c != nil {
				out["vector "+c.ID+" "+name] = fmt.Sprint(c.student.ID, v)
			}
		}
	}
	return out
}

// bubble runs a test in a bubble where time stands still unless everybody sleeps,
// and lets what the indexes do behind it come to its end.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Hour)
		test(t)
	})
}
