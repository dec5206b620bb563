package embedder

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// headAt is where the landmarks of a head are that is turned to the side and up or down, in degrees, as an affine
// camera sees them. The head is about 64 mm from eye to eye, the tip of its nose 34 mm before them.
func headAt(side, up float64) models.Landmarks {
	head := [5][3]float64{{-32, -33, -2}, {32, -33, -2}, {0, 0, 32}, {-26, 36, 8}, {26, 36, 8}}
	ss, sc := math.Sincos(side * math.Pi / 180)
	us, uc := math.Sincos(up * math.Pi / 180)
	var l models.Landmarks
	for i, p := range head {
		x, z := sc*p[0]+ss*p[2], sc*p[2]-ss*p[0]
		l[i] = models.Point{X: float32(x), Y: float32(uc*p[1] - us*z)}
	}
	return l
}

// orders are the 119 wrong orders of five landmarks.
func orders() (all [][5]int) {
	var add func(have []int)
	add = func(have []int) {
		if len(have) == 5 {
			all = append(all, [5]int(have))
			return
		}
		for i := range 5 {
			if !slices.Contains(have, i) {
				add(append(slices.Clone(have), i))
			}
		}
	}
	add(nil)
	return all[1:]
}

func inOrderOf(l models.Landmarks, order [5]int) (out models.Landmarks) {
	for i, from := range order {
		out[i] = l[from]
	}
	return out
}

var exchanged = [5]int{1, 0, 2, 4, 3}

// turnedOrders are the orders of a face that is turned by quarters, but for its nose.
var turnedOrders = [][5]int{{1, 4, 2, 0, 3}, {3, 0, 2, 4, 1}, {4, 3, 2, 1, 0}}

// TestInOrder: the landmarks of heads in many poses, turned, stretched, moved and mirrored, may be those of a
// face, and with left and right exchanged they are not. Of all wrong orders only those of a face that is turned by
// quarters may be those of a face that looks ahead.
func TestInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 9))
	for side := -75.0; side <= 75; side += 15 {
		for up := -40.0; up <= 40; up += 10 {
			head := headAt(side, up)
			mirrored := inOrderOf(inPlane(head, align.Transform{A: -1, D: 1}), exchanged)
			for range 20 {
				turn, scale := r.Float64()*2*math.Pi, math.Exp(4*r.Float64()-2)
				sin, cos := math.Sincos(turn)
				moved := align.Transform{A: scale * cos, B: -scale * sin, C: scale * sin, D: scale * cos, Tx: 500 * r.NormFloat64(), Ty: 500 * r.NormFloat64()}
				stretched := align.Transform{A: 0.5 + 1.5*r.Float64(), D: 1}
				for i, l := range []models.Landmarks{inPlane(head, moved), inPlane(mirrored, moved), inPlane(head, moved.After(stretched)), inPlane(head, stretched.After(moved))} {
					// Where nose and mouth meet, there is no order; such landmarks fit no face to align to.
					certain := math.Abs(side) <= 45 && math.Abs(up) <= 20 || i < 2 && !distorted(l)
					if certain && !inOrder(l) {
						t.Fatalf("side %g, up %g, case %d: %v is refused", side, up, i, l)
					}
					if math.Abs(side) <= 60 && inOrder(inOrderOf(l, exchanged)) {
						t.Fatalf("side %g, up %g, case %d: exchanged %v is accepted", side, up, i, l)
					}
				}
			}
		}
	}
	for _, order := range orders() {
		if got, want := inOrder(inOrderOf(secondLook, order)), slices.Contains(turnedOrders, order); got != want {
			t.Errorf("order %v: %v, want %v", order, got, want)
		}
	}
}

func TestCheckLandmarks(t *testing.T) {
	pic := &picture.Picture{Width: 112, Height: 112}
	with := func(i int, p models.Point) models.Landmarks {
		l := secondLook
		l[i] = p
		return l
	}
	nan := float32(math.NaN())
	for want, all := range map[string][]models.Landmarks{
		"":                                    {secondLook, with(2, models.Point{X: 30, Y: 72})},
		"are exchanged":                       {inOrderOf(secondLook, exchanged)},
		"no face has landmarks in this order": {inOrderOf(secondLook, [5]int{1, 0, 2, 3, 4}), inOrderOf(secondLook, [5]int{0, 1, 3, 4, 2}), with(2, models.Point{X: 56, Y: 30}), with(2, models.Point{X: 56, Y: 110})},
		"number 3 is not on":                  {with(2, models.Point{X: 500, Y: 72}), with(2, models.Point{X: nan, Y: 72})},
		"less than 1 pixel":                   {inPlane(secondLook, align.Transform{A: 1. / 112, D: 1. / 112})},
	} {
		for i, l := range all {
			err := checkLandmarks(l, pic)
			if want == "" && err != nil || want != "" && (!errors.Is(err, ErrLandmarks) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q, %d: %v", want, i, err)
			}
		}
	}
}

// TestRealOrders: no face of faces.csv is refused for the order of its landmarks; of their wrong orders nearly
// all are.
func TestRealOrders(t *testing.T) {
	faces := realLandmarks(t)
	all := orders()
	refused := 0
	for _, l := range faces {
		mirrored := inOrderOf(inPlane(l, align.Transform{A: -1, D: 1, Tx: 191}), exchanged)
		if !inOrder(l) || !inOrder(mirrored) {
			t.Fatalf("%v is refused", l)
		}
		for _, order := range all {
			wrong := inOrderOf(l, order)
			switch {
			case !inOrder(wrong):
				refused++
			case !distorted(wrong) && !slices.Contains(turnedOrders, order):
				t.Fatalf("%v in the order %v passes for a face", l, order)
			}
		}
	}
	if share := float64(refused) / float64(len(faces)*len(all)); share < 0.97 {
		t.Errorf("%.4f of the wrong orders are refused", share)
	} else {
		t.Logf("%d faces: %.4f of the wrong orders are refused", len(faces), share)
	}
}

// TestGivenOrders: landmarks in a wrong order give an embedding that resembles the right one, or are refused
// with an error or a reason.
func TestGivenOrders(t *testing.T) {
	eachLocator(t, func(t *testing.T, e *Embedder) {
		for i, f := range realFaces(t, times(6, 1)) {
			right := embed(t, e, Request{Image: f.crop, Landmarks: &f.landmarks})
			for _, order := range orders() {
				wrong := inOrderOf(f.landmarks, order)
				got, err := e.Embed(t.Context(), Request{Image: f.crop, Landmarks: &wrong})
				if errors.Is(err, ErrLandmarks) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if s := similarity(got.Embedding, right.Embedding); s < 0.9 && len(got.Quality.Reasons) == 0 {
					t.Errorf("face %d in the order %v: a similarity of %.2f, and nothing speaks against it", i, order, s)
				}
			}
		}
	})
}
