package bench

import (
	"cmp"
	"math"
	"slices"

	"rollcall/embedder/align"
	"rollcall/models"
)

// A finding is a face that a detector found.
type finding struct {
	score     float64
	landmarks models.Landmarks
}

// falsePerPhoto is the rate of false faces at which recalls are compared.
const falsePerPhoto = 0.1

// A finding and a true face that differ by less are the same face.
const (
	mostAway      = 0.35 // of their centres, in sides of the true one's square
	mostSizeRatio = 1.8
)

// A faceTally counts what a detector found on composed photos.
type faceTally struct {
	photos int
	sizes  []float64 // of all true faces
	scores []float64 // that they were found with; 0: not at all
	errors []float64 // of the landmarks of those found, in distances of the eyes
	wrong  []float64 // scores of false faces: no face, or one that was found already
}

// add counts one photo. A true face is found once, by the best finding of it.
func (t *faceTally) add(truth []trueFace, found []finding) {
	t.photos++
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(b.score, a.score) })
	scores := make([]float64, len(truth))
	for _, f := range found {
		i := nearest(truth, f)
		if i < 0 || scores[i] > 0 {
			t.wrong = append(t.wrong, f.score)
			continue
		}
		scores[i] = f.score
		t.errors = append(t.errors, landmarkError(f.landmarks, truth[i].landmarks))
	}
	for i, face := range truth {
		t.sizes, t.scores = append(t.sizes, face.size), append(t.scores, scores[i])
	}
}

// nearest returns the true face that a finding is of, -1 for none.
func nearest(truth []trueFace, f finding) int {
	best, least := -1, math.Inf(1)
	fit, err := align.Estimate(f.landmarks, template)
	if err != nil {
		return best
	}
	size := templateSide / math.Hypot(fit.A, fit.C)
	x, y := centreOf(f.landmarks)
	for i, face := range truth {
		tx, ty := centreOf(face.landmarks)
		ratio := size / face.size
		away := math.Hypot(x-tx, y-ty) / face.size
		if away < mostAway && away < least && ratio < mostSizeRatio && ratio > 1/mostSizeRatio {
			best, least = i, away
		}
	}
	return best
}

func centreOf(l models.Landmarks) (x, y float64) {
	for _, p := range l {
		x += float64(p.X) / float64(len(l))
		y += float64(p.Y) / float64(len(l))
	}
	return x, y
}

// threshold returns the least score that leaves no more than falsePerPhoto false faces; 0 where there are
// no more than these anyway.
func (t *faceTally) threshold() float64 {
	allowed := int(falsePerPhoto * float64(t.photos))
	if len(t.wrong) <= allowed {
		return 0
	}
	slices.SortFunc(t.wrong, func(a, b float64) int { return cmp.Compare(b, a) })
	return math.Nextafter(t.wrong[allowed], 2)
}

// recall is the share of the true faces of sizes least..most that were found with a score of threshold
// or more.
func (t *faceTally) recall(threshold, least, most float64) ratio {
	found, of := 0, 0
	for i, size := range t.sizes {
		if size < least || size >= most {
			continue
		}
		of++
		if t.scores[i] > 0 && t.scores[i] >= threshold {
			found++
		}
	}
	return ratioOf(found, of)
}
