package bench

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"rollcall/models"
)

// drawnSide is the width and height of a drawn face's picture in pixels, that of
// the pictures in a folder of faces.
const drawnSide = 192

// drawnLandmarks are where a drawn face has its landmarks: the template that
// models align to, enlarged to about the size of the faces in such a folder.
var drawnLandmarks = func() models.Landmarks {
	const scale, dx, dy = 1.2, 96 - 1.2*56, 104 - 1.2*72
	var l models.Landmarks
	for i, p := range template {
		l[i] = models.Point{X: scale*p.X + dx, Y: scale*p.Y + dy}
	}
	return l
}()

// A drawing is a face for those who have no folder of faces: shaded ellipses that a
// locator takes for a face. An embedder tells such faces apart badly, so they
// serve to measure time and memory, never accuracy.
type drawing struct{ layers []layer }

// A layer is an ellipse of one colour with a soft edge.
type layer struct {
	x, y, rx, ry float64 // pixels
	colour       [3]float64
	soft         float64 // width of the edge as a share of the radius
}

// drawFace returns a face that depends on the seed alone.
func drawFace(seed uint64) (face, error) {
	d := newDrawing(rand.New(rand.NewPCG(seed, 0)))
	img := image.NewRGBA(image.Rect(0, 0, drawnSide, drawnSide))
	for i, c := range d.paint() {
		level := func(k int) uint8 { return uint8(min(max(c[k]+0.5, 0), 255)) }
		img.SetRGBA(i%drawnSide, i/drawnSide, color.RGBA{level(0), level(1), level(2), 255})
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: cropQuality}); err != nil {
		return face{}, fmt.Errorf("draw a face: %w", err)
	}
	name := fmt.Sprintf("drawn-%d", seed)
	return face{name: name, person: name, landmarks: drawnLandmarks, jpeg: out.Bytes()}, nil
}

// newDrawing lays a face out around drawnLandmarks, from the back to the front.
func newDrawing(rng *rand.Rand) drawing {
	vary := func(middle, by float64) float64 { return middle + by*(2*rng.Float64()-1) }
	grey := func(level float64, by float64) [3]float64 {
		return [3]float64{vary(level, by), vary(level, by), vary(level, by)}
	}
	light := vary(0.9, 0.15)
	skin := [3]float64{225 * light, 178 * light, 150 * light}
	shade := func(f float64) [3]float64 { return [3]float64{skin[0] * f, skin[1] * f, skin[2] * f} }
	hair, lips := grey(45, 25), [3]float64{vary(165, 20), vary(75, 15), vary(75, 15)}

	l := drawnLandmarks
	middle := float64(l[2].X)
	eyes := float64(l[0].Y+l[1].Y) / 2
	mouth := float64(l[3].Y+l[4].Y) / 2
	wide := vary(47, 4)
	d := drawing{layers: []layer{
		{middle, 96, 400, 400, grey(110, 60), 0.01},            // the room
		{middle, 235, vary(90, 10), 62, grey(90, 60), 0.05},    // shoulders
		{middle, eyes - 4, wide + 9, vary(66, 4), hair, 0.08},  // hair
		{middle, 165, 24, 40, shade(0.75), 0.15},               // neck
		{middle, 104, wide, vary(61, 3), skin, 0.08},           // face
		{middle - 22, mouth - 14, 14, 14, shade(1.06), 0.9},    // cheeks
		{middle + 22, mouth - 14, 14, 14, shade(1.06), 0.9},    //
		{middle, 104 - 44, 30, 14, shade(1.08), 0.9},           // forehead
		{middle, float64(l[2].Y) - 14, 5, 22, shade(1.1), 0.8}, // bridge of the nose
		{middle, float64(l[2].Y) + 4, 11, 5, shade(0.72), 0.7}, // under the nose
		{middle, mouth, vary(19, 2), vary(5, 1.5), lips, 0.25}, // mouth
		{middle, mouth, 17, 1.3, shade(0.35), 0.6},             // between the lips
		{middle, mouth + 11, 12, 4, shade(0.82), 0.9},          // chin
	}}
	brow, iris, open := vary(13, 2), grey(60, 40), vary(4.6, 0.8)
	for _, eye := range l[:2] {
		x, y := float64(eye.X), float64(eye.Y)
		d.layers = append(d.layers,
			layer{x, y - 1, 13, 9, shade(0.78), 0.8},              // socket
			layer{x, y - brow, 12, 2.6, hair, 0.5},                // brow
			layer{x, y, 9, open, [3]float64{235, 232, 228}, 0.25}, // white
			layer{x, y, 4.4, 4.4, iris, 0.3},
			layer{x, y, 2, 2, [3]float64{12, 12, 12}, 0.4},
			layer{x, y - open, 9.5, 1.4, shade(0.3), 0.6}, // lid
		)
	}
	return d
}

// paint returns the colours of all pixels, row by row.
func (d drawing) paint() [][3]float64 {
	pixels := make([][3]float64, drawnSide*drawnSide)
	for _, l := range d.layers {
		reach := 1 + l.soft/2 // radii, to where the edge ends
		first := func(centre, radius float64) int { return max(int(centre-reach*radius), 0) }
		last := func(centre, radius float64) int { return min(int(centre+reach*radius)+1, drawnSide-1) }
		for y := first(l.y, l.ry); y <= last(l.y, l.ry); y++ {
			for x := first(l.x, l.rx); x <= last(l.x, l.rx); x++ {
				// 0 in the middle of the ellipse, 1 on its rim.
				r := math.Hypot((float64(x)-l.x)/l.rx, (float64(y)-l.y)/l.ry)
				cover := min(max((1-r)/l.soft+0.5, 0), 1)
				pixel := &pixels[y*drawnSide+x]
				for k := range pixel {
					pixel[k] += cover * (l.colour[k] - pixel[k])
				}
			}
		}
	}
	return pixels
}
