package embedder

import (
	"context"
	"errors"
	"fmt"
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Outputs of a locator with the decoder "points".
const (
	// [1][10]float32: five (x, y) as fractions of the input's width and height. Times these, they are
	// pixels of the input, of which (0, 0) is the centre of the upper left one.
	pointsOutput = "landmarks"
	scoreOutput  = "score" // [1][1]float32, 0..1
)

// minScore is the score from which a locator's face counts. On 3,934 pictures of Labeled Faces in the
// Wild the faces that YuNet finds score 0.86 and more; of 220 corners cut from such pictures, 48
// pixels wide, some with parts of a face, about 1 % reach 0.6.
const minScore = 0.6

// transformFor returns the transform from a crop to the input of a model. landmarks may be nil; a
// model that aligns then gets the crop stretched over its input.
func transformFor(c models.Contract, pic *picture.Picture, landmarks *models.Landmarks) (align.Transform, error) {
	in := c.Input
	switch in.Fit {
	case models.FitLetterbox:
		return align.FitLetterbox(pic.Width, pic.Height, in, in.Margin), nil
	case models.FitCorner:
		return align.FitCorner(pic.Width, pic.Height, in, in.Margin), nil
	case models.FitAlign:
		if landmarks != nil {
			return align.Estimate(*landmarks, c.Template)
		}
	}
	return align.FitStretch(pic.Width, pic.Height, in, in.Margin), nil
}

// find returns what looks most like the face that a crop is about, in pixels of the crop, and whether
// it is one; the score tells how much it looks like one even if it is none.
func (e *Embedder) find(ctx context.Context, m *model, pic *picture.Picture, watch *stopwatch) (locate.Face, bool, error) {
	c := m.contract
	t, err := transformFor(c, pic, nil)
	if err != nil {
		return locate.Face{}, false, err
	}
	s, err := m.pool.take(ctx)
	watch.lap(StageQueue)
	if err != nil {
		return locate.Face{}, false, err
	}
	defer m.pool.put(s)
	face, err := look(c, s, pic, t)
	if err == nil && c.SecondLook > 0 && face.Score >= minScore {
		face, err = lookAgain(c, s, pic, face)
	}
	watch.lap(StageLocate)
	if err != nil {
		return locate.Face{}, false, fmt.Errorf("locator %s: %w", c.Name, err)
	}
	return face, face.Score >= minScore, nil
}

// look returns what looks most like the face that a crop is about, in pixels of the crop. t takes the
// crop to the input. The score is 0 where there is nothing. REQUIRES: s.mu is held.
func look(c models.Contract, s *session, pic *picture.Picture, t align.Transform) (locate.Face, error) {
	back, err := t.Invert()
	if err != nil {
		return locate.Face{}, err
	}
	if err := align.Warp(s.input, pic, t, c.Input); err != nil {
		return locate.Face{}, err
	}
	faces, err := findFaces(c, s)
	if err != nil {
		return locate.Face{}, err
	}
	for i := range faces {
		mapBack(&faces[i], back)
	}
	face, _ := locate.Best(faces, pic.Width, pic.Height)
	return face, nil
}

// secondLookSide and secondLook are the square that embedders align faces to, and the landmarks in it:
// the template that InsightFace published for ArcFace.
const secondLookSide = 112

var secondLook = models.Landmarks{
	{X: 38.2946, Y: 51.6963}, {X: 73.5318, Y: 51.5014}, {X: 56.0252, Y: 71.7366},
	{X: 41.5493, Y: 92.3655}, {X: 70.7299, Y: 92.2041},
}

// lookAgain returns a face with the landmarks that are found in the square of [models.Contract.SecondLook].
// Its score stays: the second look is at what is in the middle anyway. Where the first landmarks are in
// one place it returns the face as it is. REQUIRES: s.mu is held.
func lookAgain(c models.Contract, s *session, pic *picture.Picture, first locate.Face) (locate.Face, error) {
	scale := float64(min(c.Input.Width, c.Input.Height)) / (secondLookSide * c.SecondLook)
	const middle = (secondLookSide - 1) / 2.0
	var places models.Landmarks
	for i, p := range secondLook {
		places[i] = models.Point{
			X: float32((float64(p.X)-middle)*scale + float64(c.Input.Width-1)/2),
			Y: float32((float64(p.Y)-middle)*scale + float64(c.Input.Height-1)/2),
		}
	}
	t, err := align.Estimate(first.Landmarks, places)
	if errors.Is(err, align.ErrDegenerate) {
		return first, nil
	}
	if err != nil {
		return locate.Face{}, err
	}
	second, err := look(c, s, pic, t)
	if errors.Is(err, align.ErrDegenerate) {
		return first, nil
	}
	second.Score = first.Score
	return second, err
}

// findFaces runs a locator on the input that its session holds, and returns the faces in pixels of
// the input, or ErrOutput. REQUIRES: s.mu is held.
func findFaces(c models.Contract, s *session) ([]locate.Face, error) {
	if err := s.run(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	if c.Decoder == models.DecoderPoints {
		return decodePoints(c.Input, s.outputs[pointsOutput], s.outputs[scoreOutput][0])
	}
	faces, err := locate.YuNet(s.outputs, c.Input.Width, c.Input.Height, minScore)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	return faces, nil
}

// decodePoints reads the one face of the decoder "points", whatever its score. Its box is the one
// around the landmarks.
func decodePoints(in models.Input, points []float32, score float32) ([]locate.Face, error) {
	face := locate.Face{Score: score}
	sum := float64(score)
	for i := range face.Landmarks {
		face.Landmarks[i] = models.Point{X: points[2*i] * float32(in.Width), Y: points[2*i+1] * float32(in.Height)}
		sum += float64(points[2*i]) + float64(points[2*i+1])
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("%w: not all of its numbers are finite", ErrOutput)
	}
	low, high := face.Landmarks[0], face.Landmarks[0]
	for _, p := range face.Landmarks {
		low = models.Point{X: min(low.X, p.X), Y: min(low.Y, p.Y)}
		high = models.Point{X: max(high.X, p.X), Y: max(high.Y, p.Y)}
	}
	face.Box = [4]float32{low.X, low.Y, high.X - low.X, high.Y - low.Y}
	return []locate.Face{face}, nil
}

// mapBack takes a face through a transform. Its box stays upright: a transform that turns takes two of
// its corners to those of the new one.
func mapBack(f *locate.Face, t align.Transform) {
	for i := range f.Landmarks {
		f.Landmarks[i] = t.Apply(f.Landmarks[i])
	}
	low := t.Apply(models.Point{X: f.Box[0], Y: f.Box[1]})
	high := t.Apply(models.Point{X: f.Box[0] + f.Box[2], Y: f.Box[1] + f.Box[3]})
	f.Box = [4]float32{low.X, low.Y, high.X - low.X, high.Y - low.Y}
}
