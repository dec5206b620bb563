package onnxtest

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"rollcall/models"
)

// FaceSize is the width and height of the pictures of [Face] and [Blank], in pixels.
const FaceSize = 160

// A marker is the coloured dot of one landmark. The linear response of its weights and bias to an RGB
// colour in 0..1 is over 0.2 for the marker's colour, and under 0 for the colours of the other markers and
// for everything nearly grey.
type marker struct {
	colour  [3]float64
	weights [3]float32
	bias    float32
}

// markers in the order of models.Landmarks.
var markers = [5]marker{
	{[3]float64{230, 20, 20}, [3]float32{1, -1, -1}, -0.25},       // red
	{[3]float64{20, 230, 20}, [3]float32{-1, 1, -1}, -0.25},       // green
	{[3]float64{20, 20, 230}, [3]float32{-1, -1, 1}, -0.25},       // blue
	{[3]float64{230, 230, 20}, [3]float32{0.5, 0.5, -1.5}, -0.47}, // yellow
	{[3]float64{230, 20, 230}, [3]float32{0.5, -1.5, 0.5}, -0.47}, // magenta
}

const (
	markerRadius = 5.5 // pixels
	patches      = 10  // nodes along each side of the pattern that makes a person
	depth        = 75  // grey levels that the pattern goes up and down
	tint         = 32  // grey levels that the channels of the pattern differ
)

// The most that a jitter changes. It is small enough for an embedder that does not align.
const (
	jitterShift = 1.5  // pixels
	jitterTurn  = 0.02 // radians
	jitterSize  = 0.02 // share
	jitterLight = 8    // grey levels
	jitterNoise = 5    // grey levels, standard deviation
)

// faceScale is how much larger than the 112-pixel template a face is drawn.
const faceScale = 1.15

// pose moves the drawing: from a pixel of the picture to the place in the drawing that it shows.
type pose struct{ cos, sin, dx, dy, light float64 }

func newPose(seed int64, jitter int) (pose, *rand.Rand) {
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(jitter)+1))
	if jitter == 0 {
		return pose{cos: 1}, rng
	}
	between := func(limit float64) float64 { return limit * (2*rng.Float64() - 1) }
	turn, size := between(jitterTurn), 1+between(jitterSize)
	return pose{
		cos: math.Cos(turn) / size, sin: math.Sin(turn) / size,
		dx: between(jitterShift), dy: between(jitterShift), light: between(jitterLight),
	}, rng
}

const middle = (FaceSize - 1) / 2.0

// drawing returns where in the unmoved drawing the pixel (x, y) of the picture lies.
func (p pose) drawing(x, y float64) (float64, float64) {
	x, y = x-middle-p.dx, y-middle-p.dy
	return p.cos*x - p.sin*y + middle, p.sin*x + p.cos*y + middle
}

// picture is the inverse of drawing.
func (p pose) picture(x, y float64) (float64, float64) {
	x, y = x-middle, y-middle
	square := p.cos*p.cos + p.sin*p.sin
	return (p.cos*x+p.sin*y)/square + middle + p.dx, (p.cos*y-p.sin*x)/square + middle + p.dy
}

// unmoved returns the landmarks of the drawing: the template, enlarged about the picture's middle.
func unmoved() models.Landmarks {
	var l models.Landmarks
	for i, p := range template {
		l[i] = models.Point{X: (p.X-55.5)*faceScale + middle, Y: (p.Y-71)*faceScale + middle}
	}
	return l
}

// FaceLandmarks returns where the markers of Face(seed, jitter) are, in pixels.
func FaceLandmarks(seed int64, jitter int) models.Landmarks {
	p, _ := newPose(seed, jitter)
	l := unmoved()
	for i := range l {
		x, y := p.picture(float64(l[i].X), float64(l[i].Y))
		l[i] = models.Point{X: float32(x), Y: float32(y)}
	}
	return l
}

// Face returns a JPEG of 160 x 160 pixels of a generated person: a pattern that depends on the seed
// alone, under five coloured markers that [Points] and [YuNet] find. Jitter 0 is the person as drawn;
// every other jitter is the same person slightly moved, turned, lighter or darker, and with noise.
// Embeddings of one seed are over 0.88 similar, those of two seeds under 0.65, with few exceptions.
func Face(seed int64, jitter int) []byte {
	p, rng := newPose(seed, jitter)
	person := newPerson(seed)
	dots := unmoved()
	return encode(func(x, y int) [3]float64 {
		u, v := p.drawing(float64(x), float64(y))
		c := person.at(u, v)
		for i, dot := range dots {
			// Cover goes from 1 to 0 within one pixel: an edge that resampling can reproduce.
			cover := markerRadius + 0.5 - math.Hypot(u-float64(dot.X), v-float64(dot.Y))
			cover = min(max(cover, 0), 1)
			for k := range c {
				c[k] += cover * (markers[i].colour[k] - c[k])
			}
		}
		for k := range c {
			c[k] += p.light
			if jitter != 0 {
				c[k] += jitterNoise * rng.NormFloat64()
			}
		}
		return c
	})
}

// Blank returns a JPEG of 160 x 160 pixels with a pattern like that of [Face] and no markers.
func Blank(seed int64) []byte {
	person := newPerson(seed)
	return encode(func(x, y int) [3]float64 { return person.at(float64(x), float64(y)) })
}

// person is the pattern of one person: colours at the nodes of a grid.
type person [patches][patches][3]float64

func newPerson(seed int64) *person {
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	var p person
	order := rng.Perm(patches * patches)
	for y := range p {
		for x := range p[y] {
			// Two levels, the same number of each, so that people differ as much as possible.
			grey := float64(greyCentre - depth)
			if order[y*patches+x]%2 == 1 {
				grey = greyCentre + depth
			}
			for k := range 3 {
				p[y][x][k] = grey + tint*(2*rng.Float64()-1)
			}
		}
	}
	return &p
}

// at interpolates the pattern at a place of the drawing; outside it repeats the edge.
func (p *person) at(x, y float64) [3]float64 {
	x = min(max(x/(FaceSize-1), 0), 1) * (patches - 1)
	y = min(max(y/(FaceSize-1), 0), 1) * (patches - 1)
	x0, y0 := min(int(x), patches-2), min(int(y), patches-2)
	fx, fy := x-float64(x0), y-float64(y0)
	var c [3]float64
	for k := range c {
		top := p[y0][x0][k]*(1-fx) + p[y0][x0+1][k]*fx
		bottom := p[y0+1][x0][k]*(1-fx) + p[y0+1][x0+1][k]*fx
		c[k] = top*(1-fy) + bottom*fy
	}
	return c
}

// jpegQuality keeps the markers' colours nearly unchanged.
const jpegQuality = 92

// encode draws a picture pixel by pixel and returns it as JPEG.
func encode(at func(x, y int) [3]float64) []byte {
	img := image.NewRGBA(image.Rect(0, 0, FaceSize, FaceSize))
	for y := range FaceSize {
		for x := range FaceSize {
			c := at(x, y)
			level := func(k int) uint8 { return uint8(min(max(c[k]+0.5, 0), 255)) }
			img.SetRGBA(x, y, color.RGBA{level(0), level(1), level(2), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: jpegQuality}); err != nil {
		panic("onnxtest: " + err.Error()) // writing to memory: cannot fail
	}
	return out.Bytes()
}
