package embedder

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/onnxtest"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// The tests of this file show the built-in locator faces that are drawn, so that they run everywhere.

// drawn is a face of 128 pixels in the middle of a picture of 192.
var drawn = onnxtest.PhotoFace{X: 96, Y: 96, Side: 128}

func builtIn(t *testing.T) *Embedder {
	t.Helper()
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return overLibrary(t, library, Options{})
}

// photo draws faces on a picture.
func photo(t *testing.T, width, height int, faces ...onnxtest.PhotoFace) *picture.Picture {
	t.Helper()
	p, _, err := picture.Decode(onnxtest.Photo(width, height, faces...), picture.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// blended is the mean of two pictures of one size.
func blended(a, b *picture.Picture) *picture.Picture {
	out := &picture.Picture{Pix: make([]byte, len(a.Pix)), Width: a.Width, Height: a.Height}
	for i := range out.Pix {
		out.Pix[i] = byte((int(a.Pix[i]) + int(b.Pix[i])) / 2)
	}
	return out
}

// offEyes is how far the eyes of a result are from those of a drawn face, in distances of these; a face
// drawn so many times too wide.
func offEyes(r *Result, f onnxtest.PhotoFace, wide float64) float64 {
	left, right := f.Eyes()
	off := func(seen, drawn models.Point) float64 {
		return math.Hypot(float64(seen.X)/wide-float64(drawn.X), float64(seen.Y-drawn.Y))
	}
	apart := math.Hypot(float64(right.X-left.X), float64(right.Y-left.Y))
	return (off(r.Landmarks[0], left) + off(r.Landmarks[1], right)) / 2 / apart
}

func TestDrawnTurned(t *testing.T) {
	e := builtIn(t)
	upright := embed(t, e, Request{Image: asJPEG(t, photo(t, 192, 192, drawn))})
	if upright.Quality.Turned != 0 || upright.Quality.Stretched != 1 || len(upright.Quality.Reasons) > 0 {
		t.Fatalf("upright: %+v", upright.Quality)
	}
	for _, turn := range []float64{0, 15, -15, 90, 180, 270} {
		f := drawn
		f.Turn = turn
		r := embed(t, e, Request{Image: asJPEG(t, photo(t, 192, 192, f))})
		if r.Embedding == nil {
			t.Errorf("turned by %g degrees: %v", turn, r.Quality.Reasons)
			continue
		}
		// A face that is turned to the right is turned back to the left.
		if want := 90 * (int(math.Round(turn/90)) % 4); r.Quality.Turned != want || len(r.Quality.Reasons) > 0 {
			t.Errorf("turned by %g degrees: turned back by %d, %v", turn, r.Quality.Turned, r.Quality.Reasons)
		}
		if off := offEyes(r, f, 1); off > 0.1 {
			t.Errorf("turned by %g degrees: the eyes are off by %.2f of their distance", turn, off)
		}
		if s := similarity(r.Embedding, upright.Embedding); s < 0.8 {
			t.Errorf("turned by %g degrees it has a similarity of %.2f with itself", turn, s)
		}
	}
}

func TestDrawnStretched(t *testing.T) {
	e := builtIn(t)
	p := photo(t, 192, 192, drawn)
	upright := embed(t, e, Request{Image: asJPEG(t, p)})
	for _, wide := range []float64{16.0 / 9, 9.0 / 16} {
		width := int(192 * wide)
		stretched, err := resampled(p, view{stretch: float64(width) / 192}.plane(), width, 192)
		if err != nil {
			t.Fatal(err)
		}
		r := embed(t, e, Request{Image: asJPEG(t, stretched)})
		if r.Embedding == nil || len(r.Quality.Reasons) > 0 || math.Abs(math.Log(float64(r.Quality.Stretched)/wide)) > 0.3 {
			t.Errorf("drawn %.2f times too wide: corrected by %g, %v", wide, r.Quality.Stretched, r.Quality.Reasons)
			continue
		}
		if off := offEyes(r, drawn, wide); off > 0.12 {
			t.Errorf("drawn %.2f times too wide: the eyes are off by %.2f of their distance", wide, off)
		}
		if s := similarity(r.Embedding, upright.Embedding); s < 0.7 {
			t.Errorf("drawn %.2f times too wide it has a similarity of %.2f with itself", wide, s)
		}
		// Landmarks that are where the face is do not hide that.
		given := embed(t, e, Request{Image: asJPEG(t, stretched), Landmarks: r.Landmarks})
		if len(given.Quality.Reasons) > 0 || given.Quality.Stretched != r.Quality.Stretched || *given.Landmarks != *r.Landmarks {
			t.Errorf("drawn %.2f times too wide, with landmarks: corrected by %g, %v", wide, given.Quality.Stretched, given.Quality.Reasons)
		} else if s := similarity(given.Embedding, upright.Embedding); s < 0.7 {
			t.Errorf("drawn %.2f times too wide, with landmarks, it has a similarity of %.2f with itself", wide, s)
		}
	}
}

// TestDrawnTight: where the face fills the crop, and in a large one too, its landmarks are those of the crop.
func TestDrawnTight(t *testing.T) {
	e := builtIn(t)
	for _, side := range []float64{128, 1280} {
		size := int(side / 2)
		f := onnxtest.PhotoFace{X: side / 4, Y: side / 4.4, Side: side} // brows to mouth, and little more
		p := photo(t, size, size, f)
		r := embed(t, e, Request{Image: asJPEG(t, p)})
		if r.Landmarks == nil {
			t.Errorf("%d pixels: %v", size, r.Quality.Reasons)
			continue
		}
		if !tight(*r.Landmarks, p) {
			t.Errorf("%d pixels: the face does not fill the crop: this test tests nothing", size)
		}
		if off := offEyes(r, f, 1); off > 0.12 {
			t.Errorf("%d pixels: the eyes are off by %.2f of their distance", size, off)
		}
	}
}

func TestDrawnSeveral(t *testing.T) {
	e := builtIn(t)
	at := func(x, y, side float64) onnxtest.PhotoFace { return onnxtest.PhotoFace{X: x, Y: y, Side: side} }
	for name, test := range map[string]struct {
		width, height int
		faces         []onnxtest.PhotoFace
		several       bool
	}{
		"one alone in a wide picture": {260, 140, []onnxtest.PhotoFace{at(70, 70, 120)}, false},
		"side by side":                {260, 140, []onnxtest.PhotoFace{at(70, 70, 120), at(195, 70, 120)}, true},
		"one above the other":         {140, 260, []onnxtest.PhotoFace{at(70, 70, 120), at(70, 190, 120)}, true},
		"a smaller one beside":        {240, 140, []onnxtest.PhotoFace{at(70, 70, 120), at(185, 80, 90)}, true},
		"a neighbour that is cut off": {180, 140, []onnxtest.PhotoFace{at(70, 70, 120), at(166, 70, 120)}, false},
	} {
		r := embed(t, e, Request{Image: asJPEG(t, photo(t, test.width, test.height, test.faces...))})
		if got := slices.Contains(r.Quality.Reasons, SeveralFaces); got != test.several || r.Embedding == nil {
			t.Errorf("%s: %v", name, r.Quality.Reasons)
		}
	}
}

// TestDrawnAmbiguous: whether a face stands on its head cannot be told where two are drawn over each other.
func TestDrawnAmbiguous(t *testing.T) {
	p := photo(t, 192, 192, drawn)
	both := blended(p, turnedLeft(turnedLeft(p)))
	if r := embed(t, builtIn(t), Request{Image: asJPEG(t, both)}); !slices.Contains(r.Quality.Reasons, NotUpright) {
		t.Errorf("turned by %d degrees, %v", r.Quality.Turned, r.Quality.Reasons)
	}
}

func TestDrawnGivenLandmarks(t *testing.T) {
	e := builtIn(t)
	p := photo(t, 192, 192, drawn)
	right := *embed(t, e, Request{Image: asJPEG(t, p)}).Landmarks
	about := func(t align.Transform) models.Landmarks { // about the middle of the picture
		middle := align.Transform{A: 1, D: 1, Tx: -95.5, Ty: -95.5}
		return inPlane(right, align.Transform{A: 1, D: 1, Tx: 95.5, Ty: 95.5}.After(t).After(middle))
	}
	noise := &picture.Picture{Pix: make([]byte, len(p.Pix)), Width: 192, Height: 192}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = byte(r.Uint32())
	}
	for name, test := range map[string]struct {
		picture   *picture.Picture
		landmarks models.Landmarks
		want      []Reason
	}{
		"right":                        {p, right, nil},
		"a little aside":               {p, about(align.Transform{A: 1, D: 1, Tx: 3}), nil},
		"right, on its side":           {turnedLeft(p), about(quarterTurns(1)), nil},
		"right, on its head":           {turnedLeft(turnedLeft(p)), about(quarterTurns(2)), nil},
		"of the picture before a turn": {turnedLeft(p), right, []Reason{NotUpright}},
		"upside down":                  {p, about(quarterTurns(2)), []Reason{NotUpright}},
		"an eye distance aside":        {p, about(align.Transform{A: 1, D: 1, Tx: 32}), []Reason{Distorted}},
		"half as large":                {p, about(align.Transform{A: 0.5, D: 0.5}), []Reason{Distorted}},
		"twice as large":               {p, about(align.Transform{A: 2, D: 2}), []Reason{Distorted}},
		"on noise":                     {noise, right, []Reason{Distorted}},
	} {
		got := embed(t, e, Request{Image: asJPEG(t, test.picture), Landmarks: &test.landmarks})
		if !slices.Equal(got.Quality.Reasons, test.want) || *got.Landmarks != test.landmarks {
			t.Errorf("%s: %v, want %v", name, got.Quality.Reasons, test.want)
		}
	}
}

// TestNoFaceInAnyView: with so many views to choose from, patterns do not look like faces.
func TestNoFaceInAnyView(t *testing.T) {
	e := builtIn(t)
	accepted := 0
	n := times(150, 20)
	for i := range n {
		if r := embed(t, e, Request{Image: asJPEG(t, noise(uint64(i), 100, 80+i%50))}); r.Embedding != nil {
			accepted++
		}
	}
	if accepted > 1 {
		t.Errorf("%d of %d patterns pass for faces", accepted, n)
	}
}

// TestThinCrops: a picture of a million pixels a side costs no more memory than it has pixels, and the
// next crop is served.
func TestThinCrops(t *testing.T) {
	e := builtIn(t)
	for _, size := range [][2]int{{100_000, 1}, {1, 100_000}, {1_000_000, 2}, {8000, 200}} {
		data := thinPNG(t, size[0], size[1])
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if r := embed(t, e, Request{Image: data}); !slices.Equal(r.Quality.Reasons, []Reason{NoFace}) {
			t.Errorf("%v: %v", size, r.Quality.Reasons)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
			t.Errorf("%v: %d MiB were allocated", size, grown>>20)
		}
	}
	if r := embed(t, e, Request{Image: asJPEG(t, photo(t, 192, 192, drawn))}); len(r.Quality.Reasons) > 0 {
		t.Errorf("a face after them: %v", r.Quality.Reasons)
	}
}
