package align_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// tolerance of one sample against float64, in grey levels: the bound of 13-bit weights.
const tolerance = 0.1

// TestWarpReference compares with a slow sampler in float64, over random pictures, transforms of all
// kinds and every layout, colour order and fit.
func TestWarpReference(t *testing.T) {
	rng := random(11)
	layouts, colours := []string{models.NCHW, models.NHWC}, []string{models.RGB, models.BGR}
	fits := []string{models.FitAlign, models.FitLetterbox, models.FitStretch, models.FitCorner}
	for n := range 400 {
		in := input(1+rng.IntN(40), 1+rng.IntN(40), layouts[rng.IntN(2)], colours[rng.IntN(2)])
		in.Fit = fits[rng.IntN(4)]
		pic := noise(uint64(n), 1+rng.IntN(60), 1+rng.IntN(60))
		scale := math.Exp(2.5 * (rng.Float64() - 0.7)) // 0.17 to 2.1
		f := turn(scale, 7*rng.Float64(), 60*rng.Float64(), 60*rng.Float64(), 40*rng.Float64(), 40*rng.Float64())
		if n%4 == 0 { // unequal scales, a shear, a mirror
			f.A, f.B = f.A*rng.NormFloat64(), f.B+0.3*rng.NormFloat64()
		}
		if f.A*f.D-f.B*f.C == 0 {
			continue
		}
		got := make([]float32, 3*in.Width*in.Height)
		if err := align.Warp(got, pic, f, in); err != nil {
			t.Fatal(err)
		}
		want := reference(pic, f, in)
		for i := range got {
			if std := channelOf(in.Std, in, i); math.Abs(float64(got[i])-want[i])*float64(std) > tolerance {
				t.Fatalf("run %d, %+v, %+v, picture %d x %d: value %d is %g, want %g", n, in, f, pic.Width, pic.Height, i, got[i], want[i])
			}
		}
	}
}

func channelOf(values [3]float32, in models.Input, i int) float32 {
	if in.Layout == models.NHWC {
		return values[i%3]
	}
	return values[i/(in.Width*in.Height)]
}

// reference follows the documentation of Warp, pixel by pixel, without any of its shortcuts.
func reference(pic *picture.Picture, f align.Transform, in models.Input) []float64 {
	det := f.A*f.D - f.B*f.C
	source := func(u, v float64) (x, y float64) { // Cramer's rule
		u, v = u-f.Tx, v-f.Ty
		return (f.D*u - f.B*v) / det, (f.A*v - f.C*u) / det
	}
	columns := int(min(max(math.Round(math.Hypot(f.D, f.C)/math.Abs(det)), 1), 16))
	rows := int(min(max(math.Round(math.Hypot(f.B, f.A)/math.Abs(det)), 1), 16))
	values := make([]float64, 3*in.Width*in.Height)
	for i := range values {
		u, v, channel := i%in.Width, i/in.Width%in.Height, i/(in.Width*in.Height)
		if in.Layout == models.NHWC {
			u, v, channel = i/3%in.Width, i/3/in.Width, i%3
		}
		colour := channel // 0 is red
		if in.Colour == models.BGR {
			colour = 2 - channel
		}
		var sum float64
		for j := range rows {
			for k := range columns {
				x, y := source(float64(u)+(float64(k)+0.5)/float64(columns)-0.5, float64(v)+(float64(j)+0.5)/float64(rows)-0.5)
				sum += bilinear(pic, x, y, colour, in.Fit == models.FitAlign)
			}
		}
		values[i] = (sum/float64(columns*rows) - float64(in.Mean[channel])) / float64(in.Std[channel])
	}
	return values
}

func bilinear(pic *picture.Picture, x, y float64, colour int, fade bool) float64 {
	w, h := float64(pic.Width), float64(pic.Height)
	if !fade {
		if x < -0.5 || x >= w-0.5 || y < -0.5 || y >= h-0.5 {
			return 0
		}
		x, y = min(max(x, 0), w-1), min(max(y, 0), h-1)
	}
	at := func(column, row float64) float64 {
		if column < 0 || column >= w || row < 0 || row >= h {
			return 0
		}
		return float64(pic.Pix[3*(int(row)*pic.Width+int(column))+colour])
	}
	x0, y0 := math.Floor(x), math.Floor(y)
	fx, fy := x-x0, y-y0
	return (1-fy)*((1-fx)*at(x0, y0)+fx*at(x0+1, y0)) + fy*((1-fx)*at(x0, y0+1)+fx*at(x0+1, y0+1))
}

// TestWarpExact turns by right angles, which must not change a single sample.
func TestWarpExact(t *testing.T) {
	const w, h = 31, 17
	pic := noise(5, w, h)
	for _, test := range []struct {
		name          string
		width, height int
		f             align.Transform
		from          func(u, v int) (x, y int)
	}{
		{"identity", w, h, align.Transform{A: 1, D: 1}, func(u, v int) (int, int) { return u, v }},
		{"a quarter", h, w, align.Transform{B: -1, Tx: h - 1, C: 1}, func(u, v int) (int, int) { return v, h - 1 - u }},
		{"a half", w, h, align.Transform{A: -1, Tx: w - 1, D: -1, Ty: h - 1}, func(u, v int) (int, int) { return w - 1 - u, h - 1 - v }},
		{"three quarters", h, w, align.Transform{B: 1, C: -1, Ty: w - 1}, func(u, v int) (int, int) { return w - 1 - v, u }},
		{"mirrored", w, h, align.Transform{A: -1, Tx: w - 1, D: 1}, func(u, v int) (int, int) { return w - 1 - u, v }},
		{"shifted", w - 2, h - 3, align.Transform{A: 1, D: 1, Tx: -2, Ty: -3}, func(u, v int) (int, int) { return u + 2, v + 3 }},
	} {
		for _, fit := range []string{models.FitAlign, models.FitCorner} {
			in := raw(test.width, test.height)
			in.Fit = fit
			dst := make([]float32, 3*in.Width*in.Height)
			if err := align.Warp(dst, pic, test.f, in); err != nil {
				t.Fatal(err)
			}
			for i, got := range dst {
				x, y := test.from(i/3%in.Width, i/3/in.Width)
				if want := float32(pic.Pix[3*(y*w+x)+i%3]); got != want {
					t.Fatalf("%s, %s: value %d is %v, want %v", test.name, fit, i, got, want)
				}
			}
		}
	}
}

// TestWarpContract writes out what the contracts of the catalogue make of one colour, so that a wrong
// channel order, scale or layout shows.
func TestWarpContract(t *testing.T) {
	const w, h = 4, 3
	pic := &picture.Picture{Pix: slices.Repeat([]byte{200, 100, 50}, w*h), Width: w, Height: h}
	for _, test := range []struct {
		name       string
		in         models.Input
		a, b, c    float32 // of the three channels
		channelGap int     // values from one channel of a pixel to the next
	}{
		{"sface", models.Input{Layout: models.NCHW, Colour: models.BGR, Std: [3]float32{1, 1, 1}}, 50, 100, 200, w * h},
		{"arcface", models.Input{Layout: models.NCHW, Colour: models.RGB, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}},
			0.5686275, -0.2156863, -0.6078431, w * h},
		{"facenet", models.Input{Layout: models.NHWC, Colour: models.BGR, Std: [3]float32{255, 255, 255}}, 0.1960784, 0.3921569, 0.7843137, 1},
		{"facenet-20180402", models.Input{Layout: models.NHWC, Colour: models.RGB, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{128, 128, 128}},
			0.5664063, -0.2148438, -0.6054688, 1},
		{"mean in the tensor's order", models.Input{Layout: models.NHWC, Colour: models.BGR, Mean: [3]float32{1, 2, 3}, Std: [3]float32{1, 2, 4}},
			49, 49, 49.25, 1},
	} {
		in := test.in
		in.Width, in.Height, in.Fit = w, h, models.FitStretch
		dst := make([]float32, 3*w*h)
		if err := align.Warp(dst, pic, align.FitStretch(w, h, in, 0), in); err != nil {
			t.Fatal(err)
		}
		pixelGap := 3 / min(3, test.channelGap)
		for pixel := range w * h {
			for channel, want := range []float32{test.a, test.b, test.c} {
				if got := dst[pixel*pixelGap+channel*test.channelGap]; math.Abs(float64(got-want)) > 1e-5 {
					t.Fatalf("%s: channel %d of pixel %d is %g, want %g", test.name, channel, pixel, got, want)
				}
			}
		}
	}
}

// TestWarpOpenCV compares with values that OpenCV 5.0.0 computed from the picture (x*x, y*y, x*y),
// with warpAffine for a transform and with resize for a fit.
func TestWarpOpenCV(t *testing.T) {
	pic := &picture.Picture{Width: 16, Height: 16}
	for y := range 16 {
		for x := range 16 {
			pic.Pix = append(pic.Pix, byte(x*x), byte(y*y), byte(x*y))
		}
	}
	affine := align.Transform{A: 0.8, B: -0.35, Tx: 4.25, C: 0.35, D: 0.8, Ty: -1.5}
	aligned, stretched := raw(12, 12), raw(24, 40)
	stretched.Fit = models.FitStretch
	for _, test := range []struct {
		name   string
		f      align.Transform
		in     models.Input
		values [][5]float32 // u, v, R, G, B
	}{
		{"warpAffine", affine, aligned, [][5]float32{{4, 4, 5.31, 34.74, 13.31}, {6, 3, 15.31, 15.43, 15.29}, {8, 8, 69.02, 68.18, 68.4},
			{2, 2, 0, 5.49, 0}, {11, 5, 101.38, 14.05, 37.46}, {0, 0, 0, 0, 0}, {3, 11, 19.84, 187.59, 60.59}, {5, 0, 2.43, 1.69, 1.81}}},
		{"resize", align.FitStretch(16, 16, stretched, 0), stretched, [][5]float32{{0, 0, 0, 0, 0}, {23, 39, 225, 225, 225},
			{12, 20, 61.5, 59.5, 60.317}, {5, 7, 10.167, 6.5, 7.917}, {1, 38, 0.5, 222.1, 7.45}}},
	} {
		dst := make([]float32, 3*test.in.Width*test.in.Height)
		if err := align.Warp(dst, pic, test.f, test.in); err != nil {
			t.Fatal(err)
		}
		for _, v := range test.values {
			got := dst[3*(int(v[1])*test.in.Width+int(v[0])):][:3]
			for i, want := range v[2:] {
				if math.Abs(float64(got[i]-want)) > tolerance {
					t.Errorf("%s: pixel (%g, %g) is %v, want %v", test.name, v[0], v[1], got, v[2:])
					break
				}
			}
		}
	}
}

// TestWarpAntialias shrinks a checkerboard, which single samples would turn into noise.
func TestWarpAntialias(t *testing.T) {
	const side = 448
	pic := &picture.Picture{Width: side, Height: side, Pix: make([]byte, 3*side*side)}
	for i := range pic.Pix {
		pic.Pix[i] = byte(255 * ((i/3/side + i/3%side) % 2))
	}
	for _, scale := range []float64{0.07, 0.1, 0.19, 0.25, 0.33, 0.5} {
		in := raw(20, 20)
		dst := make([]float32, 3*20*20)
		if err := align.Warp(dst, pic, turn(scale, 0.2, side/2, side/2, 9.5, 9.5), in); err != nil {
			t.Fatal(err)
		}
		for i, v := range dst {
			if math.Abs(float64(v)-127.5) > 30 {
				t.Fatalf("scale %g: value %d is %g", scale, i, v)
			}
		}
	}
}

func TestWarpErrors(t *testing.T) {
	pic := noise(1, 10, 10)
	good := align.Transform{A: 1, D: 1}
	for _, test := range []struct {
		name       string
		values     int
		f          align.Transform
		change     func(*models.Input)
		degenerate bool
	}{
		{"too short", 3*64 - 1, good, nil, false},
		{"too long", 3*64 + 1, good, nil, false},
		{"no input", 0, good, func(in *models.Input) { in.Width, in.Height = 0, 0 }, false},
		{"an unknown layout", 3 * 64, good, func(in *models.Input) { in.Layout = "CHWN" }, false},
		{"an unknown colour order", 3 * 64, good, func(in *models.Input) { in.Colour = "" }, false},
		{"no inverse", 3 * 64, align.Transform{}, nil, true},
		{"not a number", 3 * 64, align.Transform{A: math.NaN(), D: 1}, nil, true},
		{"far away", 3 * 64, align.Transform{A: 1, D: 1, Tx: 1e12}, nil, true},
		{"a dot", 3 * 64, align.Transform{A: 1e-8, D: 1}, nil, true},
		{"a speck", 3 * 64, align.Transform{A: 1e-5, D: 1e-5, Tx: 1e5}, nil, true},
	} {
		in := raw(8, 8)
		if test.change != nil {
			test.change(&in)
		}
		err := align.Warp(make([]float32, test.values), pic, test.f, in)
		if err == nil || errors.Is(err, align.ErrDegenerate) != test.degenerate {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestWarpOutside: a picture that lies wholly beside the input is black, as mean and std have it.
func TestWarpOutside(t *testing.T) {
	in := input(9, 7, models.NCHW, models.RGB)
	dst := make([]float32, 3*9*7)
	for i := range dst {
		dst[i] = 77 // every value has to be overwritten
	}
	if err := align.Warp(dst, noise(1, 10, 10), align.Transform{A: 1, D: 1, Tx: -5000}, in); err != nil {
		t.Fatal(err)
	}
	for i, got := range dst {
		if want := -channelOf(in.Mean, in, i) / channelOf(in.Std, in, i); got != want {
			t.Fatalf("value %d is %g, want %g", i, got, want)
		}
	}
}

// TestWarpConcurrent: every goroutine gets the same bits, and a call allocates nothing.
func TestWarpConcurrent(t *testing.T) {
	pic, in := noise(9, 150, 130), input(112, 112, models.NCHW, models.RGB)
	f := turn(0.7, 0.3, 75, 65, 56, 56)
	want := make([]float32, 3*112*112)
	if err := align.Warp(want, pic, f, in); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	failed := make(chan error, 8)
	for range cap(failed) {
		group.Go(func() {
			got := make([]float32, len(want))
			if err := align.Warp(got, pic, f, in); err != nil {
				failed <- err
			} else if !slices.Equal(got, want) {
				failed <- fmt.Errorf("another result")
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		if err := align.Warp(want, pic, f, in); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
