package align_test

import (
	"fmt"
	"testing"

	"rollcall/embedder/align"
	"rollcall/models"
)

// BenchmarkWarp aligns a face to 112 x 112, from pictures of several sizes.
func BenchmarkWarp(b *testing.B) {
	for _, bench := range []struct {
		side  int
		scale float64 // of the picture's pixels in the input
		angle float64
	}{
		{112, 1, 0.1}, {192, 0.85, 0.1}, {192, 0.5, 0.1}, {600, 0.2, 0.1}, {3000, 0.04, 0.1},
	} {
		b.Run(fmt.Sprintf("from %d by %.2f", bench.side, bench.scale), func(b *testing.B) {
			pic := noise(1, bench.side, bench.side)
			in := input(112, 112, models.NCHW, models.RGB)
			t := turn(bench.scale, bench.angle, float64(bench.side)/2, float64(bench.side)/2, 55.5, 55.5)
			dst := make([]float32, 3*112*112)
			b.ReportAllocs()
			for b.Loop() {
				if err := align.Warp(dst, pic, t, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFit brings a whole picture of 192 pixels into a locator's input.
func BenchmarkFit(b *testing.B) {
	pic := noise(1, 192, 192)
	in := input(160, 160, models.NCHW, models.BGR)
	in.Fit = models.FitCorner
	dst := make([]float32, 3*160*160)
	b.ReportAllocs()
	for b.Loop() {
		if err := align.Warp(dst, pic, align.FitCorner(192, 192, in, 0.1), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEstimate(b *testing.B) {
	from, to := template, template
	from[0].X += 3
	for b.Loop() {
		if _, err := align.Estimate(from, to); err != nil {
			b.Fatal(err)
		}
	}
}
