package align

import (
	"fmt"
	"math"

	"rollcall/embedder/picture"
	"rollcall/models"
)

const (
	// maxTaps bounds the samples for one input pixel along one side. It bounds the cost of a huge picture
	// to 256 samples for each pixel of the input.
	maxTaps = 16
	// maxCoordinate bounds a fixed-point coordinate: no picture is that large.
	maxCoordinate = 1 << 28
)

// Warp resamples pic through t, which maps the picture to the input, into the tensor dst, of length 3 *
// in.Width * in.Height. It applies layout, colour order and (x-mean)/std, and writes all of dst.
//
// Each input pixel is the mean of bilinear samples. Their number along a side is the number of picture
// pixels that the input pixel covers, rounded, and at most 16. Where the picture is enlarged, or shrunk by
// less than 1.5, it is one, and the result is OpenCV's but for rounding. Where it is shrunk more, one
// sample would skip pixels. Outside the picture all is black, 0 before mean and std are applied. With
// [models.FitAlign] the picture's edge fades into black over one pixel, as in warpAffine; with the other
// fits the edge pixels count up to their outer edge, as in resize.
//
// The error is ErrDegenerate for a transform that has no inverse or leaves the range of pixels, and another
// error if dst and in do not fit together. Memory is reused from call to call.
func Warp(dst []float32, pic *picture.Picture, t Transform, in models.Input) error {
	s, err := newSampler(pic, t, in)
	if err != nil {
		return err
	}
	scale := s.count * weightOne
	if s.upright() {
		scale = 1
	}
	w, err := newWriter(dst, in, scale)
	if err != nil {
		return err
	}
	if s.upright() {
		s.warpUpright(&w, in)
		return nil
	}
	for v := range in.Height {
		from, to := s.interior(v, in.Width)
		s.border(&w, v, 0, from)
		rest := s.blocks(&w, v, from, to)
		if s.count == 1 {
			s.single(&w, v, rest, to)
		} else {
			s.several(&w, v, rest, to)
		}
		s.border(&w, v, to, in.Width)
	}
	return nil
}

// writer writes pixels into the tensor.
type writer struct {
	dst     []float32
	width   int
	step    int        // from one pixel to the next
	channel [3]int     // where R, G and B of the first pixel are
	slope   [3]float32 // of R, G and B: (x-mean)/std is slope*x + shift
	shift   [3]float32
}

// newWriter returns a writer for samples that are multiplied by scale.
func newWriter(dst []float32, in models.Input, scale int) (writer, error) {
	if in.Width <= 0 || in.Height <= 0 || len(dst) != 3*in.Width*in.Height {
		return writer{}, fmt.Errorf("align: the tensor has %d values, and the input is %d x %d", len(dst), in.Width, in.Height)
	}
	w := writer{dst: dst, width: in.Width}
	var plane int // from one channel to the next
	switch in.Layout {
	case models.NCHW:
		plane, w.step = in.Width*in.Height, 1
	case models.NHWC:
		plane, w.step = 1, 3
	default:
		return writer{}, fmt.Errorf("align: the layout %q is unknown", in.Layout)
	}
	order := [3]int{0, 1, 2}
	switch in.Colour {
	case models.RGB:
	case models.BGR:
		order = [3]int{2, 1, 0}
	default:
		return writer{}, fmt.Errorf("align: the colour order %q is unknown", in.Colour)
	}
	for i, channel := range order {
		w.channel[i] = channel * plane
		w.slope[i] = 1 / (in.Std[channel] * float32(scale))
		w.shift[i] = -in.Mean[channel] / in.Std[channel]
	}
	return w, nil
}

// put writes a pixel. The conversions keep compilers from fusing the multiplication and the addition,
// which would round differently from machine to machine.
func (w *writer) put(at int, r, g, b int64) {
	w.dst[at+w.channel[0]] = float32(float32(r)*w.slope[0]) + w.shift[0]
	w.dst[at+w.channel[1]] = float32(float32(g)*w.slope[1]) + w.shift[1]
	w.dst[at+w.channel[2]] = float32(float32(b)*w.slope[2]) + w.shift[2]
}

// Fixed point: coordinates have pointBits binary digits after the point, weights of pixels weightBits. A
// packed pixel has no room for more. A sample is off by less than a tenth of a grey level.
const (
	pointBits  = 32
	one        = int64(1) << pointBits
	weightBits = 13
	weightOne  = 1 << weightBits
	weightMask = weightOne - 1
)

func fixed(v float64) int64 { return int64(math.Round(v * float64(one))) }

// sampler reads the picture at the places that input pixels come from.
type sampler struct {
	pix           []byte
	width, height int64
	fade          bool // at the edge, into black over one pixel; otherwise edge pixels keep their whole area

	x, y          int64 // where the first input pixel comes from
	xRight, xDown int64 // what one input pixel to the right, and one down, add to x
	yRight, yDown int64

	count  int                                     // samples for one input pixel
	taps   [maxTaps * maxTaps]struct{ x, y int64 } // their offsets from the pixel's place
	xReach int64                                   // the farthest of taps
	yReach int64
}

func newSampler(pic *picture.Picture, t Transform, in models.Input) (sampler, error) {
	back, err := t.Invert()
	if err != nil {
		return sampler{}, err
	}
	for _, u := range [2]float64{-1, float64(in.Width)} {
		for _, v := range [2]float64{-1, float64(in.Height)} {
			x, y := back.apply(u, v)
			if !(math.Abs(x) < maxCoordinate && math.Abs(y) < maxCoordinate) {
				return sampler{}, fmt.Errorf("align: warping: %w", ErrDegenerate)
			}
		}
	}
	s := sampler{
		pix: pic.Pix, width: int64(pic.Width), height: int64(pic.Height), fade: in.Fit == models.FitAlign,
		x: fixed(back.Tx), xRight: fixed(back.A), xDown: fixed(back.B),
		y: fixed(back.Ty), yRight: fixed(back.C), yDown: fixed(back.D),
	}
	columns, rows := tapsFor(math.Hypot(back.A, back.C)), tapsFor(math.Hypot(back.B, back.D))
	for j := range rows {
		for i := range columns {
			u := (float64(i)+0.5)/float64(columns) - 0.5
			v := (float64(j)+0.5)/float64(rows) - 0.5
			tap := &s.taps[s.count]
			tap.x, tap.y = fixed(back.A*u+back.B*v), fixed(back.C*u+back.D*v)
			s.xReach, s.yReach = max(s.xReach, tap.x, -tap.x), max(s.yReach, tap.y, -tap.y)
			s.count++
		}
	}
	return s, nil
}

// tapsFor is the number of samples along a side of an input pixel that covers length picture pixels. A
// bilinear sample covers two pixels, and rounding leaves at most 1.25 between samples, so no pixel is
// missed.
func tapsFor(length float64) int {
	return int(min(max(math.Round(length), 1), maxTaps))
}

// interior returns the range of the input pixels of row v whose samples all lie between the centres
// of picture pixels. It is empty where from == to.
func (s *sampler) interior(v, width int) (from, to int) {
	x, y := s.x+int64(v)*s.xDown, s.y+int64(v)*s.yDown
	xFrom, xTo := within(x, s.xRight, s.xReach, (s.width-1)*one-s.xReach, int64(width))
	yFrom, yTo := within(y, s.yRight, s.yReach, (s.height-1)*one-s.yReach, int64(width))
	begin, end := max(xFrom, yFrom), min(xTo, yTo)
	return int(begin), int(max(begin, end))
}

// within returns the range of the n in 0..count for which low <= start + n*step < high.
func within(start, step, low, high, count int64) (from, to int64) {
	switch {
	case step > 0:
		from, to = ceilDiv(low-start, step), ceilDiv(high-start, step)
	case step < 0:
		from, to = ceilDiv(start-high+1, -step), ceilDiv(start-low+1, -step)
	case low <= start && start < high:
		return 0, count
	default:
		return 0, 0
	}
	from = min(max(from, 0), count)
	return from, min(max(to, from), count)
}

// ceilDiv is a/b rounded up, for b > 0.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
