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

// wholeFace is the side of the area that a locator without a second look sees, in sides of the face's
// square. It shows the face as a detector's crop would.
const wholeFace = 2

// landmarks shows the locator the upright square around a face, see [models.Contract.SecondLook]. The score
// is 0 where it sees nothing.
func (s *search) landmarks(ctx context.Context, m *model, first models.Landmarks) (locate.Face, error) {
	c := m.contract
	share := c.SecondLook
	if share == 0 {
		share = wholeFace
	}
	t, err := align.Estimate(first, squareIn(c.Input, float64(min(c.Input.Width, c.Input.Height))/share))
	if err != nil {
		return locate.Face{}, nil // degenerate: there is nothing to look at
	}
	back, err := t.Invert()
	if err != nil {
		return locate.Face{}, nil
	}
	session, err := m.pool.take(ctx)
	if err != nil {
		return locate.Face{}, err
	}
	defer m.pool.put(session)
	pic, t := s.shrunk(t)
	if err := align.Warp(session.input, pic, t, c.Input); err != nil {
		if errors.Is(err, align.ErrDegenerate) {
			return locate.Face{}, nil
		}
		return locate.Face{}, err
	}
	faces, err := findFaces(c, session)
	if err != nil {
		return locate.Face{}, fmt.Errorf("locator %s: %w", c.Name, err)
	}
	face, _ := locate.Best(faces, c.Input.Width, c.Input.Height)
	for i, p := range face.Landmarks {
		face.Landmarks[i] = back.Apply(p)
	}
	return face, nil
}

// sizeOf is [Face.Size]: the side of the square that embedders align faces to, in pixels of the photo. It
// is 0 for degenerate landmarks.
func sizeOf(l models.Landmarks) float32 {
	t, err := align.Estimate(l, secondLook)
	if err != nil {
		return 0
	}
	return float32(secondLookSide / math.Hypot(t.A, t.C))
}

// cutSquare returns the square around a face as an upright crop. It has the photo's resolution, unless it
// is very large. The caller releases it. The error is [ErrLandmarks].
func cutSquare(pic *picture.Picture, l models.Landmarks) (*picture.Picture, error) {
	const most = 640 // pixels; no model's input is larger
	side := int(math.Ceil(min(max(float64(sizeOf(l)), 1), most)))
	t, err := align.Estimate(l, squareIn(models.Input{Width: side, Height: side}, float64(side)))
	if err != nil {
		return nil, unusable(err)
	}
	square, err := resampled(pic, t, side, side)
	if err != nil {
		return nil, unusable(err)
	}
	return square, nil
}
