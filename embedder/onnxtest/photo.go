package onnxtest

import (
	"bytes"
	"image"
	"image/png"
	"math"

	"rollcall/models"
)

// PhotoFace is a face that [Photo] draws.
type PhotoFace struct {
	X, Y float64 // its centre, in pixels
	Side float64 // how large it is drawn, in pixels; the distance of its eyes is a quarter of it
	Turn float64 // degrees, clockwise
}

// Eyes returns where its left and its right eye are, as seen in the image.
func (f PhotoFace) Eyes() (left, right models.Point) {
	sin, cos := math.Sincos(f.Turn * math.Pi / 180)
	at := func(u, v float64) models.Point {
		dx, dy := (u-64)*f.Side/128, (v-64)*f.Side/128
		return models.Point{X: float32(f.X + cos*dx - sin*dy), Y: float32(f.Y + sin*dx + cos*dy)}
	}
	return at(48, 56), at(80, 56)
}

// PhotoPixel is the pixel at (u, v), 0..127, of the drawing of a face: two circles and two bars, computed
// from whole numbers. The built-in detectors and the built-in locator take it for a face, unlike [Face].
// models/train/faces.py draws the same face.
func PhotoPixel(u, v int) (pixel [3]byte) {
	square := func(n int) int { return n * n }
	between := func(n, most int) bool { return -most < n && n < most }
	pixel = [3]byte{byte(40 + u), byte(60 + v), byte(90 + (u+v)/4)}
	switch {
	case between(u-64, 15) && between(v-90, 3):
		pixel = [3]byte{150, 60, 60}
	case between(u-64, 4) && between(v-70, 8):
		pixel = [3]byte{170, 125, 105}
	case square(u-48)+square(v-56) < 30, square(u-80)+square(v-56) < 30:
		pixel = [3]byte{40, 30, 30}
	case square(u-64)*2+square(v-64) < 2500:
		pixel = [3]byte{205, 165, 140}
	}
	return pixel
}

// Photo returns a PNG with faces on grey. The built-in detectors find those that are drawn with a side of
// 30 pixels and more.
func Photo(width, height int, faces ...PhotoFace) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = 120
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	for _, f := range faces {
		f.draw(img)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic("onnxtest: " + err.Error()) // writing to memory: cannot fail
	}
	return out.Bytes()
}

// draw draws only the head, not what is around it.
func (f PhotoFace) draw(img *image.NRGBA) {
	sin, cos := math.Sincos(f.Turn * math.Pi / 180)
	reach := int(f.Side)
	around := image.Rect(int(f.X)-reach, int(f.Y)-reach, int(f.X)+reach, int(f.Y)+reach).Intersect(img.Rect)
	for y := around.Min.Y; y < around.Max.Y; y++ {
		for x := around.Min.X; x < around.Max.X; x++ {
			dx, dy := float64(x)-f.X, float64(y)-f.Y
			u, v := int(64+(cos*dx+sin*dy)*128/f.Side), int(64+(cos*dy-sin*dx)*128/f.Side)
			if 2*(u-64)*(u-64)+(v-64)*(v-64) < 2500 {
				pixel := PhotoPixel(u, v)
				copy(img.Pix[img.PixOffset(x, y):], pixel[:])
			}
		}
	}
}
