package embedder

import (
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Where a face fills its crop, the locator lacks what surrounds it and errs. So it is shown the crop with its
// edge repeated around it. With eyes to mouth filling half of the side, a quarter of the landmarks' error
// goes so, with 60 % of it half (400 people of faces.csv that are not of the split test; an experiment, no
// command prints it).
const (
	// tightFace is how large the square of a face may be, in shorter sides of the crop, before the crop is
	// taken for too tight.
	tightFace = 1.1
	// tightMargin is what is added on each side, in longer sides of the crop.
	tightMargin = 0.25
	// tightSide is how large the longer side of the crop may be then, in pixels: a locator sees no more,
	// and what has a side of a million pixels must not be made larger.
	tightSide = 256
)

// tight reports whether a face fills a picture too much.
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

// resampled returns a picture of width x height pixels that t takes pic to; what lies outside is black.
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
