package embedder

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

// TestScoreFalls: the score is a share, and what is worse in any figure has no better score.
func TestScoreFalls(t *testing.T) {
	const seed = 6
	rng := rand.New(rand.NewPCG(seed, 0))
	worse := []func(q *Quality){
		func(q *Quality) { q.EyeDistance *= rng.Float32() },
		func(q *Quality) { q.Sharpness *= rng.Float32() },
		func(q *Quality) { q.Pose.Pitch *= 1 + rng.Float32() },
		func(q *Quality) { q.Pose.Yaw *= 1 + rng.Float32() },
		func(q *Quality) { q.Residual += rng.Float32() },
		func(q *Quality) { q.Brightness = max(q.Brightness, 0.6) + rng.Float32() },
		func(q *Quality) { q.Contrast = max(q.Contrast, 0.2) + rng.Float32() },
		func(q *Quality) { q.Certainty -= 10 * rng.Float32() },
	}
	for range 2000 {
		q := Quality{
			EyeDistance: 5 + 60*rng.Float32(), Sharpness: 500 * rng.Float32(), Brightness: rng.Float32(), Contrast: rng.Float32() / 2,
			Residual: rng.Float32() / 5, Certainty: 16 * rng.Float32(),
			Pose: Pose{Yaw: 80*rng.Float32() - 40, Pitch: 80*rng.Float32() - 40, Roll: 80*rng.Float32() - 40},
		}
		for i, term := range q.Terms() {
			if !(term >= 0) || math.IsInf(term, 0) {
				t.Fatalf("seed %d: term %d of %+v is %v", seed, i, q, term)
			}
		}
		before := q.score()
		w := q
		i := rng.IntN(len(worse))
		worse[i](&w)
		if after := w.score(); !(after > 0 && after <= before && before <= 1) {
			t.Fatalf("seed %d: %v of %+v, then %v of %+v (%d)", seed, before, q, after, w, i)
		}
	}
	if best := (Quality{EyeDistance: 60, Sharpness: 400, Brightness: 0.5, Contrast: 0.15, Certainty: 16}).score(); best != 1 {
		t.Errorf("nothing speaks against it, and the score is %v", best)
	}
}

// TestEnrolmentAsksForMore: what a probe may be is refused as an enrolment, with what was measured and the
// limit; the better crop passes as both.
func TestEnrolmentAsksForMore(t *testing.T) {
	e := newEmbedder(t, Options{}, onnxtest.ArcFace(1), onnxtest.Points())
	crop := changed(t, func(v float64) float64 { return v })
	good := onnxtest.FaceLandmarks(1, 0)
	small := good
	shrink := float32(probeLimits.eyeDistance+enrolmentLimits.eyeDistance) / 2 / eyeDistance(good)
	for i := range small {
		small[i] = models.Point{X: 80 + (good[i].X-80)*shrink, Y: 80 + (good[i].Y-80)*shrink}
	}
	for name, tt := range map[string]struct {
		landmarks models.Landmarks
		enrol     bool
		small     bool
	}{
		"good probe": {good, false, false}, "good enrolment": {good, true, false},
		"small probe": {small, false, false}, "small enrolment": {small, true, true},
	} {
		q := embed(t, e, Request{Image: crop, Landmarks: &tt.landmarks, Enrol: tt.enrol}).Quality
		if slices.Contains(q.Reasons, TooSmall) != tt.small {
			t.Errorf("%s: reasons %v", name, q.Reasons)
		}
		want := Shortfall{TooSmall, q.EyeDistance, enrolmentLimits.eyeDistance}
		if tt.small != slices.Contains(q.Shortfalls, want) {
			t.Errorf("%s: shortfalls %v, want %v", name, q.Shortfalls, want)
		}
		if !(q.Score > 0 && q.Score <= 1) {
			t.Errorf("%s: score %v", name, q.Score)
		}
	}
	if q := embed(t, e, Request{Image: onnxtest.Blank(1)}).Quality; q.Score != 0 || len(q.Shortfalls) > 0 {
		t.Errorf("without a face: %+v", q)
	}
}

// TestLimits: nothing passes as an enrolment and not as a probe.
func TestLimits(t *testing.T) {
	p, e := probeLimits, enrolmentLimits
	if e.eyeDistance < p.eyeDistance || e.side < p.side || e.darkest < p.darkest || e.brightest > p.brightest || e.sharpness < p.sharpness || e.score < p.score {
		t.Errorf("enrolment %+v asks for less than a probe %+v", e, p)
	}
}
