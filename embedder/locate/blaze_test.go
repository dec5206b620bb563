package locate_test

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/models"
)

var (
	shortGrids = []models.Anchors{{Stride: 8, Count: 2}, {Stride: 16, Count: 6}}
	fullGrids  = []models.Anchors{{Stride: 4, Count: 1}}
)

// anchorsOf lists the anchors of grids in another way: one loop for each axis.
func anchorsOf(width, height int, grids []models.Anchors) (anchors []align.Point) {
	for _, g := range grids {
		for y := float32(g.Stride) / 2; y < float32(height); y += float32(g.Stride) {
			for x := float32(g.Stride) / 2; x < float32(width); x += float32(g.Stride) {
				for range g.Count {
					anchors = append(anchors, align.Point{X: x, Y: y})
				}
			}
		}
	}
	return anchors
}

// TestBlazeByHand decodes two anchors whose faces are worked out here.
func TestBlazeByHand(t *testing.T) {
	const width, height = 64, 32
	anchors := anchorsOf(width, height, shortGrids)
	if len(anchors) != 8*4*2+4*2*6 {
		t.Fatalf("%d anchors", len(anchors))
	}
	logits, regressors := make([]float32, len(anchors)), make([]float32, 16*len(anchors))
	for i := range logits {
		logits[i] = -3
	}
	// Stride 8, row 1, column 2, the second one: its anchor is at (20, 12).
	logits[2*(8+2)+1] = 2
	copy(regressors[16*(2*(8+2)+1):], []float32{1, -2, 10, 8, -2, -1, 2, -1, 0, 1, 0, 3, -5, 0, 5, 0})
	// Stride 16, row 1, column 3, the last one: its anchor is at (56, 24). It is sure.
	last := len(anchors) - 1
	logits[last] = 500
	copy(regressors[16*last:], []float32{0, 0, 6, 6})
	faces, err := locate.Blaze(regressors, logits, width, height, shortGrids, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	want := []locate.Face{
		{Score: 1, Box: [4]float32{52.5, 20.5, 6, 6}, Landmarks: align.Landmarks{
			{X: 55.5, Y: 23.5}, {X: 55.5, Y: 23.5}, {X: 55.5, Y: 23.5}, {X: 55.5, Y: 23.5}, {X: 55.5, Y: 23.5}}},
		{Score: 0.8807971, Box: [4]float32{15.5, 5.5, 10, 8}, Landmarks: align.Landmarks{
			{X: 17.5, Y: 10.5}, {X: 21.5, Y: 10.5}, {X: 19.5, Y: 12.5}, {X: 17.844, Y: 14.5}, {X: 21.156, Y: 14.5}}},
	}
	if len(faces) != len(want) || !alike(faces[0], want[0]) || !alike(faces[1], want[1]) {
		t.Errorf("%+v, want %+v", faces, want)
	}
}

// TestBlazeAgainstOracle decodes random outputs and compares with a decoder that looks at every anchor,
// sorts, and lets each face strike out those after it.
func TestBlazeAgainstOracle(t *testing.T) {
	for seed := range uint64(20) {
		rng := random(seed)
		width, height, grids := 96, 64, shortGrids
		if seed%2 == 1 {
			width, height, grids = 48, 96, fullGrids
		}
		anchors := anchorsOf(width, height, grids)
		logits, regressors := make([]float32, len(anchors)), make([]float32, 16*len(anchors))
		for i := range logits {
			logits[i] = float32(3*rng.NormFloat64() - 2)
		}
		for i := range regressors {
			regressors[i] = float32(12 * rng.NormFloat64())
		}
		const least = 0.4
		got, err := locate.Blaze(regressors, logits, width, height, grids, least)
		if err != nil {
			t.Fatal(err)
		}
		type candidate struct {
			score      float64
			x, y, w, h float64
		}
		var all []candidate
		for i, a := range anchors {
			v := regressors[16*i:]
			score := 1 / (1 + math.Exp(-float64(logits[i])))
			if score >= least && v[2] > 0 && v[3] > 0 {
				all = append(all, candidate{score, float64(a.X+v[0]) - 0.5, float64(a.Y+v[1]) - 0.5, float64(v[2]), float64(v[3])})
			}
		}
		slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
		var kept []candidate
		for len(all) > 0 {
			best := all[0]
			kept = append(kept, best)
			all = slices.DeleteFunc(all, func(c candidate) bool {
				w := min(best.x+best.w/2, c.x+c.w/2) - max(best.x-best.w/2, c.x-c.w/2)
				h := min(best.y+best.h/2, c.y+c.h/2) - max(best.y-best.h/2, c.y-c.h/2)
				both := max(w, 0) * max(h, 0)
				return c == best || both/(best.w*best.h+c.w*c.h-both) > 0.3
			})
		}
		if len(got) != len(kept) || len(got) < 5 {
			t.Fatalf("seed %d: %d faces, and the oracle has %d", seed, len(got), len(kept))
		}
		for i, f := range got {
			w := kept[i]
			box := [4]float64{w.x - w.w/2, w.y - w.h/2, w.w, w.h}
			for k := range box {
				if math.Abs(float64(f.Box[k])-box[k]) > 1e-3 || math.Abs(float64(f.Score)-w.score) > 1e-5 {
					t.Fatalf("seed %d, face %d: %+v, and the oracle has %+v", seed, i, f, w)
				}
			}
		}
	}
}

// TestBlazeRefuses what a sound model does not answer.
func TestBlazeRefuses(t *testing.T) {
	n := len(anchorsOf(64, 32, shortGrids))
	for name, c := range map[string]struct {
		regressors, logits []float32
		width              int
	}{
		"too few logits":     {make([]float32, 16*n), make([]float32, n-1), 64},
		"too few regressors": {make([]float32, 16*n-1), make([]float32, n), 64},
		"another input":      {make([]float32, 16*n), make([]float32, n), 65},
		"no input":           {nil, nil, 0},
		"not a number":       {make([]float32, 16*n), append(make([]float32, n-1), float32(math.NaN())), 64},
		"an infinity":        {append(make([]float32, 16*n-1), float32(math.Inf(1))), make([]float32, n), 64},
	} {
		if _, err := locate.Blaze(c.regressors, c.logits, c.width, 32, shortGrids, 0.5); !errors.Is(err, locate.ErrOutputs) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
