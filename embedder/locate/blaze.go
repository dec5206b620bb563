package locate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"rollcall/embedder/align"
	"rollcall/models"
)

// blazeValues is how many values BlazeFace answers for an anchor: the centre of the box, its width and
// height, and six points in image order: left eye, right eye, tip of the nose, middle of the mouth, left
// ear, right ear. All are in pixels of the input. The centre and the points are relative to the anchor.
const blazeValues = 16

// mouthCorner is how far a corner of the mouth is from its middle, in distances between the eyes, in
// the template that InsightFace published for ArcFace. BlazeFace sees only the middle.
const mouthCorner = 0.414

// maxLogit bounds a logit in both directions: from 80 on the logistic function is 0 or 1 in float32.
const maxLogit = 80

// Blaze decodes the outputs of BlazeFace (Bazarevsky et al. 2019, arXiv:1907.05047): regressors, 16
// values an anchor, and logits, one an anchor. grids are the contract's, for an input of width x height
// pixels, which their strides divide.
//
// It returns the faces that score minScore, 0..1, or more, in pixels of the input, the best first. Of faces
// that overlap it returns only the best, with the mean of their landmarks. The corners of the mouth are
// placed beside its middle, along the line of the eyes. Finding none is not an error. The only error is
// ErrOutputs. Blaze is deterministic and safe for concurrent use.
func Blaze(regressors, logits []float32, width, height int, grids []models.Anchors, minScore float32) ([]Face, error) {
	anchors := 0
	for _, g := range grids {
		if g.Stride <= 0 || g.Count <= 0 || width <= 0 || height <= 0 || width%g.Stride != 0 || height%g.Stride != 0 {
			return nil, fmt.Errorf("locate: %w: an input of %d x %d has no cells of %d", ErrOutputs, width, height, g.Stride)
		}
		anchors += (width / g.Stride) * (height / g.Stride) * g.Count
	}
	if len(logits) != anchors || len(regressors) != blazeValues*anchors {
		return nil, fmt.Errorf("locate: %w: %d logits and %d regressors are not those of %d anchors", ErrOutputs, len(logits), len(regressors), anchors)
	}
	if !sound(logits) || !sound(regressors) {
		return nil, fmt.Errorf("locate: %w: values are not finite or absurdly large", ErrOutputs)
	}
	var faces []Face
	first := 0
	for _, g := range grids {
		columns := width / g.Stride
		cells := columns * (height / g.Stride)
		for i := range cells * g.Count {
			score := logistic(logits[first+i])
			if score < minScore {
				continue
			}
			cell, stride := i/g.Count, float32(g.Stride)
			x, y := (float32(cell%columns)+0.5)*stride, (float32(cell/columns)+0.5)*stride
			if face, ok := blazeFace(regressors[blazeValues*(first+i):][:blazeValues], x, y); ok {
				face.Score = score
				faces = append(faces, face)
			}
		}
		first += cells * g.Count
	}
	return suppress(strongest(faces)), nil
}

// blazeFace reads the face that an anchor at (x, y) answers with. A box without area has none.
func blazeFace(v []float32, x, y float32) (Face, bool) {
	const half = 0.5 // from areas to places, where (0, 0) is the centre of a pixel
	w, h := v[2], v[3]
	if w <= 0 || h <= 0 {
		return Face{}, false
	}
	point := func(i int) align.Point {
		return align.Point{X: x + v[4+2*i] - half, Y: y + v[5+2*i] - half}
	}
	face := Face{Box: [4]float32{x + v[0] - w/2 - half, y + v[1] - h/2 - half, w, h}}
	left, right, mouth := point(0), point(1), point(3)
	dx, dy := mouthCorner*(right.X-left.X), mouthCorner*(right.Y-left.Y)
	face.Landmarks = align.Landmarks{
		left, right, point(2),
		{X: mouth.X - dx, Y: mouth.Y - dy}, {X: mouth.X + dx, Y: mouth.Y + dy},
	}
	return face, true
}

func logistic(v float32) float32 {
	return float32(1 / (1 + math.Exp(-float64(min(max(v, -maxLogit), maxLogit)))))
}

// Merge returns of faces that overlap only the best, in the order of their scores, the best first. Two
// boxes overlap where their intersection is over 0.3 of their union. The landmarks of a face become the
// mean of those that overlap, weighted by their scores. It reuses the slice.
func Merge(faces []Face) []Face {
	return suppress(byScore(faces))
}

// byScore sorts, the best first. It is stable: of equal scores the first found comes first.
func byScore(faces []Face) []Face {
	slices.SortStableFunc(faces, func(a, b Face) int { return cmp.Compare(b.Score, a.Score) })
	return faces
}

// strongest bounds the cost of merging the faces of one run.
func strongest(faces []Face) []Face { return byScore(faces)[:min(len(faces), maxCandidates)] }
