package align

import (
	"image"
	"math"

	"rollcall/models"
)

// The fits return a transform from a picture of width x height pixels, at least 1 x 1, to the pixels of the
// input in. margin is added in black on every side first, as a share of the picture's longer side, 0 or
// more.

// FitCorner keeps the aspect ratio: the picture with its margin fills the input's width or height, from the
// upper left corner.
func FitCorner(width, height int, in models.Input, margin float64) Transform {
	w, h, m := padded(width, height, margin)
	scale := min(float64(in.Width)/w, float64(in.Height)/h)
	return place(scale, scale, m, 0, 0)
}

// FitLetterbox keeps the aspect ratio and centres: the picture with its margin gets the largest size in
// whole pixels that the input holds. Where the rest is odd, the right or lower bar is one pixel wider.
// DeepFace does the same, and this fit is for its models.
func FitLetterbox(width, height int, in models.Input, margin float64) Transform {
	w, h, m := padded(width, height, margin)
	scale := min(float64(in.Width)/w, float64(in.Height)/h)
	// Division and multiplication may give slightly less than the whole number that is meant.
	const slack = 1e-6
	inner := func(side float64) float64 { return max(1, math.Floor(side*scale+slack)) }
	iw, ih := inner(w), inner(h)
	left, top := math.Floor((float64(in.Width)-iw)/2), math.Floor((float64(in.Height)-ih)/2)
	return place(iw/w, ih/h, m, left, top)
}

// FitStretch fills the input and does not keep the aspect ratio.
func FitStretch(width, height int, in models.Input, margin float64) Transform {
	w, h, m := padded(width, height, margin)
	return place(float64(in.Width)/w, float64(in.Height)/h, m, 0, 0)
}

// padded is the size of the picture with its margin, and the margin in pixels.
func padded(width, height int, margin float64) (w, h, m float64) {
	m = margin * float64(max(width, height))
	return float64(width) + 2*m, float64(height) + 2*m, m
}

// place scales areas. The left edge of the picture, half a pixel left of its first centre, is mapped to
// left plus the scaled margin.
func place(sx, sy, margin, left, top float64) Transform {
	const half = 0.5
	return Transform{
		A: sx, Tx: sx*(margin+half) + left - half,
		D: sy, Ty: sy*(margin+half) + top - half,
	}
}

// regionSide is the side of Region in distances between the eyes: from above the eyebrows to the chin and
// from cheek to cheek, without hair and background. In the 112-pixel template it is 77 pixels.
const regionSide = 2.2

// Region is the square around these landmarks, in whole pixels, on which the brightness and sharpness of
// the face are measured. It may reach beyond the picture. It is empty where the landmarks are degenerate.
func Region(l Landmarks) image.Rectangle {
	x, y := centroid(l)
	half := regionSide / 2 * math.Hypot(float64(l[1].X)-float64(l[0].X), float64(l[1].Y)-float64(l[0].Y))
	const most = 1 << 30 // no picture is larger, and larger numbers do not fit an int of 32 bits
	if !(half > 0) || !(math.Abs(x)+half < most) || !(math.Abs(y)+half < most) {
		return image.Rectangle{}
	}
	return image.Rect(int(math.Round(x-half)), int(math.Round(y-half)), int(math.Round(x+half)), int(math.Round(y+half)))
}
