package picture

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestPadded compares with the nearest pixel of the picture, for every pixel.
func TestPadded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][3]int{{1, 1, 0}, {1, 1, 3}, {5, 2, 1}, {3, 7, 4}} {
		p := newPicture(size[0], size[1])
		for i := range p.Pix {
			p.Pix[i] = byte(r.Uint32())
		}
		n := size[2]
		out := p.Padded(n)
		if out.Width != p.Width+2*n || out.Height != p.Height+2*n {
			t.Fatalf("%v became %d x %d", size, out.Width, out.Height)
		}
		for y := range out.Height {
			for x := range out.Width {
				at := 3 * (min(max(y-n, 0), p.Height-1)*p.Width + min(max(x-n, 0), p.Width-1))
				got := out.Pix[3*(y*out.Width+x) : 3*(y*out.Width+x)+3]
				if !bytes.Equal(got, p.Pix[at:at+3]) {
					t.Fatalf("%v: pixel %d, %d is %v, not %v", size, x, y, got, p.Pix[at:at+3])
				}
			}
		}
	}
}
