package embedder

import (
	"bytes"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"slices"
	"testing"

	"rollcall/embedder/onnxtest"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// The tests here compare Embed with a second way from the bytes to the embedding that shares nothing
// with it: image/jpeg, float64 resampling pixel by pixel, and onnxtest's own arithmetic.

// decodeReference returns colours [y][x][channel] in RGB.
func decodeReference(t *testing.T, crop []byte) [][][3]float64 {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(crop))
	if err != nil {
		t.Fatal(err)
	}
	size := img.Bounds()
	rows := make([][][3]float64, size.Dy())
	for y := range rows {
		rows[y] = make([][3]float64, size.Dx())
		for x := range rows[y] {
			r, g, b, _ := img.At(size.Min.X+x, size.Min.Y+y).RGBA()
			rows[y][x] = [3]float64{float64(r >> 8), float64(g >> 8), float64(b >> 8)}
		}
	}
	return rows
}

// sampleReference interpolates between pixels; outside the picture all is black.
func sampleReference(rows [][][3]float64, x, y float64) (c [3]float64) {
	x0, y0 := math.Floor(x), math.Floor(y)
	for dy := range 2 {
		for dx := range 2 {
			px, py := int(x0)+dx, int(y0)+dy
			if py < 0 || py >= len(rows) || px < 0 || px >= len(rows[0]) {
				continue
			}
			weight := (1 - math.Abs(x-float64(px))) * (1 - math.Abs(y-float64(py)))
			for k := range c {
				c[k] += weight * rows[py][px][k]
			}
		}
	}
	return c
}

// alignReference returns, for a pixel of the input, the place in the crop that it shows. It solves the
// least squares for crop = a*template + b in complex numbers; embedder solves for the inverse, which
// is the same up to how far the landmarks are from the template.
func alignReference(template, landmarks models.Landmarks) func(x, y float64) (float64, float64) {
	number := func(p models.Point) complex128 { return complex(float64(p.X), float64(p.Y)) }
	var meanFrom, meanTo complex128
	for i := range landmarks {
		meanFrom += number(landmarks[i]) / 5
		meanTo += number(template[i]) / 5
	}
	var up complex128
	var down float64
	for i := range landmarks {
		from, to := number(landmarks[i])-meanFrom, number(template[i])-meanTo
		up += complex(real(from), -imag(from)) * to
		down += real(from)*real(from) + imag(from)*imag(from)
	}
	a := up / complex(down, 0)
	return func(x, y float64) (float64, float64) {
		p := (complex(x, y)-meanTo)/a + meanFrom
		return real(p), imag(p)
	}
}

// tensorReference fills an input of the contract from colours.
func tensorReference(in models.Input, at func(x, y float64) [3]float64) []float32 {
	tensor := make([]float32, 3*in.Width*in.Height)
	for y := range in.Height {
		for x := range in.Width {
			c := at(float64(x), float64(y))
			if in.Colour == models.BGR {
				c[0], c[2] = c[2], c[0]
			}
			for k := range c {
				i := (k*in.Height+y)*in.Width + x
				if in.Layout == models.NHWC {
					i = (y*in.Width+x)*3 + k
				}
				tensor[i] = float32((c[k] - float64(in.Mean[k])) / float64(in.Std[k]))
			}
		}
	}
	return tensor
}

// wide returns a PNG of the upper 160 x 120 pixels of a face.
func wide(t *testing.T, seed int64) []byte {
	t.Helper()
	whole, err := jpeg.Decode(bytes.NewReader(onnxtest.Face(seed, 0)))
	if err != nil {
		t.Fatal(err)
	}
	cut := image.NewRGBA(image.Rect(0, 0, 160, 120))
	draw.Draw(cut, cut.Bounds(), whole, image.Pt(0, 0), draw.Src)
	var out bytes.Buffer
	if err := png.Encode(&out, cut); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// expected is what the model has to answer to a crop.
func expected(t *testing.T, m onnxtest.Model, crop []byte, landmarks models.Landmarks) []float64 {
	rows := decodeReference(t, crop)
	in := m.Contract.Input
	at := func(x, y float64) [3]float64 { return sampleReference(rows, x, y) }
	if in.Fit == models.FitAlign {
		place := alignReference(m.Contract.Template, landmarks)
		at = func(x, y float64) [3]float64 { return sampleReference(rows, first(place(x, y)), second(place(x, y))) }
	} else if len(rows) < in.Height { // letterbox of a crop as wide as the input: bars above and below
		bar := float64((in.Height - len(rows)) / 2)
		at = func(x, y float64) [3]float64 { return sampleReference(rows, x, y-bar) }
	}
	return m.Reference(tensorReference(in, at))
}

func first(x, _ float64) float64  { return x }
func second(_, y float64) float64 { return y }

// sameSimilarity is what two ways to the same embedding reach at least; a wrong contract stays under
// wrongSimilarity.
const (
	sameSimilarity  = 0.99999
	wrongSimilarity = 0.995
)

var shapes = []onnxtest.Model{
	onnxtest.ArcFace(1), onnxtest.SFace(2), onnxtest.FaceNet(3),
	onnxtest.ArcFace(4).FreeBatch(), onnxtest.FaceNet(5).FreeBatch(),
}

func TestEmbedAgainstReference(t *testing.T) {
	e := newEmbedder(t, Options{}, shapes...)
	for _, m := range shapes {
		t.Run(m.Contract.Name, func(t *testing.T) {
			for seed := range int64(5) {
				for name, crop := range map[string][]byte{"jpeg": onnxtest.Face(seed, int(seed)), "wide png": wide(t, seed)} {
					jitter := int(seed)
					if name != "jpeg" {
						jitter = 0
					}
					landmarks := onnxtest.FaceLandmarks(seed, jitter)
					r := embed(t, e, Request{Image: crop, Landmarks: &landmarks, Model: m.Contract.Name})
					if got := similarity(r.Embedding, expected(t, m, crop, landmarks)); got < sameSimilarity {
						t.Errorf("seed %d, %s: similarity to the reference %.6f, want %g", seed, name, got, sameSimilarity)
					}
					if length := similarity(r.Embedding, r.Embedding); math.Abs(length-1) > 1e-6 {
						t.Errorf("length %g, want 1", length)
					}
					if r.Dimension != len(r.Embedding) || r.Model != m.Contract.Name || r.Digest != m.Contract.SHA256 {
						t.Errorf("got %s %s %d with %d numbers", r.Model, r.Digest, r.Dimension, len(r.Embedding))
					}
				}
			}
		})
	}
}

// TestWrongContractShows proves that the comparison above sees every mistake that a contract can hold.
func TestWrongContractShows(t *testing.T) {
	mistakes := map[string]func(c *models.Contract){
		"colour": func(c *models.Contract) {
			c.Input.Colour = map[string]string{"RGB": "BGR", "BGR": "RGB"}[c.Input.Colour]
		},
		"scale":  func(c *models.Contract) { c.Input.Std = [3]float32{1, 1, 1}; c.Input.Std[0] += 20 },
		"offset": func(c *models.Contract) { c.Input.Mean[1] += 40 },
		"fit":    func(c *models.Contract) { c.Input.Fit, c.Template = models.FitStretch, models.Landmarks{} },
		"template moved": func(c *models.Contract) {
			for i := range c.Template {
				c.Template[i].X += 6
			}
		},
		"margin": func(c *models.Contract) { c.Input.Margin = 0.1 },
	}
	const seed = 3
	crop, landmarks := wide(t, seed), onnxtest.FaceLandmarks(seed, 0)
	for _, m := range []onnxtest.Model{onnxtest.ArcFace(1), onnxtest.SFace(2), onnxtest.FaceNet(3)} {
		want := expected(t, m, crop, landmarks)
		for name, mistake := range mistakes {
			aligns := m.Contract.Input.Fit == models.FitAlign
			if aligns && name == "margin" || !aligns && name == "template moved" {
				continue // not possible
			}
			t.Run(m.Contract.Name+"/"+name, func(t *testing.T) {
				wrong := m
				mistake(&wrong.Contract)
				e := newEmbedder(t, Options{}, wrong)
				r := embed(t, e, Request{Image: crop, Landmarks: &landmarks})
				if got := similarity(r.Embedding, want); got > wrongSimilarity {
					t.Errorf("similarity %.6f, want under %g", got, wrongSimilarity)
				}
			})
		}
	}
}

func TestLandmarksSources(t *testing.T) {
	const seed, jitter = 5, 2
	crop, landmarks := onnxtest.Face(seed, jitter), onnxtest.FaceLandmarks(seed, jitter)
	arcface := onnxtest.ArcFace(1)
	library := onnxtest.Install(t, t.TempDir(), arcface, onnxtest.FaceNet(1), onnxtest.Points())
	e := overLibrary(t, library, Options{})
	want := expected(t, arcface, crop, landmarks)

	located := embed(t, e, Request{Image: crop, Model: "test-arcface"})
	if located.LandmarksFrom != FromLocator || located.Quality.LocatorScore < 0.9 {
		t.Errorf("landmarks from %q, score %g", located.LandmarksFrom, located.Quality.LocatorScore)
	}
	// The locator is off by a fraction of a pixel.
	if got := similarity(located.Embedding, want); got < 0.999 {
		t.Errorf("similarity %.5f with located landmarks", got)
	}
	given := embed(t, e, Request{Image: crop, Model: "test-arcface", Landmarks: &landmarks})
	if given.LandmarksFrom != FromRequest || *given.Landmarks != landmarks || given.Landmarks == &landmarks {
		t.Errorf("landmarks from %q: %v", given.LandmarksFrom, given.Landmarks)
	}
	whole := embed(t, e, Request{Image: crop, Model: "test-facenet"})
	if whole.LandmarksFrom != FromNone || whole.Landmarks != nil || whole.Embedding == nil {
		t.Errorf("a model that does not align: landmarks from %q", whole.LandmarksFrom)
	}

	off := overLibrary(t, library, Options{Locator: LocatorNone})
	stretched := embed(t, off, Request{Image: crop, Model: "test-arcface"})
	if stretched.LandmarksFrom != FromNone || stretched.Embedding == nil {
		t.Errorf("without a locator: landmarks from %q", stretched.LandmarksFrom)
	}
	if got := similarity(stretched.Embedding, want); got > 0.99 {
		t.Errorf("similarity %.5f without alignment", got)
	}
}

func TestUnusableLandmarks(t *testing.T) {
	e := newEmbedder(t, Options{}, onnxtest.ArcFace(1))
	good := onnxtest.FaceLandmarks(1, 0)
	for name, change := range map[string]func(l *models.Landmarks){
		"not a number": func(l *models.Landmarks) { l[2].X = float32(math.NaN()) },
		"infinite":     func(l *models.Landmarks) { l[0].Y = float32(math.Inf(1)) },
		"far outside":  func(l *models.Landmarks) { l[4].X = 321 },
		"one point":    func(l *models.Landmarks) { *l = models.Landmarks{} },
		"fractions": func(l *models.Landmarks) {
			for i := range l {
				l[i] = models.Point{X: l[i].X / onnxtest.FaceSize, Y: l[i].Y / onnxtest.FaceSize}
			}
		},
	} {
		landmarks := good
		change(&landmarks)
		if _, err := e.Embed(t.Context(), Request{Image: onnxtest.Face(1, 0), Landmarks: &landmarks}); !errors.Is(err, ErrLandmarks) {
			t.Errorf("%s: %v, want ErrLandmarks", name, err)
		}
	}
	outside := good
	outside[0].X = -10 // a face at the edge
	embed(t, e, Request{Image: onnxtest.Face(1, 0), Landmarks: &outside})
}

func TestUnusableRequests(t *testing.T) {
	e := newEmbedder(t, Options{Limits: picture.Limits{Pixels: 160*160 - 1}}, onnxtest.FaceNet(1), onnxtest.ArcFace(1), onnxtest.Points())
	for name, tt := range map[string]struct {
		req  Request
		want error
	}{
		"no image":      {Request{}, picture.ErrEmpty},
		"text":          {Request{Image: []byte("hello, this is no image")}, picture.ErrNotImage},
		"cut off":       {Request{Image: wide(t, 1)[:2000]}, picture.ErrBroken},
		"too large":     {Request{Image: onnxtest.Face(1, 0)}, picture.ErrTooManyPixels},
		"unknown model": {Request{Image: wide(t, 1), Model: "nonesuch"}, models.ErrUnknownModel},
		"bad name":      {Request{Image: wide(t, 1), Model: "../../etc/passwd"}, models.ErrUnknownModel},
		"not installed": {Request{Image: wide(t, 1), Model: "sface"}, models.ErrNotInstalled},
		"a locator":     {Request{Image: wide(t, 1), Model: "test-points"}, ErrWrongKind},
	} {
		r, err := e.Embed(t.Context(), tt.req)
		if !errors.Is(err, tt.want) || r != nil {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestLocatorNotInstalled(t *testing.T) {
	e := newEmbedder(t, Options{Locator: "yunet"}, onnxtest.ArcFace(1))
	_, err := e.Embed(t.Context(), Request{Image: onnxtest.Face(1, 0)})
	if !errors.Is(err, models.ErrNotInstalled) {
		t.Errorf("%v, want ErrNotInstalled", err)
	}
	if _, err := e.Load(t.Context(), ""); !errors.Is(err, models.ErrNotInstalled) {
		t.Errorf("Load: %v, want ErrNotInstalled", err)
	}
}

// changed returns a face as PNG with every sample changed.
func changed(t *testing.T, f func(v float64) float64) []byte {
	t.Helper()
	rows := decodeReference(t, onnxtest.Face(1, 0))
	img := image.NewNRGBA(image.Rect(0, 0, len(rows[0]), len(rows)))
	for y := range rows {
		for x, c := range rows[y] {
			at := img.PixOffset(x, y)
			for k := range c {
				img.Pix[at+k] = uint8(min(max(f(c[k]), 0), 255))
			}
			img.Pix[at+3] = 255
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestQuality(t *testing.T) {
	e := newEmbedder(t, Options{}, onnxtest.ArcFace(1), onnxtest.Points())
	landmarks := onnxtest.FaceLandmarks(1, 0)
	tiny := landmarks
	for i := range tiny {
		tiny[i] = models.Point{X: 80 + (landmarks[i].X-80)/5, Y: 80 + (landmarks[i].Y-80)/5}
	}
	same := func(v float64) float64 { return v }
	for name, tt := range map[string]struct {
		crop      []byte
		landmarks *models.Landmarks
		want      Reason
	}{
		"good":    {changed(t, same), &landmarks, ""},
		"small":   {changed(t, same), &tiny, TooSmall},
		"dark":    {changed(t, func(v float64) float64 { return v / 12 }), &landmarks, TooDark},
		"bright":  {changed(t, func(v float64) float64 { return 240 + v/17 }), &landmarks, TooBright},
		"flat":    {changed(t, func(v float64) float64 { return 100 + v/50 }), &landmarks, TooBlurred},
		"no face": {onnxtest.Blank(1), nil, NoFace},
	} {
		r := embed(t, e, Request{Image: tt.crop, Landmarks: tt.landmarks})
		q := r.Quality
		if has := slices.Contains(q.Reasons, tt.want); has != (tt.want != "") || tt.want == "" && len(q.Reasons) > 0 {
			t.Errorf("%s: reasons %v, want %q: %+v", name, q.Reasons, tt.want, q)
		}
		if (r.Embedding == nil) != (tt.want == NoFace) {
			t.Errorf("%s: embedding of %d numbers", name, len(r.Embedding))
		}
		if q.Width != 160 || q.Height != 160 {
			t.Errorf("%s: %d x %d pixels", name, q.Width, q.Height)
		}
		if tt.landmarks != nil {
			want := math.Hypot(float64(tt.landmarks[1].X-tt.landmarks[0].X), float64(tt.landmarks[1].Y-tt.landmarks[0].Y))
			if math.Abs(float64(q.EyeDistance)-want) > 1e-3 {
				t.Errorf("%s: eye distance %g, want %g", name, q.EyeDistance, want)
			}
		}
	}
}
