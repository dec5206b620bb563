package align

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall/embedder/picture"
	"rollcall/models"
)

// TestBlocks: the assembly and the loops give the same bits, for pictures and inputs of every size, and
// for transforms that enlarge, shrink, turn, shear and mirror.
func TestBlocks(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	defer func() { hasAVX2 = true }()
	rng := rand.New(rand.NewPCG(24, 2))
	reached := 0
	for n := range 500 {
		pic := &picture.Picture{Width: 1 + rng.IntN(70), Height: 1 + rng.IntN(70)}
		pic.Pix = make([]byte, 3*pic.Width*pic.Height) // nothing behind it may be read
		for i := range pic.Pix {
			pic.Pix[i] = byte(rng.UintN(256)) | byte(rng.UintN(2)*255) // often 255, for the largest sums
		}
		in := models.Input{
			Width: 1 + rng.IntN(200), Height: 1 + rng.IntN(40), Layout: []string{models.NCHW, models.NHWC}[n%2], Colour: models.BGR,
			Mean: [3]float32{104, 117.5, 123}, Std: [3]float32{57, 64, 127.5}, Fit: []string{models.FitAlign, models.FitStretch}[n/2%2],
		}
		scale := math.Exp(3 * (rng.Float64() - 0.6))
		sin, cos := math.Sincos(7 * rng.Float64())
		f := Transform{A: scale * cos, B: -scale * sin, C: scale * sin, D: scale * cos}
		if n%3 == 0 {
			f.A, f.B = f.A*rng.NormFloat64(), f.B+0.3*rng.NormFloat64()
		}
		middleX, middleY := float64(pic.Width)/2, float64(pic.Height)/2
		f.Tx = float64(in.Width)/2 - f.A*middleX - f.B*middleY
		f.Ty = float64(in.Height)/2 - f.C*middleX - f.D*middleY
		if s, err := newSampler(pic, f, in); err != nil {
			continue
		} else if from, to := s.interior(in.Height/2, in.Width); to-from >= lanes && !s.upright() {
			reached++
		}
		got, want := make([]float32, 3*in.Width*in.Height), make([]float32, 3*in.Width*in.Height)
		hasAVX2 = true
		if err := Warp(got, pic, f, in); err != nil {
			t.Fatal(err)
		}
		hasAVX2 = false
		if err := Warp(want, pic, f, in); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("run %d: a picture of %d x %d, %+v, %+v: the assembly gives something else", n, pic.Width, pic.Height, f, in)
		}
	}
	if reached < 200 {
		t.Errorf("only %d runs reach the assembly", reached)
	}
}
