package embedder

import (
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Where a face fills its crop, the locator misses the surroundings and its error grows. So it sees the crop
// with its edge repeated around it. That removes a quarter of the landmarks' error where eyes to mouth fill
// half of the side, and half of it where they fill 60 % (400 people of faces.csv who are not in the split
// "test"; an experiment, no command prints it).
const (
	// tightFace is how large the square of a face may be, in shorter sides of the crop. A crop with a
	// larger one is too tight.
	tightFace = 1.1
	// tightMargin is what is added on each side, in longer sides of the crop.
	tightMargin = 0.25
	// tightSide is how large the longer side of a crop that is too tight may stay, in pixels. A locator
	// sees no more detail, and a picture with a side of a million pixels must not be made larger.
	tightSide = 256
)

// tight reports whether a face fills too much of a picture.
func tight(l models.Landmarks, pic *picture.Picture) bool {
	side, _, ok := square(l)
	return ok && side > tightFace*float64(min(pic.Width, pic.Height))
}

// loosened returns a picture with its edge repeated around it, shrunk where it is large, and the
// transform from it to the picture. The caller releases it.
func loosened(pic *picture.Picture) (*picture.Picture, align.Transform, error) {
	scale := min(1, tightSide/float64(max(pic.Width, pic.Height)))
	width := max(1, int(math.Round(scale*float64(pic.Width))))
	height := max(1, int(math.Round(scale*float64(pic.Height))))
	small, err := resampled(pic, align.FitStretch(pic.Width, pic.Height, models.Input{Width: width, Height: height}, 0), width, height)
	if err != nil {
		return nil, align.Transform{}, err
	}
	defer small.Release()
	margin := int(math.Round(tightMargin * float64(max(width, height))))
	sx, sy := float64(pic.Width)/float64(width), float64(pic.Height)/float64(height)
	m := float64(margin)
	// Areas, as resizing maps them: see align.FitStretch.
	back := align.Transform{A: sx, Tx: sx*(0.5-m) - 0.5, D: sy, Ty: sy*(0.5-m) - 0.5}
	return small.Padded(margin), back, nil
}

// resampled returns pic mapped by t, as a picture of width x height pixels. What lies outside pic is black.
func resampled(pic *picture.Picture, t align.Transform, width, height int) (*picture.Picture, error) {
	in := models.Input{
		Width: width, Height: height, Layout: models.NHWC, Colour: models.RGB, Std: [3]float32{1, 1, 1}, Fit: models.FitCorner,
	}
	samples := make([]float32, 3*width*height)
	if err := align.Warp(samples, pic, t, in); err != nil {
		return nil, err
	}
	out := &picture.Picture{Pix: make([]byte, len(samples)), Width: width, Height: height}
	for i, v := range samples {
		out.Pix[i] = byte(math.Round(float64(v)))
	}
	return out, nil
}
