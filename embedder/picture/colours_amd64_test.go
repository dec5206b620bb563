package picture

import (
	"bytes"
	"image"
	"math/rand/v2"
	"testing"
)

// TestRGB: the assembly and the loop give the same pixels, for every width, chroma and kind of colours, and
// nothing beside them is written.
func TestRGB(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	defer func() { hasAVX2 = true }()
	rng := rand.New(rand.NewPCG(24, 5))
	for width := 1; width < 70; width++ {
		for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
			m := image.NewYCbCr(image.Rect(0, 0, width, 9), ratio)
			for _, samples := range [][]byte{m.Y, m.Cb, m.Cr} {
				for i := range samples {
					samples[i] = byte(rng.UintN(256))
					if rng.IntN(3) == 0 {
						samples[i] = 255 * byte(rng.IntN(2))
					}
				}
			}
			for _, k := range []colours{jfif, studio} {
				for orientation := 1; orientation <= 8; orientation++ {
					var pictures [2]*Picture
					for i := range pictures {
						p, c := orient(width, 9, orientation)
						c.pix = append(bytes.Clone(c.pix), 1, 2, 3, 4, 5)[:len(c.pix)]
						hasAVX2 = i == 0
						c.ycbcr(m, k)
						p.Pix = c.pix[:cap(c.pix)][:len(p.Pix)+5]
						pictures[i] = p
					}
					if !bytes.Equal(pictures[0].Pix, pictures[1].Pix) {
						t.Fatalf("width %d, %v, %+v, orientation %d: %v, want %v", width, ratio, k, orientation, pictures[0].Pix, pictures[1].Pix)
					}
				}
			}
		}
	}
}
