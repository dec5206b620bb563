package embedder

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"testing"

	"rollcall/embedder/onnxtest"
)

// TestSecondLook locates a face that is small in its crop, whose markers a first look sees as a pixel
// or two: a second one has to be more exact.
func TestSecondLook(t *testing.T) {
	const side, left, top = 260, 80, 30
	face, err := jpeg.Decode(bytes.NewReader(onnxtest.Face(3, 1)))
	if err != nil {
		t.Fatal(err)
	}
	scene := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(scene, face.Bounds().Add(image.Pt(left, top)), face, image.Point{}, draw.Src)
	var crop bytes.Buffer
	if err := png.Encode(&crop, scene); err != nil {
		t.Fatal(err)
	}
	errorWith := func(secondLook float64) float64 {
		locator := onnxtest.Points()
		locator.Contract.SecondLook = secondLook
		e := newEmbedder(t, Options{}, onnxtest.ArcFace(1), locator)
		r := embed(t, e, Request{Image: crop.Bytes()})
		if r.Landmarks == nil {
			t.Fatalf("no face was found, score %g", r.Quality.LocatorScore)
		}
		var sum float64
		for i, p := range onnxtest.FaceLandmarks(3, 1) {
			sum += math.Hypot(float64(r.Landmarks[i].X-p.X-left), float64(r.Landmarks[i].Y-p.Y-top)) / 5
		}
		return sum
	}
	first, second := errorWith(0), errorWith(1.35)
	if second > 0.8*first {
		t.Errorf("off by %.2f pixels at the first look and %.2f after the second", first, second)
	}
}

// TestScoreWithoutFace: a crop without a face still tells how much it looked like one.
func TestScoreWithoutFace(t *testing.T) {
	e := newEmbedder(t, Options{}, onnxtest.ArcFace(1), onnxtest.Points())
	r := embed(t, e, Request{Image: onnxtest.Blank(1)})
	if r.Embedding != nil || len(r.Quality.Reasons) != 1 || r.Quality.Reasons[0] != NoFace {
		t.Fatalf("reasons %v", r.Quality.Reasons)
	}
	if s := r.Quality.LocatorScore; !(s >= 0 && s < minScore) {
		t.Errorf("score %g", s)
	}
	if r.Landmarks != nil {
		t.Errorf("landmarks %v of no face", r.Landmarks)
	}
}
