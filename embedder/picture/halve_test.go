package picture

import (
	"math/rand/v2"
	"testing"
)

// TestHalve compares with the mean of four pixels, written in another way.
func TestHalve(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{1, 1}, {1, 7}, {7, 1}, {2, 2}, {3, 5}, {64, 48}, {101, 33}} {
		p := newPicture(size[0], size[1])
		for i := range p.Pix {
			p.Pix[i] = byte(rng.UintN(256))
		}
		half := p.Halve()
		if half.Width != max(1, size[0]/2) || half.Height != max(1, size[1]/2) || len(half.Pix) != 3*half.Width*half.Height {
			t.Fatalf("%v: the half has %d x %d pixels", size, half.Width, half.Height)
		}
		at := func(x, y, c int) float64 {
			return float64(p.Pix[3*(min(y, p.Height-1)*p.Width+min(x, p.Width-1))+c])
		}
		for y := range half.Height {
			for x := range half.Width {
				for c := range 3 {
					want := (at(2*x, 2*y, c) + at(2*x+1, 2*y, c) + at(2*x, 2*y+1, c) + at(2*x+1, 2*y+1, c)) / 4
					if got := float64(half.Pix[3*(y*half.Width+x)+c]); got < want-0.5 || got > want+0.5 {
						t.Fatalf("%v: sample %d of (%d, %d) is %v, and the mean is %v", size, c, x, y, got, want)
					}
				}
			}
		}
		half.Release()
		p.Release()
	}
}

func BenchmarkHalve(b *testing.B) {
	p := newPicture(4000, 3000)
	b.SetBytes(int64(len(p.Pix)))
	for b.Loop() {
		p.Halve()
	}
}
