package gallery

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"rollcall/storage"
)

// enrolFaces enrols students with random faces, which are strangers to each other.
func enrolFaces(t *testing.T, g *Gallery, m Model, from, to, crops int) {
	t.Helper()
	rng := newRand(t, uint64(from))
	for i := from; i < to; i++ {
		for j := range crops {
			mustEnroll(t, g, Enrolment{
				CropID: fmt.Sprint(i, "-", j), StudentID: fmt.Sprint("student-", i),
				Embedding: made(m, face(rng, i, m.Dimension, 0.5)), AllowDuplicate: true,
			})
		}
	}
}

func calibrationOf(t *testing.T, g *Gallery, m Model) CalibrationState {
	t.Helper()
	state, err := g.Calibration(ctx, m.Name)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// The gallery calibrates itself once enough was enrolled, and not again for nothing.
func TestCalibratesItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := openGallery(t, Options{})
		enrolFaces(t, g, wide, 0, trustFrom, 1)
		time.Sleep(time.Minute)
		if got := calibrationOf(t, g, wide); got.Source != FromPublished || got.Threshold != wide.Threshold || got.Points != nil {
			t.Fatalf("of %d students: %+v", trustFrom, got)
		}
		enrolFaces(t, g, wide, trustFrom, 2*trustAll, 1)
		time.Sleep(time.Minute)
		got := calibrationOf(t, g, wide)
		if got.Source != FromGallery || got.Students != 2*trustAll || got.Threshold == wide.Threshold {
			t.Fatalf("of %d students: %+v", 2*trustAll, got)
		}
		// Random faces of 128 dimensions are alike as random directions are: with a standard
		// deviation of 1/sqrt(128).
		fmr := DefaultFPIR / (2 * trustAll)
		if want := normal(fmr) / math.Sqrt(128); math.Abs(float64(got.Threshold)-want) > 0.04 {
			t.Errorf("threshold %v, want %v", got.Threshold, want)
		}
		before := mustSequence(t, g)
		enrolFaces(t, g, wide, 2*trustAll, 2*trustAll+20, 1)
		time.Sleep(time.Minute)
		if after := mustSequence(t, g); after != before+20 {
			t.Errorf("%d changes for 20 enrolments that hardly matter", after-before)
		}
	})
}

// mustSequence returns the number of the gallery's last change.
func mustSequence(t *testing.T, g *Gallery) uint64 {
	t.Helper()
	m, release, err := g.read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	return m.seq
}

func TestCalibrationByHand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := openGallery(t, Options{})
		points := []Calibration{{0.1, 0.3}, {0.001, 0.5}}
		if err := g.SetCalibration(ctx, wide.Name, points); !errors.Is(err, ErrInvalidSettings) {
			t.Errorf("nothing is embedded: %v", err)
		}
		enrolFaces(t, g, wide, 0, 120, 1)
		if err := g.FreezeCalibration(ctx, wide.Name, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := calibrationOf(t, g, wide); got.Source != FromPublished || !got.Frozen {
			t.Errorf("frozen: %+v", got)
		}
		for _, bad := range [][]Calibration{nil, points[:1], {points[1], points[0]}, {{2, 0.1}, {0.1, 0.2}}} {
			if err := g.SetCalibration(ctx, wide.Name, bad); !errors.Is(err, ErrInvalidSettings) {
				t.Errorf("%v: %v", bad, err)
			}
		}
		if err := g.SetCalibration(ctx, wide.Name, points); err != nil {
			t.Fatal(err)
		}
		enrolFaces(t, g, wide, 120, 240, 1)
		time.Sleep(time.Minute)
		got := calibrationOf(t, g, wide)
		if got.Source != FromOperator || !got.Frozen || !slices.Equal(got.Points, points) {
			t.Errorf("given: %+v", got)
		}
		answer, err := g.Identify(ctx, Probe{Embedding: made(wide, face(newRand(t, 5), 7, wide.Dimension, 0.5)), FPIR: 0.01})
		if err != nil || answer.Threshold != got.facts().MatchThreshold(240, 0.01) {
			t.Errorf("threshold %v, %v", answer.Threshold, err)
		}
		if err := g.FreezeCalibration(ctx, wide.Name, false); err != nil {
			t.Fatal(err)
		}
		if got := calibrationOf(t, g, wide); got.Source != FromGallery || got.Frozen {
			t.Errorf("unfrozen: %+v", got)
		}
	})
}

// facts returns a model with the calibration.
func (c CalibrationState) facts() Model { return Model{Calibration: c.Points} }

// A score that just passes an FPIR is its threshold.
func TestFPIRThatPasses(t *testing.T) {
	rng := newRand(t, 13)
	for range 20000 {
		m := randomModel(rng)
		n := 1 + rng.IntN(10000)
		fpir := math.Pow(10, -5*rng.Float64()) * 0.5
		threshold := m.MatchThreshold(n, fpir)
		got := m.fpirAt(n, threshold)
		if len(m.Calibration) == 0 {
			if !math.IsNaN(got) {
				t.Fatalf("without a calibration: %v", got)
			}
			continue
		}
		// At the ends, and where the calibration is level, one threshold serves several rates.
		if again := m.MatchThreshold(n, max(MinFPIR, min(got*0.999, MaxFPIR))); got < fpir*0.999 && threshold < 1 || again < threshold-1e-5 {
			t.Fatalf("%+v, n %d, FPIR %v: threshold %v passes %v, whose threshold is %v", m, n, fpir, threshold, got, again)
		}
	}
}

// A model without a calibration gets one, though the published threshold happens to be that of
// the gallery: from then on the threshold follows the rate that is asked.
func TestFirstCalibrationIsNoticed(t *testing.T) {
	published := Model{Threshold: 0.5}
	measured := published.with([]storage.OperatingPoint{{FMR: 1e-1, Similarity: 0.3}, {FMR: 1e-3, Similarity: 0.501}})
	if !noticeably(published, measured, 1, 0.001) || !noticeably(measured, published, 1, 0.001) || noticeably(measured, measured, 1, 0.001) || noticeably(published, published, 1, 0.1) {
		t.Error("a first calibration, or the last one's end, goes unnoticed")
	}
}

// The tail of similarities that are known, with and without pairs that are one person.
func TestTail(t *testing.T) {
	rng := newRand(t, 17)
	for _, alike := range []int{0, 6, 100} {
		var s similarities
		for range 300 * 299 {
			s.add(float32(0.1+0.12*rng.NormFloat64()), 1)
		}
		for range alike {
			s.add(float32(0.75+0.2*rng.Float64()), 1)
		}
		points := s.points(Model{Threshold: 0.9}, 300)
		if s.leftOut < alike || s.leftOut > alike+2 {
			t.Errorf("%d pairs are too alike, want %d", s.leftOut, alike)
		}
		for _, p := range points {
			// A tail that may be heavier than it looks is taken for heavier.
			least, most := 0.1+0.12*normal(p.FMR)-0.01, 0.1+0.12*heavy(p.FMR)+0.01
			if got := float64(p.Similarity); p.FMR >= 1e-6 && (got < least || got > most) {
				t.Errorf("%d alike: %v at an FMR of %v, want %v to %v", alike, got, p.FMR, least, most)
			}
		}
	}
}

// A table that is moved and scaled is brought back to the similarities.
func TestTailOfAWrongTable(t *testing.T) {
	rng := newRand(t, 19)
	right := Model{}
	for power := -1.0; power >= -6; power-- {
		fmr := math.Pow(10, power)
		right.Calibration = append(right.Calibration, Calibration{fmr, float32(0.7 * math.Sin(normal(fmr)/4))})
	}
	wrong := Model{}
	for _, p := range right.Calibration {
		wrong.Calibration = append(wrong.Calibration, Calibration{p.FMR, 0.5*p.Similarity - 0.1})
	}
	var s similarities
	shape := right.form().shape
	for range 400 * 399 {
		s.add(float32(shape(max(rng.Float64(), 1e-12))), 1)
	}
	for _, p := range s.points(wrong, 400) {
		if want := shape(p.FMR); p.FMR >= 1e-6 && p.FMR < 0.5 && math.Abs(float64(p.Similarity)-want) > 0.015 {
			t.Errorf("%v at an FMR of %v, want %v", p.Similarity, p.FMR, want)
		}
	}
}

// Few pairs near the tail do not turn it: of galleries of 100 students with the same similarities,
// the threshold for one comparison in 100,000 spreads little. Where each level counts the same, it
// spreads by .015.
func TestTailIsSteady(t *testing.T) {
	rng := newRand(t, 23)
	model := Model{}
	for power := -1.0; power >= -6; power-- {
		fmr := math.Pow(10, power)
		model.Calibration = append(model.Calibration, Calibration{fmr, float32(0.12 * normal(fmr))})
	}
	const galleries = 200
	var sum, squares float64
	for range galleries {
		var s similarities
		for range 100 * 99 / 2 {
			similarity := float32(0.12 * rng.NormFloat64())
			s.add(similarity, 1) // each pair of students is compared twice
			s.add(similarity, 1)
		}
		tail, ok := s.tail(model.form())
		if !ok {
			t.Fatal("no tail")
		}
		sum, squares = sum+tail(1e-5), squares+tail(1e-5)*tail(1e-5)
	}
	mean := sum / galleries
	if spread := math.Sqrt(squares/galleries - mean*mean); spread > 0.012 || math.Abs(mean-0.12*normal(1e-5)) > 0.005 {
		t.Errorf("%.4f, spread %.4f; want %.4f", mean, spread, 0.12*normal(1e-5))
	}
}
