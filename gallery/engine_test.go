package gallery

import (
	"errors"
	"testing"

	"rollcall/index"
)

// brokenEngine takes no vectors.
type brokenEngine struct{ index.Engine }

var errBroken = errors.New("broken")

func (brokenEngine) Add([]index.ID, [][]float32) error { return errBroken }

// panickingEngine panics where the indexes are told to take vectors.
type panickingEngine struct{ index.Engine }

func (panickingEngine) Add([]index.ID, [][]float32) error { panic("a vector, say") }

// blindEngine finds, unless an exact answer is demanded, only the last of the
// hits, and says honestly that this is not exact.
type blindEngine struct {
	index.Engine
	exact, any int // searches that demanded exactness, and others
}

func (e *blindEngine) SearchMany(vectors [][]float32, q index.Query) ([]index.Result, error) {
	results, err := e.Engine.SearchMany(vectors, q)
	if q.Exact {
		e.exact++
		return results, err
	}
	e.any++
	for i := range results {
		res := &results[i]
		if n := len(res.Hits); n > 0 {
			res.Hits = res.Hits[n-1:]
		}
		res.Exact = false
	}
	return results, err
}

// An approximate answer says that it is one, and is not asked for again exactly.
func TestApproximateSaysSo(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
	mustEnroll(t, g, Enrolment{CropID: "b1", StudentID: "b", Embedding: made(plain, base(plain, 1))})
	sp := g.writer.memory.Load().spaces[plain.Name]
	blind := &blindEngine{Engine: sp.engine}
	sp.engine = blind

	for _, tc := range []struct {
		name    string
		vector  []float32
		scope   Scope
		verdict Verdict
		student string
	}{
		{"found", at(plain, 0.1, 0.9), Scope{StudentIDs: []string{"b"}}, Match, "b"},
		{"missed", at(plain, 0.9, 0.1), Scope{}, Unknown, ""},
		{"unknown", at(plain, 0.2, 0.2), Scope{}, Unknown, ""},
		{"half of an ambiguous one", at(plain, 0.705, 0.704), Scope{}, Match, "b"},
	} {
		*blind = blindEngine{Engine: blind.Engine}
		got, err := g.Identify(ctx, Probe{Embedding: made(plain, tc.vector), Scope: tc.scope})
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict != tc.verdict || got.StudentID != tc.student || got.Exact || blind.exact > 0 || blind.any == 0 {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}

	// Neither a duplicate nor a roll call rests on an approximate search.
	var dup *DuplicateError
	_, err := g.Enroll(ctx, Enrolment{CropID: "c1", StudentID: "c", Embedding: made(plain, base(plain, 0))})
	if !errors.As(err, &dup) || dup.StudentID != "a" {
		t.Errorf("duplicate: %v", err)
	}
	roll, err := g.RollCall(ctx, plain.Name, allMade(plain, [][]float32{base(plain, 0), base(plain, 1)}), Scope{}, 0)
	if err != nil || roll.Seats[0].StudentID != "a" || roll.Seats[1].StudentID != "b" {
		t.Errorf("roll call: %+v, %v", roll, err)
	}
}

// A change that is stored but does not fit into memory makes the gallery load
// itself anew: the change was made, and is there.
func TestChangeThatDoesNotFitIntoMemory(t *testing.T) {
	for name, wrap := range map[string]func(index.Engine) index.Engine{
		"refused": func(e index.Engine) index.Engine { return brokenEngine{e} },
		"panics":  func(e index.Engine) index.Engine { return panickingEngine{e} },
	} {
		t.Run(name, func(t *testing.T) {
			g := openGallery(t, Options{})
			mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
			before := g.writer.memory.Load()
			sp := before.spaces[plain.Name]
			sp.engine = wrap(sp.engine)

			out := mustEnroll(t, g, Enrolment{CropID: "b1", StudentID: "b", Embedding: made(plain, base(plain, 1))})
			if g.writer.memory.Load() == before || out.Seq != sequence(t, g) {
				t.Fatalf("%+v, and memory is the same one: %v", out, g.writer.memory.Load() == before)
			}
			for i, id := range []string{"a", "b"} {
				got, err := g.Identify(ctx, Probe{Embedding: made(plain, base(plain, i))})
				if err != nil || got.StudentID != id || got.Students != 2 {
					t.Errorf("%+v, %v", got, err)
				}
			}
			// What the changes before it brought is remembered no more, and found all the same.
			var dup *DuplicateError
			if _, err := g.Enroll(ctx, Enrolment{CropID: "c1", StudentID: "c", Embedding: made(plain, base(plain, 1))}); !errors.As(err, &dup) {
				t.Errorf("a duplicate: %v", err)
			}
			mustBeConsistent(t, g)
			mustBeAsStored(t, g)
		})
	}
}

// A change that panics halfway leaves a memory that nobody reads any more.
func TestChangeThatPanicsHalfway(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Groups: []string{"g"}, Embedding: made(plain, base(plain, 0))})
	before := g.writer.memory.Load()
	before.students["a"].crops = nil
	if err := g.DeleteCrop(ctx, "a1"); err != nil {
		t.Fatal(err)
	}
	mustBeAsStored(t, g)
	held := &Gallery{writer: &writer{stop: make(chan struct{})}} // as a search that had it in hand
	held.writer.memory.Store(before)
	if _, err := held.Student(ctx, "a"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("half a change is read: %v", err)
	}
}

// What the gallery accepts, the index must accept.
func TestVectorToleranceFitsIndex(t *testing.T) {
	engine, err := index.New(DefaultEngine, 2)
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Name: "m", Digest: "d", Dimension: 2}
	accepted := 0
	for i := range 4000 {
		v := []float32{1 + (float32(i)-2000)*1e-7, 0}
		if m.checkVector(v) == nil {
			if err := engine.Add([]index.ID{index.ID(accepted)}, [][]float32{v}); err != nil {
				t.Fatalf("length %v: %v", v[0], err)
			}
			accepted++
		}
	}
	if accepted == 0 || accepted == 4000 {
		t.Errorf("%d accepted: the edge was not met", accepted)
	}
}
