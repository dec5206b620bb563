package gallery

import (
	"errors"
	"testing"

	"rollcall/index"
)

// brokenEngine takes no vectors.
type brokenEngine struct{ index.Engine }

var errBroken = errors.New("broken")

func (brokenEngine) Upsert(index.ID, []float32) error { return errBroken }

// blindEngine finds, unless an exact answer is demanded, only the last of the
// hits, and says honestly that this is not exact.
type blindEngine struct {
	index.Engine
	exact int // searches that demanded exactness
}

func (e *blindEngine) Search(q index.Query) (index.Result, error) {
	res, err := e.Engine.Search(q)
	if q.Exact {
		e.exact++
		return res, err
	}
	if n := len(res.Hits); n > 0 {
		res.Hits = res.Hits[n-1:]
	}
	res.Exact = false
	return res, err
}

// Approximate search may only say yes.
func TestApproximateOnlySaysYes(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Model: plain, Vector: base(plain, 0)})
	mustEnroll(t, g, Enrolment{CropID: "b1", StudentID: "b", Model: plain, Vector: base(plain, 1)})
	sp := g.state.spaces[plain.Name]
	blind := &blindEngine{Engine: sp.engine}
	sp.engine = blind

	for _, tc := range []struct {
		name    string
		vector  []float32
		scope   Scope
		verdict Verdict
		exact   bool // decided by an exact search
	}{
		{"clear match", at(plain, 0.1, 0.9), Scope{StudentIDs: []string{"b"}}, Match, false},
		{"match, not clear", at(plain, 0.1, 0.72), Scope{StudentIDs: []string{"b"}}, Match, true},
		{"missed", at(plain, 0.9, 0.1), Scope{}, Match, true},
		{"unknown", at(plain, 0.2, 0.2), Scope{}, Unknown, true},
		{"ambiguous", at(plain, 0.705, 0.704), Scope{}, Ambiguous, true},
	} {
		blind.exact = 0
		got, err := g.Identify(ctx, Probe{Vector: tc.vector, Model: plain, Scope: tc.scope})
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict != tc.verdict || got.Exact != tc.exact || (blind.exact > 0) != tc.exact {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}

	// Neither a duplicate nor a roll call rests on an approximate search.
	var dup *DuplicateError
	_, err := g.Enroll(ctx, Enrolment{CropID: "c1", StudentID: "c", Model: plain, Vector: base(plain, 0)})
	if !errors.As(err, &dup) || dup.StudentID != "a" {
		t.Errorf("duplicate: %v", err)
	}
	roll, err := g.RollCall(ctx, [][]float32{base(plain, 0), base(plain, 1)}, plain, Scope{}, 0)
	if err != nil || roll.Seats[0].StudentID != "a" || roll.Seats[1].StudentID != "b" {
		t.Errorf("roll call: %+v, %v", roll, err)
	}
}

// A change that is stored but does not fit into the index stops all further
// ones, those under way included; reading goes on.
func TestFailedChangeStopsWriting(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Model: plain, Vector: base(plain, 0)})
	sp := g.state.spaces[plain.Name]
	working := sp.engine
	sp.engine = brokenEngine{working}

	release := hold(g)
	results := make(chan error)
	for _, id := range []string{"b", "c"} {
		before := g.store.Sequence()
		go func() {
			_, err := g.Enroll(ctx, Enrolment{CropID: id, StudentID: id, Model: plain, Vector: base(plain, 1), AllowDuplicate: true})
			results <- err
		}()
		waitFor(t, g, before+1)
	}
	release()
	broken, stopped := <-results, <-results
	if errors.Is(broken, ErrReadOnly) {
		broken, stopped = stopped, broken
	}
	if !errors.Is(broken, errBroken) || !errors.Is(stopped, ErrReadOnly) {
		t.Errorf("the failed change: %v; the one behind it: %v", broken, stopped)
	}
	if err := g.DeleteCrop(ctx, "a1"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a later change: %v", err)
	}
	got, err := g.Identify(ctx, Probe{Vector: base(plain, 0), Model: plain})
	if err != nil || got.StudentID != "a" || got.Students != 1 {
		t.Errorf("reading: %+v, %v", got, err)
	}
	if r, err := g.CheckConsistency(ctx); err != nil || r.Total == 0 {
		t.Errorf("the check says %+v, %v", r, err)
	}

	// Opened again, the gallery has what was stored.
	fresh, err := Open(ctx, g.store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustBeConsistent(t, fresh)
	if n := fresh.CountStudents(""); n != 3 {
		t.Errorf("%d students, want 3", n)
	}
}

// What the gallery accepts, the index must accept.
func TestVectorToleranceFitsIndex(t *testing.T) {
	engine, err := index.New("exact", 2, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Name: "m", Digest: "d", Dimension: 2}
	accepted := 0
	for i := range 4000 {
		v := []float32{1 + (float32(i)-2000)*1e-7, 0}
		if m.checkVector(v) == nil {
			accepted++
			if err := engine.Upsert(0, v); err != nil {
				t.Fatalf("length %v: %v", v[0], err)
			}
		}
	}
	if accepted == 0 || accepted == 4000 {
		t.Errorf("%d accepted: the edge was not met", accepted)
	}
}
