package picture

import (
	"image"
	"math"
	"testing"
)

// plain makes a picture from a function of the position.
func plain(width, height int, f func(x, y int) byte) *Picture {
	p := newPicture(width, height)
	for i := range width * height {
		v := f(i%width, i/width)
		p.Pix[3*i], p.Pix[3*i+1], p.Pix[3*i+2] = v, v, v
	}
	return p
}

func TestMeasureFlat(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {3, 200}, {64, 64}, {65, 63}, {511, 512}, {1023, 1025}, {3000, 2}} {
		for _, v := range []byte{0, 51, 255} {
			p := plain(size.X, size.Y, func(int, int) byte { return v })
			brightness, contrast, sharpness := p.Measure(p.Bounds())
			if math.Abs(float64(brightness)-float64(v)/255) > 1e-4 || contrast > 1e-4 || sharpness > 1e-4 {
				t.Errorf("%v of %d: brightness %g, contrast %g, sharpness %g", size, v, brightness, contrast, sharpness)
			}
		}
	}
}

// TestMeasureLuma: the weights of Rec. 601.
func TestMeasureLuma(t *testing.T) {
	for i, want := range []float64{0.299, 0.587, 0.114} {
		p := newPicture(10, 10)
		for j := range p.Pix {
			p.Pix[j] = map[bool]byte{true: 255}[j%3 == i]
		}
		if brightness, _, _ := p.Measure(p.Bounds()); math.Abs(float64(brightness)-want) > 1e-4 {
			t.Errorf("channel %d: %g, want %g", i, brightness, want)
		}
	}
}

// TestMeasureSharpness: at the size of the chip it is the variance by its definition; a ramp has none;
// blur lowers it; the same face at another size measures about the same.
func TestMeasureSharpness(t *testing.T) {
	// stripes of a period of 1/8 of the picture, so smooth that resampling keeps them
	stripes := func(side int) *Picture {
		return plain(side, side, func(x, y int) byte {
			return byte(128 + 100*math.Sin(2*math.Pi*8*(float64(x)+0.5)/float64(side))*math.Sin(2*math.Pi*8*(float64(y)+0.5)/float64(side)))
		})
	}
	p := stripes(chipSide)
	_, _, got := p.Measure(p.Bounds())
	var sum, squares, n float64
	at := func(x, y int) float64 { return float64(p.Pix[3*(y*chipSide+x)]) }
	for y := 1; y < chipSide-1; y++ {
		for x := 1; x < chipSide-1; x++ {
			l := at(x-1, y) + at(x+1, y) + at(x, y-1) + at(x, y+1) - 4*at(x, y)
			sum, squares, n = sum+l, squares+l*l, n+1
		}
	}
	if want := squares/n - sum*sum/n/n; math.Abs(float64(got)-want) > 1e-3*want {
		t.Errorf("%g, want %g", got, want)
	}
	for _, side := range []int{128, 200, 512, 1500} {
		q := stripes(side)
		if _, _, other := q.Measure(q.Bounds()); other < got/2 || other > got*1.5 {
			t.Errorf("%d pixels: %g, and %g at %d", side, other, got, chipSide)
		}
	}
	ramp := plain(100, 100, func(x, y int) byte { return byte(x + y) })
	if _, _, sharpness := ramp.Measure(ramp.Bounds()); sharpness > 1 {
		t.Errorf("a ramp: %g", sharpness)
	}
	edge := plain(200, 200, func(x, y int) byte { return byte(255 * (x / 100)) })
	blurred := plain(200, 200, func(x, y int) byte { return byte(min(max((x-80)*255/40, 0), 255)) })
	_, _, sharp := edge.Measure(edge.Bounds())
	if _, _, soft := blurred.Measure(blurred.Bounds()); !(soft < sharp/4) {
		t.Errorf("blurred %g, sharp %g", soft, sharp)
	}
}

func TestMeasureRegion(t *testing.T) {
	p := plain(100, 50, func(x, y int) byte { return byte(255 * (x / 50)) })
	for _, test := range []struct {
		region image.Rectangle
		want   float32
	}{
		{image.Rect(0, 0, 40, 50), 0}, {image.Rect(60, 10, 90, 20), 1}, {image.Rect(25, 0, 75, 50), 0.5},
		{image.Rect(60, -100, 1000, 1000), 1}, {image.Rect(200, 0, 300, 50), 0}, {image.Rectangle{}, 0},
	} {
		if got, _, _ := p.Measure(test.region); math.Abs(float64(got-test.want)) > 1e-3 {
			t.Errorf("%v: %g, want %g", test.region, got, test.want)
		}
	}
	if _, _, sharpness := p.Measure(image.Rect(200, 0, 300, 50)); sharpness != 0 {
		t.Errorf("nothing has a sharpness of %g", sharpness)
	}
}

// TestMeasureContrast: half black and half white is half of the range.
func TestMeasureContrast(t *testing.T) {
	p := plain(128, 128, func(x, _ int) byte { return byte(x / 64 * 200) })
	if _, contrast, _ := p.Measure(p.Bounds()); math.Abs(float64(contrast)-100.0/255) > 1e-2 {
		t.Errorf("contrast %g", contrast)
	}
}
