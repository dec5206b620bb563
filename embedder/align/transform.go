// Package align brings a picture of any size into a model's input tensor.
//
// [Estimate] finds the transform that takes landmarks to a model's template; [FitCorner],
// [FitLetterbox] and [FitStretch] take the whole picture to the input. [Warp] resamples the picture
// through such a transform, once, straight into the tensor: layout, colour order, mean and scale.
// [Region] is the part of a picture that a face's quality is measured on.
//
// The centre of the upper left pixel has the coordinates (0, 0), in pictures and in inputs, as in OpenCV's
// warpAffine and in the templates of face recognition models. A fit that scales a picture maps areas, as
// OpenCV's resize does: the picture goes from -1/2 to width-1/2.
//
// All functions are deterministic and safe for concurrent use.
package align

import (
	"errors"
	"fmt"
	"math"

	"rollcall/models"
)

// Point is a position in pixels.
type Point = models.Point

// Landmarks are the five points of a face in image order: the left eye as seen in the image first.
type Landmarks = models.Landmarks

// ErrDegenerate: the landmarks or the transform do not determine a picture: all points in one place,
// coordinates that are not finite or absurdly large, or a scale of nearly zero.
var ErrDegenerate = errors.New("the landmarks or the transform are degenerate")

// Transform is an affine map in pixels: x' = A x + B y + Tx, y' = C x + D y + Ty. The similarity of
// [Estimate] has D = A and C = -B. The zero Transform maps everything to one point.
type Transform struct {
	A, B, Tx float64
	C, D, Ty float64
}

const (
	// minSpread is the root mean square distance of landmarks to their centre, in pixels, below which they
	// count as one point. A hundredth of a pixel is less than any locator can tell apart.
	minSpread = 0.01
	// minScale is the least scale of a transform that can be inverted without losing all digits. With it a
	// picture with sides of a million pixels becomes one pixel.
	minScale = 1e-6
)

// Estimate returns the similarity transform (turn, one scale, shift; no mirroring) that takes from to
// to with the least sum of squared distances, or ErrDegenerate.
//
// It is the solution of Umeyama (1991), "Least-squares estimation of transformation parameters between two
// point patterns", doi:10.1109/34.88573. Its singular value decomposition has a closed form in the plane:
// with the centred points as complex numbers p and q, turn and scale together are the complex number
// sum(conj(p) q) / sum(|p|^2).
func Estimate(from, to Landmarks) (Transform, error) {
	fx, fy := centroid(from)
	tx, ty := centroid(to)
	var re, im, spread float64
	for i := range from {
		px, py := float64(from[i].X)-fx, float64(from[i].Y)-fy
		qx, qy := float64(to[i].X)-tx, float64(to[i].Y)-ty
		re += px*qx + py*qy
		im += px*qy - py*qx
		spread += px*px + py*py
	}
	if !(spread > minSpread*minSpread*float64(len(from))) || math.IsInf(spread, 1) {
		return Transform{}, fmt.Errorf("align: %w", ErrDegenerate)
	}
	re, im = re/spread, im/spread
	t := Transform{A: re, B: -im, C: im, D: re, Tx: tx - re*fx + im*fy, Ty: ty - im*fx - re*fy}
	if scale := math.Hypot(re, im); !(scale > minScale) || !t.finite() {
		return Transform{}, fmt.Errorf("align: %w", ErrDegenerate)
	}
	return t, nil
}

// centroid is the mean of the landmarks; not finite if one of them is not.
func centroid(l Landmarks) (x, y float64) {
	for _, p := range l {
		x += float64(p.X)
		y += float64(p.Y)
	}
	return x / float64(len(l)), y / float64(len(l))
}

func (t Transform) finite() bool {
	sum := t.A + t.B + t.C + t.D + t.Tx + t.Ty // cannot overflow, because the pixels were finite float32
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// Invert returns the transform that undoes t, or ErrDegenerate where t maps the plane to a line or a
// point.
func (t Transform) Invert() (Transform, error) {
	det := t.A*t.D - t.B*t.C
	if !(math.Abs(det) > minScale*minScale) || !t.finite() {
		return Transform{}, fmt.Errorf("align: inverting a transform: %w", ErrDegenerate)
	}
	a, b, c, d := t.D/det, -t.B/det, -t.C/det, t.A/det
	return Transform{A: a, B: b, C: c, D: d, Tx: -(a*t.Tx + b*t.Ty), Ty: -(c*t.Tx + d*t.Ty)}, nil
}

// After returns the transform that does u first and then t.
func (t Transform) After(u Transform) Transform {
	return Transform{
		A: t.A*u.A + t.B*u.C, B: t.A*u.B + t.B*u.D, Tx: t.A*u.Tx + t.B*u.Ty + t.Tx,
		C: t.C*u.A + t.D*u.C, D: t.C*u.B + t.D*u.D, Ty: t.C*u.Tx + t.D*u.Ty + t.Ty,
	}
}

// Apply maps a point.
func (t Transform) Apply(p Point) Point {
	x, y := t.apply(float64(p.X), float64(p.Y))
	return Point{X: float32(x), Y: float32(y)}
}

func (t Transform) apply(x, y float64) (float64, float64) {
	return t.A*x + t.B*y + t.Tx, t.C*x + t.D*y + t.Ty
}
