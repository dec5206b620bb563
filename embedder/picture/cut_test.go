package picture

import (
	"bytes"
	"image"
	"math/rand/v2"
	"testing"
)

// TestCut compares with reading pixel by pixel, for rectangles on, over and beside the edges.
func TestCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	p := &Picture{Width: 7, Height: 5, Pix: make([]byte, 3*7*5)}
	for i := range p.Pix {
		p.Pix[i] = byte(rng.Uint32())
	}
	for range 2000 {
		r := image.Rect(rng.IntN(15)-4, rng.IntN(13)-4, rng.IntN(15)-4, rng.IntN(13)-4)
		var want []byte
		for y := range p.Height {
			for x := range p.Width {
				if image.Pt(x, y).In(r) {
					want = append(want, p.Pix[3*(y*p.Width+x):][:3]...)
				}
			}
		}
		got := p.Cut(r)
		if got == nil {
			if want != nil {
				t.Fatalf("%v: nothing, and it has %d bytes", r, len(want))
			}
			continue
		}
		if part := r.Intersect(p.Bounds()); got.Width != part.Dx() || got.Height != part.Dy() || !bytes.Equal(got.Pix, want) {
			t.Fatalf("%v: %d x %d pixels, which are not those of the picture", r, got.Width, got.Height)
		}
		got.Release()
	}
}
