package align_test

import (
	"image"
	"math"
	"testing"

	"rollcall/embedder/align"
	"rollcall/models"
)

// TestFits checks where the outer corners of the picture come to lie, in whole pixels counted from
// the input's outer corner.
func TestFits(t *testing.T) {
	wide, square := input(160, 160, models.NCHW, models.RGB), input(320, 160, models.NCHW, models.RGB)
	for _, test := range []struct {
		name                     string
		fit                      func(int, int, models.Input, float64) align.Transform
		width, height            int
		in                       models.Input
		margin                   float64
		left, top, right, bottom float64
	}{
		{"corner, the same size", align.FitCorner, 160, 160, wide, 0, 0, 0, 160, 160},
		{"corner, wide", align.FitCorner, 320, 100, wide, 0, 0, 0, 160, 50},
		{"corner, tall, enlarged", align.FitCorner, 20, 80, wide, 0, 0, 0, 40, 160},
		{"corner, margin", align.FitCorner, 100, 50, wide, 0.5, 40, 40, 120, 80},
		{"corner, wide input", align.FitCorner, 100, 100, square, 0, 0, 0, 160, 160},
		{"letterbox, the same size", align.FitLetterbox, 160, 160, wide, 0, 0, 0, 160, 160},
		{"letterbox, wide", align.FitLetterbox, 320, 100, wide, 0, 0, 55, 160, 105},
		{"letterbox, odd bars", align.FitLetterbox, 112, 160, wide, 0, 24, 0, 136, 160},
		{"letterbox, rounded down", align.FitLetterbox, 150, 100, wide, 0, 0, 27, 160, 133},
		{"letterbox, no thinner than a pixel", align.FitLetterbox, 1, 1000, wide, 0, 79, 0, 80, 160},
		{"letterbox, exact although not in binary", align.FitLetterbox, 77, 77, wide, 0, 0, 0, 160, 160},
		{"letterbox, margin", align.FitLetterbox, 100, 100, wide, 0.5, 40, 40, 120, 120},
		{"stretch", align.FitStretch, 77, 1000, square, 0, 0, 0, 320, 160},
		{"stretch, margin", align.FitStretch, 100, 60, wide, 0.2, 160. / 7, 32, 160 - 160./7, 160 - 32},
	} {
		f := test.fit(test.width, test.height, test.in, test.margin)
		first := f.Apply(align.Point{X: -0.5, Y: -0.5})
		last := f.Apply(align.Point{X: float32(test.width) - 0.5, Y: float32(test.height) - 0.5})
		for i, pair := range [][2]float64{
			{float64(first.X) + 0.5, test.left}, {float64(first.Y) + 0.5, test.top},
			{float64(last.X) + 0.5, test.right}, {float64(last.Y) + 0.5, test.bottom},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-3 {
				t.Errorf("%s: side %d lies at %g, want %g", test.name, i, pair[0], pair[1])
			}
		}
		if f.B != 0 || f.C != 0 {
			t.Errorf("%s: %+v turns the picture", test.name, f)
		}
	}
}

func TestRegion(t *testing.T) {
	for name, test := range map[string]struct {
		landmarks align.Landmarks
		want      image.Rectangle
	}{
		"template":        {template, image.Rect(17, 33, 95, 111)},
		"beyond the edge": {align.Landmarks{{X: 0}, {X: 10}, {X: 5, Y: 5}, {X: 0, Y: 10}, {X: 10, Y: 10}}, image.Rect(-6, -6, 16, 16)},
		"nothing":         {align.Landmarks{}, image.Rectangle{}},
		"not a number":    {align.Landmarks{{X: float32(math.NaN())}, {X: 1}}, image.Rectangle{}},
		"absurdly large":  {align.Landmarks{{X: -3e38}, {X: 3e38}}, image.Rectangle{}},
	} {
		if got := align.Region(test.landmarks); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
