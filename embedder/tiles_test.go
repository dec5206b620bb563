package embedder

import (
	"math"
	"math/rand/v2"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// leastBox is the box of the smallest face that is looked for, in pixels of the input.
const leastBox = boxShare * leastInInput

var tileInput = models.Input{Width: 320, Height: 240}

// TestTilesMissNothing throws boxes at photos of many sizes: each that is not too small is whole in a
// tile of some level that answers for it, even where the tile sees its centre a little off.
func TestTilesMissNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 600 {
		width, height := anySize(rng, 24_000_000)
		asked := [...]float64{0, 1, 20, 40, 100}[rng.IntN(5)]
		finest := finestScale(width, height, asked, tileInput)
		levels := planLevels(width, height, tileInput, finest)
		for range 50 {
			// Of faces that are whole in the photo, from the least to those that fill it.
			most := float64(min(width, height))
			least := min(leastBox/finest, most)
			side := least * math.Pow(most/least, rng.Float64())
			left, top := rng.Float64()*(float64(width)-side), rng.Float64()*(float64(height)-side)
			if !seen(levels, width, height, left, top, side, rng) {
				t.Fatalf("%d x %d, asked for %v: no tile sees the box of %.1f at (%.1f, %.1f)",
					width, height, asked, side, left, top)
			}
		}
	}
}

// seen reports whether a tile sees a whole box, in pixels of the photo, large enough, and answers for it.
func seen(levels []level, width, height int, left, top, side float64, rng *rand.Rand) bool {
	const off = slack / 2.0 // pixels of the input by which a tile errs
	for i := range levels {
		l := &levels[i]
		x, y, s := left*l.scale, top*l.scale, side*l.scale
		if s < 0.99*min(leastBox, side*levels[0].scale) {
			continue
		}
		for _, tile := range l.cut(width, height, tileInput) {
			x, y := x-float64(tile.left), y-float64(tile.top)
			whole := x >= -1e-6 && y >= -1e-6 && x+s <= float64(tileInput.Width)+1e-6 && y+s <= float64(tileInput.Height)+1e-6
			noise := func() float32 { return float32(off * (2*rng.Float64() - 1)) }
			if whole && tile.answersFor([4]float32{float32(x) + noise(), float32(y) + noise(), float32(s), float32(s)}) {
				return true
			}
		}
	}
	return false
}

// TestTilesCover: the tiles of a level cover the photo, overlap as they should and do not reach beyond
// it where it is larger than they are.
func TestTilesCover(t *testing.T) {
	for side := 1; side < 3000; side += 7 {
		places := starts(side, 320)
		if places[0] != 0 {
			t.Fatalf("%d: the first tile begins at %d", side, places[0])
		}
		for i, place := range places[1:] {
			if step := place - places[i]; step > 320-overlap || step < 1 {
				t.Fatalf("%d: a step of %d", side, step)
			}
		}
		if end := places[len(places)-1] + 320; end < side || side >= 320 && end != side {
			t.Fatalf("%d: the last tile ends at %d", side, end)
		}
	}
}

// TestTileTransforms: a tile's way from its picture and the one back to the photo agree, for all halves,
// and the left edge of the photo is the left edge of the level.
func TestTileTransforms(t *testing.T) {
	for half := range 4 {
		l := level{half: half, scale: 0.11}
		tl := tile{level: &l, left: 30, top: 50}
		to, back := tl.transform(), tl.toPhoto()
		size := float64(int(1) << half)
		for _, x := range []float64{-0.5, 0, 17, 100.25} {
			// Pixel x of the half has its centre there in the photo.
			photo := (x+0.5)*size - 0.5
			in := to.Apply(align.Point{X: float32(x), Y: float32(2 * x)})
			got := back.Apply(in)
			if math.Abs(float64(got.X)-photo) > 1e-3 || math.Abs(float64(got.Y)-((2*x+0.5)*size-0.5)) > 1e-3 {
				t.Errorf("half %d: %v comes back at %v, not %v", half, x, got, photo)
			}
		}
		edge := to.Apply(align.Point{X: -0.5, Y: -0.5})
		if math.Abs(float64(edge.X)+30.5) > 1e-4 || math.Abs(float64(edge.Y)+50.5) > 1e-4 {
			t.Errorf("half %d: the photo's corner is at %v", half, edge)
		}
	}
}

// TestLevels: how fine a photo is looked at, and that its levels are sampled without skipping pixels.
func TestLevels(t *testing.T) {
	for _, c := range []struct {
		width, height int
		least, scale  float64
		tilesUpTo     int
	}{
		{640, 480, 0, 0.5, 2},       // a frame
		{640, 480, 24, 1, 13},       // a frame with small faces
		{1280, 960, 0, 1, 50},       // a small photo, in full
		{4000, 3000, 0, 0.707, 200}, // 12 megapixels
		{6000, 4000, 0, 0.5, 200},   // 24 megapixels
		{6000, 4000, 40, 0.6, 270},  // what it takes
		{6000, 4000, 1, 1.02, 600},  // not more than that, whatever is asked
		{100, 100, 0, 0.5, 2},       // a crop, enlarged as far as that makes sense
		{480, 640, 0, 0.5, 4},       // a frame on its side
		{12000, 600, 0, 0.913, 160}, // as oblong as a photo may be
	} {
		scale := finestScale(c.width, c.height, c.least, tileInput)
		if math.Abs(scale-c.scale) > 0.01 {
			t.Errorf("%+v: the finest scale is %.3f", c, scale)
		}
		levels := planLevels(c.width, c.height, tileInput, scale)
		sampleFrom(levels, func(int) *picture.Picture { return new(picture.Picture) })
		tiles := 0
		for i := range levels {
			l := &levels[i]
			tiles += len(l.cut(c.width, c.height, tileInput))
			if step := 1 / l.scale / float64(int(1)<<l.half); step >= 1.5 || step < 0.75 && l.half > 0 {
				t.Errorf("%+v: level %d is sampled every %.2f pixels", c, i, step)
			}
		}
		if tiles > c.tilesUpTo {
			t.Errorf("%+v: %d tiles", c, tiles)
		}
		whole := levels[len(levels)-2]
		if n := len(whole.cut(c.width, c.height, tileInput)); n != 1 {
			t.Errorf("%+v: the whole photo takes %d tiles", c, n)
		}
	}
}
