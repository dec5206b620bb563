package align_test

import (
	"math"
	"math/rand/v2"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// template is the common one for 112 x 112.
var template = align.Landmarks{{X: 38.2946, Y: 51.6963}, {X: 73.5318, Y: 51.5014}, {X: 56.0252, Y: 71.7366},
	{X: 41.5493, Y: 92.3655}, {X: 70.7299, Y: 92.2041}}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// noise is a picture in which every sample differs from its neighbours.
func noise(seed uint64, width, height int) *picture.Picture {
	rng := random(seed)
	p := &picture.Picture{Pix: make([]byte, 3*width*height), Width: width, Height: height}
	for i := range p.Pix {
		p.Pix[i] = byte(rng.UintN(256))
	}
	return p
}

// input has another mean and scale for each channel, so that none can be taken for another.
func input(width, height int, layout, colour string) models.Input {
	return models.Input{Width: width, Height: height, Layout: layout, Colour: colour, Fit: models.FitAlign,
		Mean: [3]float32{104, 117.5, 123}, Std: [3]float32{57, 64, 127.5}}
}

// raw is an input that holds samples as they are.
func raw(width, height int) models.Input {
	in := input(width, height, models.NHWC, models.RGB)
	in.Mean, in.Std = [3]float32{}, [3]float32{1, 1, 1}
	return in
}

// turn scales and turns by angle around (fx, fy), which it takes to (tx, ty).
func turn(scale, angle, fx, fy, tx, ty float64) align.Transform {
	sin, cos := math.Sincos(angle)
	a, c := scale*cos, scale*sin
	return align.Transform{A: a, B: -c, Tx: tx - a*fx + c*fy, C: c, D: a, Ty: ty - c*fx - a*fy}
}
