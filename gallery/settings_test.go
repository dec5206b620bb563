package gallery

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"rollcall/storage"
)

// kept returns settings that keep lines for the default time, unless they say otherwise.
func kept(s Settings) Settings {
	s.KeepVerdicts = cmp.Or(s.KeepVerdicts, 184)
	s.KeepChanges = cmp.Or(s.KeepChanges, 1095)
	return s
}

func mustHaveSettings(t *testing.T, g *Gallery, want Settings) {
	t.Helper()
	want = kept(want)
	got, err := g.Settings(ctx)
	if err != nil || got != want {
		t.Errorf("settings %+v, %v, want %+v", got, err, want)
	}
}

// A gallery keeps the settings that it began with, whatever a server starts with later.
func TestSettingsBelongToTheGallery(t *testing.T) {
	for _, tc := range []struct{ begin, want Settings }{
		{Settings{}, Settings{FPIR: DefaultFPIR, Margin: DefaultMargin}},
		{Settings{Margin: -1}, Settings{FPIR: DefaultFPIR}},
		{Settings{Model: "plain", FPIR: 0.02, Margin: 0.125}, Settings{Model: "plain", FPIR: 0.02, Margin: 0.125}},
	} {
		store := storage.OpenMemory(storage.Faults{})
		g := openOn(t, store, Options{New: tc.begin})
		mustHaveSettings(t, g, tc.want)
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := open(store, Options{New: Settings{Model: "small", FPIR: 0.5, Margin: 1}})
		if err != nil {
			t.Fatal(err)
		}
		mustHaveSettings(t, again, tc.want)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUpdateSettings(t *testing.T) {
	store := storage.OpenMemory(storage.Faults{})
	g := openOn(t, store, Options{})
	fpir, margin, none := 0.25, float32(0.125), float32(0)
	verdicts, changes := 7, MaxKeep
	want := kept(Settings{FPIR: DefaultFPIR, Margin: DefaultMargin})
	for _, change := range []SettingsChange{{FPIR: &fpir}, {Margin: &margin}, {Model: &small.Name}, {}, {Margin: &none},
		{KeepVerdicts: &verdicts}, {KeepChanges: &changes}} {
		if change.KeepVerdicts != nil {
			want.KeepVerdicts = *change.KeepVerdicts
		}
		if change.KeepChanges != nil {
			want.KeepChanges = *change.KeepChanges
		}
		if change.FPIR != nil {
			want.FPIR = *change.FPIR
		}
		if change.Margin != nil {
			want.Margin = *change.Margin
		}
		if change.Model != nil {
			want.Model = *change.Model
		}
		got, err := g.UpdateSettings(ctx, change)
		if err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		mustHaveSettings(t, g, want)
	}
	mustBeAsStored(t, g)

	before := sequence(t, g)
	nan, inf := math.NaN(), float32(math.Inf(1))
	for name, tc := range map[string]struct {
		change SettingsChange
		want   error
	}{
		"FPIR 0":          {SettingsChange{FPIR: new(float64)}, ErrInvalidFPIR},
		"FPIR 1":          {SettingsChange{FPIR: new(1.0)}, ErrInvalidFPIR},
		"FPIR NaN":        {SettingsChange{FPIR: &nan}, ErrInvalidFPIR},
		"FPIR tiny":       {SettingsChange{FPIR: new(5e-324)}, ErrInvalidFPIR},
		"margin negative": {SettingsChange{Margin: new(float32(-0.1))}, ErrInvalidSettings},
		"margin infinite": {SettingsChange{Margin: &inf}, ErrInvalidSettings},
		"no such model":   {SettingsChange{Model: new("mystery")}, ErrInvalidModel},
		"no model":        {SettingsChange{Model: new(""), FPIR: new(0.5)}, ErrInvalidModel},
		"half of it":      {SettingsChange{FPIR: new(0.5), Margin: new(float32(3))}, ErrInvalidSettings},
	} {
		if _, err := g.UpdateSettings(ctx, tc.change); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	mustHaveSettings(t, g, want)
	if sequence(t, g) != before {
		t.Error("something was stored")
	}
}

// Searches go by the settings from the moment that they are changed, and by what the
// probe asks for instead.
func TestSettingsDecideSearches(t *testing.T) {
	g := openGallery(t, Options{New: Settings{FPIR: 0.1}})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(small, base(small, 0))})
	mustEnroll(t, g, Enrolment{CropID: "b1", StudentID: "b", Embedding: made(small, base(small, 1))})
	p := Probe{Embedding: made(small, at(small, 0.70, 0.62))}
	want := func(p Probe, verdict Verdict, threshold float32) {
		t.Helper()
		got, err := g.Identify(ctx, p)
		if err != nil || got.Verdict != verdict || got.Threshold != threshold {
			t.Errorf("%+v, %v, want %v with %v", got, err, verdict, threshold)
		}
		roll, err := g.RollCall(ctx, small.Name, []Embedding{p.Embedding}, p.Scope, p.FPIR)
		if err != nil || roll.Seats[0].Verdict != verdict || roll.Threshold != threshold {
			t.Errorf("roll call: %+v, %v, want %v with %v", roll, err, verdict, threshold)
		}
	}
	want(p, Match, small.MatchThreshold(2, 0.1))
	if _, err := g.UpdateSettings(ctx, SettingsChange{Margin: new(float32(0.125))}); err != nil {
		t.Fatal(err)
	}
	want(p, Ambiguous, small.MatchThreshold(2, 0.1))
	if _, err := g.UpdateSettings(ctx, SettingsChange{FPIR: new(0.001)}); err != nil {
		t.Fatal(err)
	}
	want(p, Unknown, small.MatchThreshold(2, 0.001))
	p.FPIR = 0.1
	want(p, Ambiguous, small.MatchThreshold(2, 0.1))
}

// The first embedding chooses the model of a gallery that has none.
func TestFirstEnrolmentChoosesTheModel(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", Embedding: made(small, base(small, 0))})
	mustHaveSettings(t, g, Settings{Model: "small", FPIR: DefaultFPIR, Margin: DefaultMargin})
	mustEnroll(t, g, Enrolment{CropID: "d", StudentID: "s", Embedding: made(plain, base(plain, 0))})
	mustHaveSettings(t, g, Settings{Model: "small", FPIR: DefaultFPIR, Margin: DefaultMargin})
	mustBeAsStored(t, g)

	chosen := openGallery(t, Options{New: Settings{Model: "plain"}})
	mustEnroll(t, chosen, Enrolment{CropID: "c", Embedding: made(small, base(small, 0))})
	mustHaveSettings(t, chosen, Settings{Model: "plain", FPIR: DefaultFPIR, Margin: DefaultMargin})
}

// Another model, and another recipe, are told with each answer; choosing the model
// again takes over the recipe by which the server uses it.
func TestWarningsAndCoverage(t *testing.T) {
	now := plain
	g := openGallery(t, Options{Models: func(name string) (Model, error) {
		if name == plain.Name {
			return now, nil
		}
		return everyModel(name)
	}})
	wantCoverage := func(model string, want Coverage) {
		t.Helper()
		if got, err := g.Coverage(ctx, model); err != nil || got != want {
			t.Errorf("coverage %+v, %v, want %+v", got, err, want)
		}
	}
	wantWarnings := func(e Embedding, want ...string) {
		t.Helper()
		got, err := g.Identify(ctx, Probe{Embedding: e})
		roll, rollErr := g.RollCall(ctx, e.Model, []Embedding{e, e}, Scope{}, 0)
		if err != nil || rollErr != nil || !slices.Equal(got.Warnings, want) || !slices.Equal(roll.Warnings, want) {
			t.Errorf("warnings %v and %v, %v, %v; want %v", got.Warnings, roll.Warnings, err, rollErr, want)
		}
	}
	wantCoverage("", Coverage{})
	wantWarnings(made(plain, base(plain, 0)))

	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
	mustEnroll(t, g, Enrolment{CropID: "b1", StudentID: "b", Embedding: made(small, base(small, 1))})
	mustEnroll(t, g, Enrolment{CropID: "loose", Embedding: made(plain, base(plain, 5))})
	wantWarnings(made(plain, base(plain, 0)))
	wantWarnings(made(small, base(small, 0)), WarningOtherModel)
	wantWarnings(made(low, base(low, 0)), WarningOtherModel)
	wantCoverage("", Coverage{Model: "plain", Recipe: plain.Recipe, Crops: 2, Without: 1})
	wantCoverage("small", Coverage{Model: "small", Recipe: small.Recipe, Crops: 2, Without: 1})
	wantCoverage("low", Coverage{Model: "low", Crops: 2, Without: 2})

	now.Recipe = "plain, chin, 2"
	wantWarnings(made(now, base(plain, 0)), WarningOtherRecipe)
	out := mustEnroll(t, g, Enrolment{CropID: "c1", StudentID: "c", Embedding: made(now, base(plain, 2))})
	if !slices.Equal(out.Warnings, []string{WarningOtherRecipe}) {
		t.Errorf("enrolled with %v", out.Warnings)
	}
	wantCoverage("", Coverage{Model: "plain", Recipe: plain.Recipe, Crops: 3, Without: 1, Otherwise: 1})
	got, err := g.IdentifyCrop(ctx, "c1", under(plain))
	if err != nil || !slices.Equal(got.Warnings, []string{WarningOtherRecipe}) {
		t.Errorf("the stored crop's own recipe: %+v, %v", got, err)
	}

	if _, err := g.UpdateSettings(ctx, SettingsChange{Model: &now.Name}); err != nil {
		t.Fatal(err)
	}
	wantWarnings(made(now, base(plain, 0)))
	wantWarnings(made(plain, base(plain, 0)), WarningOtherRecipe)
	wantCoverage("", Coverage{Model: "plain", Recipe: now.Recipe, Crops: 3, Without: 1, Otherwise: 1})
	r, err := g.CheckConsistency(ctx)
	if err != nil || r.Total != 0 || r.Coverage.Otherwise != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	mustBeAsStored(t, g)
}

// The errors of Options.Models are those of the calls.
func TestModelsErrors(t *testing.T) {
	g := openGallery(t, Options{Models: func(string) (Model, error) { return Model{}, errBroken }})
	for name, err := range map[string]error{
		"enroll":   second(g.Enroll(ctx, Enrolment{CropID: "c", Embedding: made(plain, base(plain, 0))})),
		"identify": second(g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0))})),
		"crop":     second(g.IdentifyCrop(ctx, "c", under(plain))),
		"roll":     second(g.RollCall(ctx, plain.Name, nil, Scope{}, 0)),
		"settings": second(g.UpdateSettings(ctx, SettingsChange{Model: &plain.Name})),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No rate makes a threshold that anybody reaches, and those that say nothing are
// refused.
func TestTinyRates(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(small, base(small, 0))})
	for _, fpir := range []float64{5e-324, 1e-300, 1e-16, MinFPIR / 2, -MinFPIR, math.Nextafter(MaxFPIR, 1), 1, 2, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := g.Identify(ctx, Probe{Embedding: made(small, base(small, 1)), FPIR: fpir}); !errors.Is(err, ErrInvalidFPIR) {
			t.Errorf("identify at %v: %v", fpir, err)
		}
		if _, err := g.IdentifyCrop(ctx, "a1", Probe{Embedding: Embedding{Model: "small"}, FPIR: fpir}); !errors.Is(err, ErrInvalidFPIR) {
			t.Errorf("identify crop at %v: %v", fpir, err)
		}
		if _, err := g.RollCall(ctx, "small", nil, Scope{}, fpir); !errors.Is(err, ErrInvalidFPIR) {
			t.Errorf("roll call at %v: %v", fpir, err)
		}
		if _, err := (Options{Models: everyModel, New: Settings{FPIR: fpir}}).withDefaults(); !errors.Is(err, ErrInvalidFPIR) {
			t.Errorf("options with %v: %v", fpir, err)
		}
	}
	for _, fpir := range []float64{MinFPIR, 1e-6, MaxFPIR} {
		got, err := g.Identify(ctx, Probe{Embedding: made(small, base(small, 1)), FPIR: fpir})
		if err != nil || got.Verdict != Unknown || !isSimilarity(got.Threshold) {
			t.Errorf("at %v: %+v, %v", fpir, got, err)
		}
	}
	nan := float32(math.NaN())
	for _, ranked := range [][]Candidate{{{"a", "a1", 1}}, {{"a", "a1", nan}}, {{"a", "a1", 1}, {"b", "b1", 0}}} {
		if verdict, reason := judge(ranked, nan, DefaultMargin); verdict != Unknown || reason != ReasonBelowThreshold {
			t.Errorf("%v at a threshold that is no number: %v %s", ranked, verdict, reason)
		}
	}
	if verdict, _ := judge([]Candidate{{"a", "a1", nan}}, 0.5, DefaultMargin); verdict != Unknown {
		t.Errorf("a similarity that is no number: %v", verdict)
	}
}

// A calibration may have points so close that their logarithms are the same.
func TestThresholdBetweenNeighbours(t *testing.T) {
	rng := newRand(t, 12)
	for range 1000 {
		fmr := math.Pow(10, -9*rng.Float64())
		next := math.Nextafter(fmr, 0)
		for _, above := range []float32{0.3, 0.6} {
			m := Model{Name: "m", Digest: "d", Dimension: 4, Calibration: []Calibration{{fmr, 0.3}, {next, above}}}
			if err := m.check(); err != nil {
				t.Fatal(err)
			}
			for _, at := range []float64{1, fmr, next, fmr / 2, MinFPIR, 5e-324, 0} {
				if got := m.similarityAt(at); !(got >= 0.3 && got <= 1) {
					t.Fatalf("%v at the rate %v, between %v and %v", got, at, fmr, next)
				}
			}
		}
	}
}

// Options and settings name what is wrong, for a person.
func TestSettingsErrorsSayWhat(t *testing.T) {
	for _, tc := range []struct {
		s    Settings
		want string
	}{
		{Settings{FPIR: 2, Margin: 0.1}, "2"},
		{Settings{FPIR: 0.1, Margin: 7}, "margin 7"},
		{Settings{Model: "a\x00", FPIR: 0.1}, "model"},
		{Settings{FPIR: 0.1, KeepVerdicts: -1}, "keep_verdicts is -1"},
		{Settings{FPIR: 0.1, KeepChanges: MaxKeep + 1}, "keep_changes is 36501"},
	} {
		if err := kept(tc.s).Check(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc.s, err)
		}
	}
}
