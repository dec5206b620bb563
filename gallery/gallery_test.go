package gallery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
)

func TestOptions(t *testing.T) {
	got, err := Options{Models: everyModel}.withDefaults()
	if err != nil || got.Engine != DefaultEngine || got.New != kept(Settings{FPIR: DefaultFPIR, Margin: DefaultMargin}) || got.Logger == nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := (Options{Models: everyModel, New: Settings{Margin: -1}}).withDefaults(); err != nil || got.New.Margin != 0 {
		t.Errorf("no margin: %+v, %v", got, err)
	}
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, base(plain, 0))})
	for name, opts := range map[string]Options{
		"FPIR 1":         {New: Settings{FPIR: 1}},
		"FPIR negative":  {New: Settings{FPIR: -0.1}},
		"FPIR NaN":       {New: Settings{FPIR: math.NaN()}},
		"margin 3":       {New: Settings{Margin: 3}},
		"margin NaN":     {New: Settings{Margin: float32(math.NaN())}},
		"unknown engine": {Engine: "faster"},
	} {
		opts.Models = everyModel
		if _, err := Open(ctx, g.writer.partition, opts); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := Open(ctx, g.writer.partition, Options{}); err == nil {
		t.Error("no models: opened")
	}
}

func TestOpenReportsProgress(t *testing.T) {
	g := openGallery(t, Options{})
	for i := range 3 {
		mustEnroll(t, g, Enrolment{CropID: fmt.Sprint("c", i), StudentID: "s", Embedding: made(plain, base(plain, i))})
	}
	mustEnroll(t, g, Enrolment{CropID: "loose", Embedding: made(plain, base(plain, 0))})
	var calls [][2]int
	again, err := Open(ctx, g.writer.partition, Options{Models: everyModel, Progress: func(done, total int) { calls = append(calls, [2]int{done, total}) }})
	if err != nil || len(calls) == 0 || calls[len(calls)-1] != [2]int{4, 4} {
		t.Fatalf("%v, %v", calls, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Open(cancelled, g.writer.partition, Options{Models: everyModel}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestClose(t *testing.T) {
	bubble(t, testClose)
}

func testClose(t *testing.T) {
	var d disk
	g := openOn(t, d.open(), Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, base(plain, 0))})

	// Close waits for a change that is under way.
	release := d.hold()
	enrolled := make(chan error, 1)
	go func() {
		_, err := g.Enroll(ctx, Enrolment{CropID: "d", StudentID: "s", Embedding: made(plain, base(plain, 0))})
		enrolled <- err
	}()
	synctest.Wait()
	closed := make(chan error, 1)
	go func() { closed <- g.Close() }()
	synctest.Wait()
	select {
	case err := <-closed:
		t.Fatalf("closed beside a change under way: %v", err)
	default:
	}
	release()
	if err := <-enrolled; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}

	for name, err := range map[string]error{
		"identify":      second(g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0))})),
		"identify crop": second(g.IdentifyCrop(ctx, "c", under(plain))),
		"roll call":     second(g.RollCall(ctx, plain.Name, nil, Scope{}, 0)),
		"enroll":        second(g.Enroll(ctx, Enrolment{CropID: "e", Embedding: made(plain, base(plain, 0))})),
		"student":       second(g.Student(ctx, "s")),
		"update":        second(g.UpdateStudent(ctx, "s", nil)),
		"delete":        second(g.DeleteStudent(ctx, "s")),
		"crop":          second(g.Crop(ctx, "c")),
		"assign":        second(g.AssignCrop(ctx, "c", "")),
		"delete crop":   g.DeleteCrop(ctx, "c"),
		"check":         second(g.CheckConsistency(ctx)),
		"settings":      second(g.Settings(ctx)),
		"change":        second(g.UpdateSettings(ctx, SettingsChange{})),
		"coverage":      second(g.Coverage(ctx, "")),
		"close":         g.Close(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if _, _, _, err := g.Students(ctx, "", 0, ""); !errors.Is(err, ErrClosed) {
		t.Errorf("students after Close: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestSearchErrors(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Groups: []string{"g"}, Embedding: made(plain, base(plain, 0))})
	mustEnroll(t, g, Enrolment{CropID: "loose", Embedding: made(plain, base(plain, 1))})
	if _, err := g.UpdateStudent(ctx, "s", []string{"h"}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		probe Probe
		want  error
	}{
		"no vector":         {Probe{Embedding: made(plain, nil)}, ErrInvalidVector},
		"wrong dimension":   {Probe{Embedding: made(plain, base(small, 0))}, ErrInvalidVector},
		"no model":          {Probe{Embedding: made(Model{}, base(plain, 0))}, ErrInvalidModel},
		"FPIR":              {Probe{Embedding: made(plain, base(plain, 0)), FPIR: 1}, ErrInvalidFPIR},
		"group id":          {Probe{Embedding: made(plain, base(plain, 0)), Scope: Scope{Groups: []string{""}}}, ErrInvalidID},
		"student id":        {Probe{Embedding: made(plain, base(plain, 0)), Scope: Scope{StudentIDs: []string{"\x01"}}}, ErrInvalidID},
		"unknown group":     {Probe{Embedding: made(plain, base(plain, 0)), Scope: Scope{Groups: []string{"g"}}}, ErrEmptyScope},
		"unknown student":   {Probe{Embedding: made(plain, base(plain, 0)), Scope: Scope{StudentIDs: []string{"x"}}}, ErrEmptyScope},
		"not in that model": {Probe{Embedding: made(small, base(small, 0)), Scope: Scope{Groups: []string{"h"}}}, ErrEmptyScope},
	} {
		if _, err := g.Identify(ctx, tc.probe); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for id, want := range map[string]error{"": ErrInvalidID, "none": ErrCropNotFound, "c": ErrNoEmbedding} {
		if _, err := g.IdentifyCrop(ctx, id, under(small)); !errors.Is(err, want) {
			t.Errorf("crop %q: %v, want %v", id, err, want)
		}
	}
	got, err := g.IdentifyCrop(ctx, "c", under(plain))
	if err != nil || got.Verdict != Unknown || got.Students != 0 || len(got.Candidates) != 0 {
		t.Errorf("the only crop against the rest: %+v, %v", got, err)
	}
	got, err = g.IdentifyCrop(ctx, "loose", under(plain))
	if err != nil || got.Students != 1 || got.Candidates[0].StudentID != "s" {
		t.Errorf("a crop of nobody: %+v, %v", got, err)
	}
}
