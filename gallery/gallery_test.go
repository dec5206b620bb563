package gallery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	got, err := Options{}.withDefaults()
	if err != nil || got.Engine != "auto" || got.FPIR != DefaultFPIR || got.Margin != DefaultMargin || got.Logger == nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := (Options{Margin: -1}).withDefaults(); err != nil || got.Margin != 0 {
		t.Errorf("no margin: %+v, %v", got, err)
	}
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Model: plain, Vector: base(plain, 0)})
	for name, opts := range map[string]Options{
		"FPIR 1":         {FPIR: 1},
		"FPIR negative":  {FPIR: -0.1},
		"FPIR NaN":       {FPIR: math.NaN()},
		"margin 3":       {Margin: 3},
		"margin NaN":     {Margin: float32(math.NaN())},
		"unknown engine": {Engine: "faster"},
	} {
		if _, err := Open(ctx, g.store, opts); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestOpenReportsProgress(t *testing.T) {
	g := openGallery(t, Options{})
	for i := range 3 {
		mustEnroll(t, g, Enrolment{CropID: fmt.Sprint("c", i), StudentID: "s", Model: plain, Vector: base(plain, i)})
	}
	mustEnroll(t, g, Enrolment{CropID: "loose", Model: plain, Vector: base(plain, 0)})
	var calls [][2]int
	_, err := Open(ctx, g.store, Options{Progress: func(done, total int) { calls = append(calls, [2]int{done, total}) }})
	if err != nil || len(calls) != 2 || calls[0] != [2]int{0, 4} || calls[1] != [2]int{4, 4} {
		t.Errorf("%v, %v", calls, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Open(cancelled, g.store, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestClose(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Model: plain, Vector: base(plain, 0)})

	// Close waits for a change that is under way.
	release := hold(g)
	enrolled := make(chan error, 1)
	go func() {
		_, err := g.Enroll(ctx, Enrolment{CropID: "d", StudentID: "s", Model: plain, Vector: base(plain, 0)})
		enrolled <- err
	}()
	waitFor(t, g, 2)
	closed := make(chan error, 1)
	go func() { closed <- g.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed beside a change under way: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	release()
	if err := <-enrolled; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}

	for name, err := range map[string]error{
		"identify":      second(g.Identify(ctx, Probe{Vector: base(plain, 0), Model: plain})),
		"identify crop": second(g.IdentifyCrop(ctx, "c", Probe{Model: plain})),
		"roll call":     second(g.RollCall(ctx, nil, plain, Scope{}, 0)),
		"enroll":        second(g.Enroll(ctx, Enrolment{CropID: "e", Model: plain, Vector: base(plain, 0)})),
		"student":       second(g.Student(ctx, "s")),
		"update":        second(g.UpdateStudent(ctx, "s", nil)),
		"delete":        second(g.DeleteStudent(ctx, "s")),
		"crop":          second(g.Crop(ctx, "c")),
		"assign":        second(g.AssignCrop(ctx, "c", "")),
		"delete crop":   g.DeleteCrop(ctx, "c"),
		"check":         second(g.CheckConsistency(ctx)),
		"close":         g.Close(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if _, _, err := g.Students(ctx, "", 0, ""); !errors.Is(err, ErrClosed) {
		t.Errorf("students after Close: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestSearchErrors(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Groups: []string{"g"}, Model: plain, Vector: base(plain, 0)})
	mustEnroll(t, g, Enrolment{CropID: "loose", Model: plain, Vector: base(plain, 1)})
	if _, err := g.UpdateStudent(ctx, "s", []string{"h"}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		probe Probe
		want  error
	}{
		"no vector":         {Probe{Model: plain}, ErrInvalidVector},
		"wrong dimension":   {Probe{Model: plain, Vector: base(small, 0)}, ErrInvalidVector},
		"no model":          {Probe{Vector: base(plain, 0)}, ErrInvalidModel},
		"FPIR":              {Probe{Model: plain, Vector: base(plain, 0), FPIR: 1}, ErrInvalidFPIR},
		"group id":          {Probe{Model: plain, Vector: base(plain, 0), Scope: Scope{Groups: []string{""}}}, ErrInvalidID},
		"student id":        {Probe{Model: plain, Vector: base(plain, 0), Scope: Scope{StudentIDs: []string{"\x01"}}}, ErrInvalidID},
		"unknown group":     {Probe{Model: plain, Vector: base(plain, 0), Scope: Scope{Groups: []string{"g"}}}, ErrEmptyScope},
		"unknown student":   {Probe{Model: plain, Vector: base(plain, 0), Scope: Scope{StudentIDs: []string{"x"}}}, ErrEmptyScope},
		"not in that model": {Probe{Model: small, Vector: base(small, 0), Scope: Scope{Groups: []string{"h"}}}, ErrEmptyScope},
	} {
		if _, err := g.Identify(ctx, tc.probe); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for id, want := range map[string]error{"": ErrInvalidID, "none": ErrCropNotFound, "c": ErrNoEmbedding} {
		if _, err := g.IdentifyCrop(ctx, id, Probe{Model: small}); !errors.Is(err, want) {
			t.Errorf("crop %q: %v, want %v", id, err, want)
		}
	}
	got, err := g.IdentifyCrop(ctx, "c", Probe{Model: plain})
	if err != nil || got.Verdict != Unknown || got.Students != 0 || len(got.Candidates) != 0 {
		t.Errorf("the only crop against the rest: %+v, %v", got, err)
	}
	got, err = g.IdentifyCrop(ctx, "loose", Probe{Model: plain})
	if err != nil || got.Students != 1 || got.Candidates[0].StudentID != "s" {
		t.Errorf("a crop of nobody: %+v, %v", got, err)
	}
}
