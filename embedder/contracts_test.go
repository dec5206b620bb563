package embedder

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/onnxtest"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// The tests here run every contract of the catalogue with a network that shows its input, and compare
// that with what the contract says in words, computed in float64 from the pixels: where each value of
// the tensor comes from, its colour, its scale, its place.

// exact is how far a value may be from the computed one, as a share of what the tensor's values range
// over: float32 rounds to 6e-8 of it, in the tensor and in the embedding that shows it.
const exact = 1e-5

// sampled is the same where a place lies between pixels and the picture is turned, or shrunk: package
// align then weights pixels in 13 bits, off by up to a tenth of a grey level of 255.
const sampled = 0.1 / 255

// noisy is a picture of seeded noise: neighbours have nothing in common, so that a shift of a hundredth
// of a pixel shows.
type noisy struct {
	width, height int
	pix           []byte // R, G, B
}

func newNoisy(seed uint64, width, height int) noisy {
	rng := rand.New(rand.NewPCG(seed, 7))
	p := noisy{width, height, make([]byte, 3*width*height)}
	for i := range p.pix {
		p.pix[i] = byte(rng.Uint32())
	}
	return p
}

// png is the picture as a crop.
func (p noisy) png(t *testing.T) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	for i := range p.width * p.height {
		copy(img.Pix[4*i:], p.pix[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// at is the red (0), green or blue value at a place between the pixels' centres, which have whole
// coordinates: bilinear. Beyond the outer centres an aligned picture fades into black over one pixel,
// and any other keeps its edge to the end of the edge's own pixels.
func (p noisy) at(x, y float64, colour int, fades bool) float64 {
	w, h := float64(p.width), float64(p.height)
	if !fades {
		if x < -0.5 || x > w-0.5 || y < -0.5 || y > h-0.5 {
			return 0
		}
		x, y = math.Max(0, math.Min(x, w-1)), math.Max(0, math.Min(y, h-1))
	}
	var sum float64
	left, upper := int(math.Floor(x)), int(math.Floor(y))
	for row := max(upper, 0); row <= min(upper+1, p.height-1); row++ {
		for column := max(left, 0); column <= min(left+1, p.width-1); column++ {
			weight := (1 - math.Abs(x-float64(column))) * (1 - math.Abs(y-float64(row)))
			sum += weight * float64(p.pix[3*(row*p.width+column)+colour])
		}
	}
	return sum
}

// reading says where the tensor's pixel (u, v) lies in the picture: x = ox + xu*u + xv*v, and so y.
// It covers side x side samples, that many in each direction, evenly spaced in its own square.
type reading struct {
	ox, xu, xv float64
	oy, yu, yv float64
	side       int
}

// value is what the contract says about one value of its tensor.
func (r reading) value(p noisy, in models.Input, place int) float64 {
	var u, v, channel int
	switch in.Layout {
	case models.NCHW:
		channel, v, u = place/(in.Height*in.Width), place/in.Width%in.Height, place%in.Width
	case models.NHWC:
		v, u, channel = place/(3*in.Width), place/3%in.Width, place%3
	}
	colour := channel
	if in.Colour == models.BGR {
		colour = [3]int{2, 1, 0}[channel]
	}
	var sum float64
	for j := range r.side {
		for i := range r.side {
			du := float64(u) + (float64(i)+0.5)/float64(r.side) - 0.5
			dv := float64(v) + (float64(j)+0.5)/float64(r.side) - 0.5
			sum += p.at(r.ox+r.xu*du+r.xv*dv, r.oy+r.yu*du+r.yv*dv, colour, in.Fit == models.FitAlign)
		}
	}
	return (sum/float64(r.side*r.side) - float64(in.Mean[channel])) / float64(in.Std[channel])
}

// span is what the values of a tensor range over.
func span(in models.Input) float64 {
	return 255 / float64(min(in.Std[0], in.Std[1], in.Std[2]))
}

// pose is a picture, how it is fed, and where its pixels then come from.
type pose struct {
	name      string
	picture   noisy
	landmarks *models.Landmarks
	reading   reading
	tolerance float64
}

// posesOf returns pictures for a contract, with the readings that follow from its fit.
func posesOf(c models.Contract) []pose {
	in := c.Input
	w, h := in.Width, in.Height
	switch in.Fit {
	case models.FitAlign:
		return alignedPoses(c.Template, w, h)
	case models.FitLetterbox:
		// DeepFace's resize_image: the picture scaled to whole pixels, then bars, the wider one below.
		high := h * 61 / 97
		bar := (h - high) / 2
		return []pose{
			{"as it is", newNoisy(1, w, h), nil, reading{0, 1, 0, 0, 0, 1, 1}, exact},
			{"doubled", newNoisy(2, w/2, h/2), nil, reading{-0.25, 0.5, 0, -0.25, 0, 0.5, 1}, exact},
			{"halved", newNoisy(3, 2*w, 2*h), nil, reading{0.5, 2, 0, 0.5, 0, 2, 2}, exact},
			{"bars", newNoisy(4, w, h/2), nil, reading{0, 1, 0, -float64(h / 4), 0, 1, 1}, exact},
			{"97 x 61", newNoisy(5, 97, 61), nil, scaled(97, 61, w, high, 0, bar, 1), exact},
		}
	case models.FitStretch:
		return []pose{
			{"as it is", newNoisy(1, w, h), nil, reading{0, 1, 0, 0, 0, 1, 1}, exact},
			{"97 x 61", newNoisy(5, 97, 61), nil, scaled(97, 61, w, h, 0, 0, 1), exact},
		}
	}
	return nil
}

// scaled is the reading of a picture whose area fills wide x high pixels of the input from (left, top).
func scaled(width, height, wide, high, left, top, side int) reading {
	sx, sy := float64(width)/float64(wide), float64(height)/float64(high)
	return reading{(0.5-float64(left))*sx - 0.5, sx, 0, (0.5-float64(top))*sy - 0.5, 0, sy, side}
}

// alignedPoses puts the landmarks where the template has them, after a change that leaves no doubt what
// the similarity transform is. The changes but the last are exact in float32.
func alignedPoses(template models.Landmarks, w, h int) []pose {
	moved := func(move func(x, y float64) (float64, float64)) *models.Landmarks {
		var l models.Landmarks
		for i, p := range template {
			x, y := move(float64(p.X), float64(p.Y))
			l[i] = models.Point{X: float32(x), Y: float32(y)}
		}
		return &l
	}
	const turn, scale = 0.3, 1.2
	cos, sin := scale*math.Cos(turn), scale*math.Sin(turn)
	return []pose{
		{"as it is", newNoisy(1, w, h), moved(func(x, y float64) (float64, float64) { return x, y }),
			reading{0, 1, 0, 0, 0, 1, 1}, exact},
		{"at the edge", newNoisy(2, w, h), moved(func(x, y float64) (float64, float64) { return x - 8, y - 8 }),
			reading{-8, 1, 0, -8, 0, 1, 1}, exact},
		{"halved", newNoisy(3, 2*w, 2*h), moved(func(x, y float64) (float64, float64) { return 2 * x, 2 * y }),
			reading{0, 2, 0, 0, 0, 2, 2}, exact},
		{"doubled", newNoisy(4, w, h), moved(func(x, y float64) (float64, float64) { return x / 2, y / 2 }),
			reading{0, 0.5, 0, 0, 0, 0.5, 1}, exact},
		{"turned", newNoisy(5, 2*w, 2*h), moved(func(x, y float64) (float64, float64) { return 70 + cos*x - sin*y, 30 + sin*x + cos*y }),
			reading{70, cos, -sin, 30, sin, cos, 1}, sampled},
	}
}

// TestContractsFeedWhatTheySay embeds pictures under every contract of the catalogue and compares what
// the network got with what the contract says.
func TestContractsFeedWhatTheySay(t *testing.T) {
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list, err := library.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range list {
		c := known.Contract
		if c.Kind != models.Embedder {
			continue
		}
		c.Golden, c.SHA256 = nil, ""
		t.Run(c.Name, func(t *testing.T) {
			for _, p := range posesOf(c) {
				compareInput(t, c, p)
			}
		})
	}
}

// windows is through how many networks each picture is looked at, each of which shows other values.
const windows = 4

func compareInput(t *testing.T, c models.Contract, p pose) {
	t.Helper()
	crop := p.picture.png(t)
	var worst, lowest, highest float64
	for seed := range int64(times(windows, 1)) {
		own := c
		own.Name = "window"
		window := onnxtest.NewWindow(own, seed)
		e := newEmbedder(t, Options{Sessions: 1, Locator: LocatorNone}, window.Model)
		r := embed(t, e, Request{Image: crop, Landmarks: p.landmarks, Model: own.Name})
		values, err := window.Values(r.Embedding)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		for i, got := range values {
			want := p.reading.value(p.picture, c.Input, window.Places[i])
			worst = max(worst, math.Abs(got-want)/span(c.Input))
			lowest, highest = min(lowest, want), max(highest, want)
		}
	}
	if worst > p.tolerance {
		t.Errorf("%s: a value is off by %.2g of the range, more than %.2g", p.name, worst, p.tolerance)
	}
	if highest-lowest < 0.5*span(c.Input) {
		t.Errorf("%s: the values range only from %g to %g", p.name, lowest, highest)
	}
	t.Logf("%-12s off by %.1e of the range", p.name, worst)
}

// TestLocatorsFeedWhatTheySay does the same for the fit of the locators, whose outputs cannot show their
// input: it compares the tensor itself.
func TestLocatorsFeedWhatTheySay(t *testing.T) {
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	known, err := library.Model("yunet")
	if known.Contract.Name != "yunet" {
		t.Fatal(err)
	}
	in := known.Contract.Input
	const width, height = 97, 61
	p := newNoisy(9, width, height)
	margin := in.Margin * width
	// The longer side with both margins fills the input; the rest lies below.
	scale := (width + 2*margin) / float64(in.Width)
	r := reading{0.5*scale - 0.5 - margin, scale, 0, 0.5*scale - 0.5 - margin, 0, scale, 1}
	tensor := make([]float32, 3*in.Width*in.Height)
	pic := &picture.Picture{Width: width, Height: height, Pix: p.pix}
	if err := align.Warp(tensor, pic, align.FitCorner(width, height, in, in.Margin), in); err != nil {
		t.Fatal(err)
	}
	var worst float64
	for place := 0; place < len(tensor); place += 37 {
		worst = max(worst, math.Abs(float64(tensor[place])-r.value(p, in, place))/span(in))
	}
	if worst > exact {
		t.Errorf("a value is off by %.2g of the range", worst)
	}
	t.Logf("off by %.1e of the range", worst)
}
