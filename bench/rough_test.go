package bench

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"slices"
	"testing"

	"rollcall/models"
)

// TestRoughCut looks at many rough crops: their sizes, and how many are dark, grey
// or spoilt at all.
func TestRoughCut(t *testing.T) {
	f := testFace(1)
	plain := testFace(1)
	var sides []float64
	grey, dark := 0, 0
	const crops = 60
	for i := range crops {
		f.name = studentID(i)
		c, err := roughCut(1).cut(f)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(c.jpeg))
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, float64(img.Bounds().Dx()))
		if fill := eyes(c.landmarks) / eyes(plain.landmarks) * templateSide * 1.15 / sides[i]; fill < 0.39 || fill > 1.01 {
			t.Errorf("crop %d: the face fills %.2f of it", i, fill)
		}
		// A marker of the face has one strong colour.
		p := c.landmarks[0]
		r, g, b, _ := img.At(int(math.Round(float64(p.X))), int(math.Round(float64(p.Y)))).RGBA()
		if max(r, g, b)-min(r, g, b) < 0x1000 {
			grey++
		}
		if max(r, g, b) < 0x9000 {
			dark++
		}
	}
	if low, high := slices.Min(sides), slices.Max(sides); low < leastRoughSide || high > mostRoughSide || high < 10*low {
		t.Errorf("crops of %g to %g pixels", low, high)
	}
	if grey < crops/20 || grey > crops/2 || dark < crops/20 || dark > crops/2 {
		t.Errorf("of %d crops %d are grey and %d dark; about a fifth should be", crops, grey, dark)
	}
}

// TestPatch cuts patches and finds no marker of a landmark in them.
func TestPatch(t *testing.T) {
	cutOut := 0
	for seed := range int64(8) {
		f := testFace(seed)
		p, ok, err := roughCut(2).patch(f)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		cutOut++
		again, _, err := roughCut(2).patch(f)
		if err != nil || !bytes.Equal(again.jpeg, p.jpeg) {
			t.Errorf("face %d: the same seed cuts another patch (%v)", seed, err)
		}
	}
	if cutOut == 0 {
		t.Error("no patch was cut")
	}
	everywhere := models.Landmarks{{X: 10, Y: 50}, {X: 60, Y: 50}, {X: 35, Y: 70}, {X: 20, Y: 90}, {X: 50, Y: 90}}
	if apart(everywhere, 35, 60, 20) || !apart(everywhere, 100, 60, 20) {
		t.Error("apart is wrong")
	}
}

// TestSoften compares the blur with the sums it is defined by.
func TestSoften(t *testing.T) {
	const side, deviation = 21, 1.5
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	img.SetRGBA(10, 10, color.RGBA{R: 255, G: 128, A: 255})
	soften(img, deviation)
	var red float64
	for y := range side {
		for x := range side {
			red += float64(img.RGBAAt(x, y).R)
		}
	}
	peak := 255 / (2 * math.Pi * deviation * deviation)
	if got := float64(img.RGBAAt(10, 10).R); math.Abs(got-peak) > 2 {
		t.Errorf("the peak is %g, want %.1f", got, peak)
	}
	if left, down := img.RGBAAt(8, 10).R, img.RGBAAt(10, 12).R; left != down || left == 0 {
		t.Errorf("%d beside the peak and %d below it", left, down)
	}
	if math.Abs(red-255) > 30 { // rounded to whole numbers at every pixel
		t.Errorf("the light adds up to %g, want 255", red)
	}
}

func TestAreaUnderCurve(t *testing.T) {
	for _, test := range []struct {
		yes, no []float64
		want    float64
	}{
		{[]float64{0.9, 0.8}, []float64{0.1, 0.2}, 1},
		{[]float64{0.1}, []float64{0.9}, 0},
		{[]float64{0, 0.5}, []float64{0, 0}, 0.75},
		{[]float64{0.3, 0.6}, []float64{0.6, 0.2, 0.4}, (1 + 2.5) / 6},
		{nil, nil, 0},
	} {
		if got := areaUnderCurve(test.yes, test.no); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%v over %v: %g, want %g", test.yes, test.no, got, test.want)
		}
	}
}

// TestAccuracyOfPairs compares with a search over all thresholds by hand.
func TestAccuracyOfPairs(t *testing.T) {
	c := &comparisons{genuine: make([]int64, similarityBins), impostor: make([]int64, similarityBins)}
	for _, s := range []float32{0.9, 0.8, 0.3, 0.2} {
		c.count(s, true)
	}
	for _, s := range []float32{0.5, 0.1, 0, -0.2, -0.3} {
		c.count(s, false)
	}
	// At 0.2 all four pairs of one person are right, and four of the five of two.
	if got, want := c.accuracy(), (1+0.8)/2; math.Abs(got-want) > 1e-9 {
		t.Errorf("%g, want %g", got, want)
	}
	if got := (&comparisons{}).accuracy(); got != 0 {
		t.Errorf("%g without pairs", got)
	}
}
