package embedder

import (
	"math"
	"math/rand/v2"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// noise is a smooth random picture.
func noise(seed uint64, width, height int) *picture.Picture {
	r := rand.New(rand.NewPCG(seed, 0))
	var waves [6][4]float64
	for i := range waves {
		waves[i] = [4]float64{r.Float64() * 0.2, r.Float64() * 0.2, r.Float64() * 6, 20 + 20*r.Float64()}
	}
	p := &picture.Picture{Pix: make([]byte, 3*width*height), Width: width, Height: height}
	for y := range height {
		for x := range width {
			for c := range 3 {
				v := 128.0
				for _, w := range waves[2*c : 2*c+2] {
					v += w[3] * math.Sin(w[0]*float64(x)+w[1]*float64(y)+w[2])
				}
				p.Pix[3*(y*width+x)+c] = byte(v)
			}
		}
	}
	return p
}

// turnedLeft turns a picture by a quarter, pixel by pixel.
func turnedLeft(p *picture.Picture) *picture.Picture {
	out := &picture.Picture{Pix: make([]byte, len(p.Pix)), Width: p.Height, Height: p.Width}
	for y := range p.Height {
		for x := range p.Width {
			copy(out.Pix[3*((p.Width-1-x)*out.Width+y):][:3], p.Pix[3*(y*p.Width+x):])
		}
	}
	return out
}

// mirrored exchanges left and right.
func mirrored(p *picture.Picture) *picture.Picture {
	out := &picture.Picture{Pix: make([]byte, len(p.Pix)), Width: p.Width, Height: p.Height}
	for i := range p.Width * p.Height {
		y, x := i/p.Width, i%p.Width
		copy(out.Pix[3*(y*p.Width+p.Width-1-x):][:3], p.Pix[3*i:])
	}
	return out
}

var viewInput = models.Input{
	Width: 64, Height: 64, Layout: models.NHWC, Colour: models.RGB, Fit: models.FitLetterbox, Std: [3]float32{1, 1, 1},
}

func shown(t *testing.T, p *picture.Picture, v view, a area) []float32 {
	t.Helper()
	dst := make([]float32, 3*64*64)
	if err := align.Warp(dst, p, v.fit(a, viewInput), viewInput); err != nil {
		t.Fatal(err)
	}
	return dst
}

func wholeOf(p *picture.Picture) area {
	return area{width: float64(p.Width), height: float64(p.Height)}
}

func differ(a, b []float32) (most float64) {
	for i := range a {
		most = max(most, math.Abs(float64(a[i]-b[i])))
	}
	return most
}

// TestViewTurns: a view of a picture is the view of the picture that was turned beforehand.
func TestViewTurns(t *testing.T) {
	for seed, size := range [][2]int{{64, 64}, {128, 128}, {96, 64}, {60, 128}} {
		p := noise(uint64(seed), size[0], size[1])
		before := p
		for turn := 1; turn <= 3; turn++ {
			before = turnedLeft(before)
			got, want := shown(t, p, view{quarters: turn, stretch: 1}, wholeOf(p)), shown(t, before, asShown, wholeOf(before))
			if d := differ(got, want); d > 1 && size[0] == size[1] {
				t.Errorf("%v turned %d times: off by %g grey levels", size, turn, d)
			}
			var sum float64
			for i := range got {
				sum += math.Abs(float64(got[i] - want[i]))
			}
			// Where the bars are odd one of them is wider, so that a picture may lie a pixel off.
			if mean := sum / float64(len(got)); mean > 12 {
				t.Errorf("%v turned %d times: off by %g grey levels on average", size, turn, mean)
			}
		}
	}
}

// TestViewAsShown: without turning and stretching it is the letterbox.
func TestViewAsShown(t *testing.T) {
	for _, size := range [][2]int{{64, 64}, {31, 77}, {300, 200}} {
		got, want := asShown.fit(area{width: float64(size[0]), height: float64(size[1])}, viewInput), align.FitLetterbox(size[0], size[1], viewInput, 0)
		for _, p := range []models.Point{{}, {X: 30, Y: 10}, {X: 12, Y: 70}} {
			if a, b := got.Apply(p), want.Apply(p); math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)) > 1e-4 {
				t.Errorf("%v: %v comes to %v, not %v", size, p, a, b)
			}
		}
	}
}

// TestViewStretches: a point of an area comes to where it does in the stretched and cut picture.
func TestViewStretches(t *testing.T) {
	v := view{stretch: 16.0 / 9}
	a := area{x: 10, y: 20, width: 90, height: 160}
	got := v.fit(a, viewInput)
	want := align.FitLetterbox(160, 160, viewInput, 0)
	for _, p := range []models.Point{{X: 10, Y: 20}, {X: 55, Y: 100}, {X: 99, Y: 179}} {
		in := models.Point{X: float32((float64(p.X)+0.5)*v.stretch - 0.5 - 10*v.stretch), Y: p.Y - 20}
		if g, w := got.Apply(p), want.Apply(in); math.Hypot(float64(g.X-w.X), float64(g.Y-w.Y)) > 1e-3 {
			t.Errorf("%v comes to %v, not %v", p, g, w)
		}
	}
}

func TestProportions(t *testing.T) {
	p, ok := measure(secondLook)
	if !ok || p.residual > 1e-6 || math.Abs(p.ratio-0.866) > 0.01 {
		t.Errorf("the template has %+v", p)
	}
	if distorted(secondLook) {
		t.Error("the template is called distorted")
	}
	wide, mirrored, flat := secondLook, secondLook, secondLook
	mirrored[0], mirrored[1], mirrored[3], mirrored[4] = mirrored[1], mirrored[0], mirrored[4], mirrored[3]
	for i := range wide {
		wide[i].X *= 16.0 / 9
		flat[i].Y = 5
	}
	for name, l := range map[string]models.Landmarks{"wide": wide, "mirrored order": mirrored, "on a line": flat, "one point": {}} {
		if !distorted(l) {
			p, ok := measure(l)
			t.Errorf("%s: not distorted: %+v, %v", name, p, ok)
		}
	}
	// Turned and enlarged it is the same face.
	turned := inPlane(secondLook, align.Transform{A: 0, B: -3, C: 3, D: 0, Tx: 50, Ty: 7})
	if q, ok := measure(turned); !ok || math.Abs(q.ratio-p.ratio) > 1e-4 || q.residual > 1e-5 {
		t.Errorf("turned it has %+v", q)
	}
}

func TestSquare(t *testing.T) {
	l := inPlane(secondLook, align.Transform{A: 2, D: 2, Tx: 10, Ty: 20})
	side, middle, ok := square(l)
	if !ok || math.Abs(side-224) > 1e-3 || math.Abs(float64(middle.X)-121) > 1e-3 || math.Abs(float64(middle.Y)-131) > 1e-3 {
		t.Errorf("got %g at %v", side, middle)
	}
	if _, _, ok := square(models.Landmarks{}); ok {
		t.Error("one point has a square")
	}
}

func TestLogit(t *testing.T) {
	for _, score := range []float32{0, 1e-9, 0.1, 0.5, 0.993, 1} {
		got := logit(score)
		if back := 1 / (1 + math.Exp(-got)); math.IsInf(got, 0) || math.Abs(back-float64(score)) > 2e-7 {
			t.Errorf("logit of %g is %g, the logistic function of which is %g", score, got, back)
		}
	}
}

// TestPartsBeside: a second face of similar size beside the first, anywhere in the picture, lies wholly in
// a part or is cut by the first one's square; and a crop as a detector cuts it has no parts.
func TestPartsBeside(t *testing.T) {
	for _, size := range []float64{1, 1.3, 1.6} {
		if parts := partsBeside(100, models.Point{X: float32(50 * size), Y: float32(50 * size)}, 100*size, 100*size); len(parts) > 0 {
			t.Errorf("a crop of %g faces is divided into %v", size, parts)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		width, height := 100+200*r.Float64(), 100+200*r.Float64()
		middle := models.Point{X: float32(50 + (width-100)*r.Float64()), Y: float32(50 + (height-100)*r.Float64())}
		parts := partsBeside(100, middle, width, height)
		if len(parts) > mostParts {
			t.Fatalf("%d parts", len(parts))
		}
		second := 70.0
		x, y := (width-second)*r.Float64(), (height-second)*r.Float64()
		left, right, top, bottom := float64(middle.X)-50, float64(middle.X)+50, float64(middle.Y)-50, float64(middle.Y)+50
		if !(x+second <= left || x >= right || y+second <= top || y >= bottom) {
			continue // it overlaps the first
		}
		held := false
		for _, p := range parts {
			held = held || x >= p.x && y >= p.y && x+second <= p.x+p.width && y+second <= p.y+p.height
		}
		if !held {
			t.Errorf("in %g x %g a face at %g, %g beside the one at %v is in none of %v", width, height, x, y, middle, parts)
		}
	}
}
