package embedder

import (
	"context"
	"fmt"
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Outputs of a locator with the decoder "points".
const (
	// [1][10]float32: five (x, y) as fractions of the input's width and height. Multiplied by these, they
	// are in pixels of the input; (0, 0) is the centre of the upper left pixel.
	pointsOutput = "landmarks"
	scoreOutput  = "score" // [1][1]float32, 0..1
)

// minScore is the score from which a locator's face counts. On 3,934 pictures of Labeled Faces in the
// Wild the faces that YuNet finds score 0.86 and more; of 220 corners cut from such pictures, 48
// pixels wide, some with parts of a face, about 1 % reach 0.6.
const minScore = 0.6

// minSeenScore is the least score of the second look at a face, where the least of the first look is
// minScore. The first look may have little more for a face that fills a third of its crop, or for a cat.
// With 0.6 for both looks, nearly twice as many patches without a face pass ("rollcall bench locator").
const minSeenScore = 0.95

// minTriedScore is the least score of both looks at a face in a view that was only tried: with many views
// to choose from, something looks like a face sooner. 99 % of turned rough crops have more than 0.999 in
// each look. Of 1,500 patches without a face 0.3 % pass, and 5 % would pass with 0.9 in the first look
// alone (an experiment; "rollcall bench locator" prints how many patches pass for a face in all).
const minTriedScore = 0.993

// transformFor returns the transform from a crop to the input of a model. landmarks may be nil: then a
// model that aligns gets the crop stretched over its input.
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

// transformOf is transformFor for a crop that is seen in the given view.
func transformOf(c models.Contract, pic *picture.Picture, landmarks *models.Landmarks, v view) (align.Transform, error) {
	if landmarks == nil || c.Input.Fit != models.FitAlign {
		return transformFor(c, pic, landmarks)
	}
	plane := v.plane()
	t, err := align.Estimate(inPlane(*landmarks, plane), c.Template)
	return t.After(plane), err
}

// finding says where the face of a crop is, and how sure that is.
type finding struct {
	face   locate.Face // in pixels of the crop; the score tells how much it looks like a face, even if it is none
	found  bool
	view   view     // the view in which the face stands upright in its proportions
	doubts []Reason // what speaks against it
	// certainty is [Quality.Certainty].
	certainty float64
}

// find returns what looks most like the crop's subject. check may be nil.
func find(ctx context.Context, locator, check *model, pic *picture.Picture, watch *stopwatch) (f finding, err error) {
	err = locator.inSession(ctx, watch, func(s *session) (err error) {
		if c := locator.contract; c.SecondLook > 0 {
			f, err = examine(c, s, pic)
		} else {
			f, err = detect(c, s, pic)
		}
		return err
	})
	if err != nil || check == nil {
		return f, err
	}
	err = check.inSession(ctx, watch, func(s *session) (err error) {
		if f.found {
			f, err = recheck(check.contract, s, pic, f)
			return err
		}
		// The first locator may not see a face that lies on its side. Upright faces it does see, and it
		// judges them better.
		other, err := examine(check.contract, s, pic)
		if err == nil && other.found && other.view.quarters != 0 {
			f = other
		}
		return err
	})
	return f, err
}

// inSession calls f with a session of a locator.
func (m *model) inSession(ctx context.Context, watch *stopwatch, f func(*session) error) error {
	s, err := m.pool.take(ctx)
	watch.lap(StageQueue)
	if err != nil {
		return err
	}
	defer watch.lap(StageLocate)
	defer m.pool.put(s)
	if err := f(s); err != nil {
		return fmt.Errorf("locator %s: %w", m.name, err)
	}
	return nil
}

// examine finds the face with a locator that looks twice. REQUIRES: s.mu is held.
func examine(c models.Contract, s *session, pic *picture.Picture) (finding, error) {
	x := examiner{contract: c, session: s, pic: pic}
	first, err := x.glance(x.whole(), asShown)
	if err != nil {
		return finding{}, err
	}
	back := align.Transform{A: 1, D: 1}
	if tight(first.face.Landmarks, pic) {
		if x.pic, back, err = loosened(pic); err != nil {
			return finding{}, err
		}
		defer x.pic.Release()
		if first, err = x.glance(x.whole(), asShown); err != nil {
			return finding{}, err
		}
	}
	seen, upright, err := x.search(x.whole(), first)
	if err != nil {
		return finding{}, err
	}
	f := finding{face: seen.face, view: seen.view, found: x.isFace(seen), certainty: x.certainty(seen)}
	if f.found && !upright {
		f.doubts = append(f.doubts, NotUpright)
	}
	if f.found {
		more, err := x.several(seen)
		if err != nil {
			return finding{}, err
		}
		if more {
			f.doubts = append(f.doubts, SeveralFaces)
		}
	}
	f.face.Landmarks = inPlane(f.face.Landmarks, back)
	return f, nil
}

// detect finds the face with a locator that sees all faces of a crop at once.
func detect(c models.Contract, s *session, pic *picture.Picture) (finding, error) {
	t, err := transformFor(c, pic, nil)
	if err != nil {
		return finding{}, err
	}
	faces, err := lookAll(c, s, pic, t)
	if err != nil {
		return finding{}, err
	}
	face, _ := locate.Best(faces, pic.Width, pic.Height)
	f := finding{face: face, view: asShown, found: face.Score >= minScore}
	side, middle, ok := square(face.Landmarks)
	for _, other := range faces {
		if f.found && ok && other.Score >= minScore && onPicture(other.Landmarks, pic) && isAnother(other.Landmarks, side, middle) {
			f.doubts = append(f.doubts, SeveralFaces)
			break
		}
	}
	return f, nil
}

// look returns what looks most like the crop's subject, in pixels of the crop. t maps the crop to the
// input. The score is 0 where there is nothing. REQUIRES: s.mu is held.
func look(c models.Contract, s *session, pic *picture.Picture, t align.Transform) (locate.Face, error) {
	faces, err := lookAll(c, s, pic, t)
	if err != nil {
		return locate.Face{}, err
	}
	face, _ := locate.Best(faces, pic.Width, pic.Height)
	return face, nil
}

// lookAll returns all faces that a locator sees in one look. REQUIRES: s.mu is held.
func lookAll(c models.Contract, s *session, pic *picture.Picture, t align.Transform) ([]locate.Face, error) {
	back, err := t.Invert()
	if err != nil {
		return nil, err
	}
	if err := align.Warp(s.input, pic, t, c.Input); err != nil {
		return nil, err
	}
	faces, err := findFaces(c, s)
	if err != nil {
		return nil, err
	}
	for i := range faces {
		mapBack(&faces[i], back)
	}
	return faces, nil
}

// secondLookSide and secondLook are the square that embedders align faces to, and the landmarks in it:
// the template that InsightFace published for ArcFace.
const secondLookSide = 112

var secondLook = models.Landmarks{
	{X: 38.2946, Y: 51.6963}, {X: 73.5318, Y: 51.5014}, {X: 56.0252, Y: 71.7366},
	{X: 41.5493, Y: 92.3655}, {X: 70.7299, Y: 92.2041},
}

// lookAt looks at the square of [models.Contract.SecondLook] around the face of a sight, in the sight's
// view. The error is align.ErrDegenerate where all landmarks are in one place. REQUIRES: s.mu is held.
func lookAt(c models.Contract, s *session, pic *picture.Picture, seen sight) (locate.Face, error) {
	side := float64(min(c.Input.Width, c.Input.Height)) / c.SecondLook
	t, err := align.Estimate(seen.plane(), squareIn(c.Input, side))
	if err != nil {
		return locate.Face{}, err
	}
	return look(c, s, pic, t.After(seen.view.plane()))
}

// findFaces runs a locator or a detector on the input that its session holds, and returns the faces in pixels of
// the input, or ErrOutput. REQUIRES: s.mu is held.
func findFaces(c models.Contract, s *session) ([]locate.Face, error) {
	if c.Decoder == models.DecoderBlaze {
		return runDetector(c, s, minFace)
	}
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

// decodePoints reads the one face of the decoder "points", whatever its score. Its box surrounds the
// landmarks.
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

// mapBack takes a face through a transform. Its box stays upright: it surrounds two mapped corners of the
// old box.
func mapBack(f *locate.Face, t align.Transform) {
	f.Landmarks = inPlane(f.Landmarks, t)
	a := t.Apply(models.Point{X: f.Box[0], Y: f.Box[1]})
	b := t.Apply(models.Point{X: f.Box[0] + f.Box[2], Y: f.Box[1] + f.Box[3]})
	x, y := min(a.X, b.X), min(a.Y, b.Y)
	f.Box = [4]float32{x, y, max(a.X, b.X) - x, max(a.Y, b.Y) - y}
}
