package embedder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Outputs of a detector with the decoder "blaze".
const (
	regressorsOutput = "regressors" // [1][anchors][16]float32
	logitsOutput     = "logits"     // [1][anchors][1]float32
)

// A face's score is the square root of the product of two scores. The first is the detector's, for the face
// in its tile. The second is the second detector's, for the face alone, upright and always in the same
// size. The two are different networks, and rarely mistake the same thing for a face. Measured on composed
// photos of the validation people, at one false face in ten photos: the first alone found 95 to 96 % of the
// faces of 16 to 300 pixels, both together 99 %. On seven photographs of people the first alone gave false
// faces up to 0.77. Both together gave false faces up to 0.55 and true ones from 0.78 (experiments in
// Python; no command prints them).
const (
	// minSearch is the score from which a second look is worth its time, half a millisecond. A frame asks
	// for more, because its faces are large enough for the detector to be sure.
	minSearch        = 0.4
	minSearchInFrame = 0.5
	// minFace is the score from which something is a face, after the locator's doubt is included. "rollcall
	// bench detect" has one false face in twenty to fifty composed photos. On twelve photographs with 28
	// faces all were found, and one false face. On 21 photographs without faces there was one false face, a
	// head lamp (November 2026).
	minFace = 0.6
	// mostConfirmed bounds the second looks: beyond these the detector is less sure, and was wrong.
	mostConfirmed = 2000
)

// The face in the middle of the second detector's input.
const (
	confirmShare = 2.0 / 3 // side of its square, in shorter sides of the input
	boxShare     = 0.78    // side of BlazeFace's box, in sides of the square
	mostAside    = 0.4     // how far from the middle the box may be, in sides of the square
	mostRatio    = 1.65    // between the widths of the expected box and the found one
	minConfirm   = 0.02    // below this it is no face, whatever the first detector says
)

// search looks for the faces of one photo.
type search struct {
	crew
	pic      *picture.Picture
	halves   []*picture.Picture // halves[0] is pic
	detector *model
	confirms *model // nil: only the detector's score counts
}

// faces returns the faces of the photo, in its pixels, with the landmarks that the detectors saw.
func (s *search) faces(ctx context.Context, least float64) ([]locate.Face, error) {
	if !isPhoto(s.pic.Width, s.pic.Height) {
		return nil, nil
	}
	in := s.detector.contract.Input
	finest := finestScale(s.pic.Width, s.pic.Height, least, in)
	levels := planLevels(s.pic.Width, s.pic.Height, in, finest)
	if err := s.one(ctx, func() error { sampleFrom(levels, s.half); return nil }); err != nil {
		return nil, err
	}
	last := len(levels) - 1
	var tiles []tile
	for i := range last {
		tiles = append(tiles, levels[i].cut(s.pic.Width, s.pic.Height, in)...)
	}
	filling := levels[last].cut(s.pic.Width, s.pic.Height, in)
	// In a frame a second look at the whole would be half of the cost, so it is done only when needed.
	if s.hired {
		faces, err := s.confirmed(ctx, tiles)
		if err != nil || len(faces) > 0 {
			return faces, err
		}
		return s.confirmed(ctx, filling)
	}
	return s.confirmed(ctx, append(tiles, filling...))
}

// half returns the photo halved i times.
func (s *search) half(i int) *picture.Picture {
	for len(s.halves) <= i {
		s.halves = append(s.halves, s.halves[len(s.halves)-1].Halve())
	}
	return s.halves[i]
}

// confirmed returns the faces of some tiles, the best first.
func (s *search) confirmed(ctx context.Context, tiles []tile) ([]locate.Face, error) {
	var found struct {
		sync.Mutex
		byTile [][]locate.Face
	}
	found.byTile = make([][]locate.Face, len(tiles))
	err := s.each(ctx, len(tiles), func(i int) error {
		faces, err := s.look(ctx, &tiles[i])
		found.Lock()
		defer found.Unlock()
		found.byTile[i] = faces
		return err
	})
	if err != nil {
		return nil, err
	}
	// In the order of the tiles, so that the answer does not depend on which tile was done first.
	faces := locate.Merge(slices.Concat(found.byTile...))
	faces = faces[:min(len(faces), mostConfirmed)]
	if s.confirms != nil {
		err = s.each(ctx, len(faces), func(i int) error { return s.confirm(ctx, &faces[i]) })
		if err != nil {
			return nil, err
		}
	}
	faces = slices.DeleteFunc(faces, func(f locate.Face) bool { return f.Score < minFace })
	return locate.Merge(faces), nil
}

// look returns the faces that the detector sees in a tile, in pixels of the photo.
func (s *search) look(ctx context.Context, t *tile) ([]locate.Face, error) {
	least := float32(minSearch)
	if s.hired {
		least = minSearchInFrame
	}
	faces, err := s.run(ctx, s.detector, t.pic, t.transform(), least)
	if err != nil {
		return nil, err
	}
	faces = slices.DeleteFunc(faces, func(f locate.Face) bool { return !t.answersFor(f.Box) })
	if s.confirms == nil {
		faces = slices.DeleteFunc(faces, func(f locate.Face) bool { return f.Score < minFace })
	}
	back := t.toPhoto()
	for i := range faces {
		mapBack(&faces[i], back)
	}
	return faces, nil
}

// run shows a detector a picture through a transform and returns the faces, in pixels of its input.
func (s *search) run(
	ctx context.Context, m *model, pic *picture.Picture, t align.Transform, minScore float32,
) ([]locate.Face, error) {
	session, err := m.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	defer m.pool.put(session)
	c := m.contract
	if err := align.Warp(session.input, pic, t, c.Input); err != nil {
		return nil, err
	}
	faces, err := runDetector(c, session, minScore)
	if err != nil {
		return nil, fmt.Errorf("detector %s: %w", c.Name, err)
	}
	return faces, nil
}

// runDetector runs a detector on the input that its session holds, and returns the faces in pixels of
// the input, or ErrOutput. REQUIRES: s.mu is held.
func runDetector(c models.Contract, s *session, minScore float32) ([]locate.Face, error) {
	if err := s.run(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	regressors, logits := s.outputs[regressorsOutput], s.outputs[logitsOutput]
	faces, err := locate.Blaze(regressors, logits, c.Input.Width, c.Input.Height, c.Anchors, minScore)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	return faces, nil
}

// confirm shows a face to the second detector. The face then has the score of both detectors, and the box
// and the landmarks of the second, which sees it better. After this two views of one face agree.
func (s *search) confirm(ctx context.Context, f *locate.Face) error {
	in := s.confirms.contract.Input
	side := confirmShare * float64(min(in.Width, in.Height))
	first := f.Score
	f.Score = 0
	t, err := align.Estimate(f.Landmarks, squareIn(in, side))
	if err != nil {
		return nil // degenerate landmarks: no face has these
	}
	back, err := t.Invert()
	if err != nil {
		return nil
	}
	pic, t := s.shrunk(t)
	seen, err := s.run(ctx, s.confirms, pic, t, minConfirm)
	if errors.Is(err, align.ErrDegenerate) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, second := range seen { // the best first
		if !inTheMiddle(second.Box, in, side) {
			continue
		}
		f.Score = float32(math.Sqrt(float64(first) * float64(second.Score)))
		for i, p := range second.Landmarks {
			f.Landmarks[i] = back.Apply(p)
		}
		f.Box = boxThrough(second.Box, back)
		return nil
	}
	return nil
}

// boxThrough takes the middle of a box through a similarity transform and multiplies its sides by the
// transform's scale. The box stays upright, for a turned face too.
func boxThrough(box [4]float32, t align.Transform) [4]float32 {
	scale := float32(math.Hypot(t.A, t.C))
	middle := t.Apply(models.Point{X: box[0] + box[2]/2, Y: box[1] + box[3]/2})
	w, h := scale*box[2], scale*box[3]
	return [4]float32{middle.X - w/2, middle.Y - h/2, w, h}
}

// shrunk returns the half of the photo that suits a transform of the photo best, and the transform from
// that half.
func (s *search) shrunk(t align.Transform) (*picture.Picture, align.Transform) {
	half := 0
	// From that half align.Warp takes one sample for each pixel.
	for scale := math.Hypot(t.A, t.C); scale <= 1/1.5 && half+1 < len(s.halves); scale *= 2 {
		half++
		// (x, y) of the half is (2x+0.5, 2y+0.5) of the whole.
		t.Tx, t.Ty = t.Tx+(t.A+t.B)/2, t.Ty+(t.C+t.D)/2
		t.A, t.B, t.C, t.D = 2*t.A, 2*t.B, 2*t.C, 2*t.D
	}
	return s.halves[half], t
}

// inTheMiddle reports whether a box belongs to the face in the middle of an input. The face's square has
// the given side.
func inTheMiddle(box [4]float32, in models.Input, side float64) bool {
	x := float64(box[0]+box[2]/2) - float64(in.Width-1)/2
	y := float64(box[1]+box[3]/2) - float64(in.Height-1)/2
	ratio := float64(box[2]+box[3]) / 2 / (boxShare * side)
	return max(math.Abs(x), math.Abs(y)) < mostAside*side && ratio < mostRatio && ratio > 1/mostRatio
}

// squareIn returns the landmarks of an upright face in the middle of an input. The face's square has the
// given side.
func squareIn(in models.Input, side float64) models.Landmarks {
	const middle = (secondLookSide - 1) / 2.0
	var places models.Landmarks
	for i, p := range secondLook {
		places[i] = models.Point{
			X: float32((float64(p.X)-middle)*side/secondLookSide + float64(in.Width-1)/2),
			Y: float32((float64(p.Y)-middle)*side/secondLookSide + float64(in.Height-1)/2),
		}
	}
	return places
}
