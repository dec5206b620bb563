package locate_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
)

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 5)) }

// tensors are outputs in which no cell scores anything.
func tensors(width, height int) map[string][]float32 {
	outputs := map[string][]float32{}
	for _, stride := range []int{8, 16, 32} {
		cells := (width / stride) * (height / stride)
		for name, values := range map[string]int{"cls": 1, "obj": 1, "bbox": 4, "kps": 10} {
			outputs[fmt.Sprintf("%s_%d", name, stride)] = make([]float32, cells*values)
		}
	}
	return outputs
}

// scattered are random outputs, with scores in every part of 0..1 and a little beyond.
func scattered(seed uint64, width, height int) map[string][]float32 {
	rng := random(seed)
	outputs := tensors(width, height)
	for _, stride := range []int{8, 16, 32} {
		for _, part := range []struct {
			name  string
			scale float32 // 0: a score
		}{{"cls", 0}, {"obj", 0}, {"bbox", 0.8}, {"kps", 2}} {
			tensor := outputs[fmt.Sprintf("%s_%d", part.name, stride)]
			for i := range tensor {
				if part.scale == 0 {
					tensor[i] = 1.2*rng.Float32() - 0.1
				} else {
					tensor[i] = part.scale * float32(rng.NormFloat64())
				}
			}
		}
	}
	return outputs
}

// TestYuNetByHand decodes two cells whose faces are worked out here.
func TestYuNetByHand(t *testing.T) {
	outputs := tensors(96, 64)
	// Stride 16: 6 columns, 4 rows. Cell 15 is row 2, column 3.
	outputs["cls_16"][15], outputs["obj_16"][15] = 0.9, 0.4
	copy(outputs["bbox_16"][60:], []float32{0.5, -0.25, float32(math.Log(2)), 0})
	copy(outputs["kps_16"][150:], []float32{0, 0, 1, 0, 0.5, 0.5, 0.25, 1, 0.75, 1})
	// Stride 32: 3 columns, 2 rows. Cell 2 is row 0, column 2. Scores beyond 1 count as 1.
	outputs["cls_32"][2], outputs["obj_32"][2] = 7, 1
	// Stride 8: too little.
	outputs["cls_8"][0], outputs["obj_8"][0] = 0.5, 0.49

	faces, err := locate.YuNet(outputs, 96, 64, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	want := []locate.Face{
		{Score: 1, Box: [4]float32{48, -16, 32, 32},
			Landmarks: align.Landmarks{{X: 64}, {X: 64}, {X: 64}, {X: 64}, {X: 64}}},
		{Score: 0.6, Box: [4]float32{40, 20, 32, 16},
			Landmarks: align.Landmarks{{X: 48, Y: 32}, {X: 64, Y: 32}, {X: 56, Y: 40}, {X: 52, Y: 48}, {X: 60, Y: 48}}},
	}
	if len(faces) != len(want) {
		t.Fatalf("%+v", faces)
	}
	for i := range want {
		if !alike(faces[i], want[i]) {
			t.Errorf("%+v, want %+v", faces[i], want[i])
		}
	}
}

func alike(a, b locate.Face) bool {
	near := func(x, y float32) bool { return math.Abs(float64(x)-float64(y)) <= 1e-4*(1+math.Abs(float64(y))) }
	ok := near(a.Score, b.Score)
	for i := range a.Box {
		ok = ok && near(a.Box[i], b.Box[i])
	}
	for i := range a.Landmarks {
		ok = ok && near(a.Landmarks[i].X, b.Landmarks[i].X) && near(a.Landmarks[i].Y, b.Landmarks[i].Y)
	}
	return ok
}

// TestYuNetReference compares random tensors with a second decoder, in float64 and with a suppression
// that marks instead of filtering.
func TestYuNetReference(t *testing.T) {
	for seed := range uint64(30) {
		rng := random(seed)
		width, height := 32*(1+rng.IntN(6)), 32*(1+rng.IntN(6))
		outputs := scattered(seed, width, height)
		minScore := 0.3 + 0.6*rng.Float32()
		got, err := locate.YuNet(outputs, width, height, minScore)
		if err != nil {
			t.Fatal(err)
		}
		want := reference(outputs, width, height, minScore)
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d faces, want %d", seed, len(got), len(want))
		}
		for i := range want {
			if !alike(got[i], want[i]) {
				t.Fatalf("seed %d, face %d: %+v, want %+v", seed, i, got[i], want[i])
			}
		}
	}
}

func reference(outputs map[string][]float32, width, height int, minScore float32) []locate.Face {
	var all []locate.Face
	for stride := 8; stride <= 32; stride *= 2 {
		tensor := func(name string) []float32 { return outputs[fmt.Sprintf("%s_%d", name, stride)] }
		cell := 0
		for y := 0; y < height; y += stride {
			for x := 0; x < width; x += stride {
				unit := func(v float32) float64 { return math.Max(0, math.Min(1, float64(v))) }
				f := locate.Face{Score: float32(math.Sqrt(unit(tensor("cls")[cell]) * unit(tensor("obj")[cell])))}
				var b [4]float64
				for i := range b {
					b[i] = float64(tensor("bbox")[cell*4+i])
				}
				w, h := math.Exp(b[2])*float64(stride), math.Exp(b[3])*float64(stride)
				f.Box = [4]float32{float32(float64(x) + b[0]*float64(stride) - w/2), float32(float64(y) + b[1]*float64(stride) - h/2), float32(w), float32(h)}
				for i := range f.Landmarks {
					f.Landmarks[i].X = float32(float64(x) + float64(tensor("kps")[cell*10+2*i])*float64(stride))
					f.Landmarks[i].Y = float32(float64(y) + float64(tensor("kps")[cell*10+2*i+1])*float64(stride))
				}
				all = append(all, f)
				cell++
			}
		}
	}
	dead := make([]bool, len(all))
	var faces []locate.Face
	for { // take the best that is left, and strike out what it overlaps
		best := -1
		for i, f := range all {
			if !dead[i] && f.Score >= minScore && (best < 0 || f.Score > all[best].Score) {
				best = i
			}
		}
		if best < 0 {
			return faces
		}
		face := all[best]
		var mean [10]float64
		var scores float64
		for i, f := range all {
			if dead[i] || f.Score < minScore || i != best && overlap(all[best].Box, f.Box) <= 0.3 {
				continue
			}
			dead[i] = true
			scores += float64(f.Score)
			for j, p := range f.Landmarks {
				mean[2*j] += float64(f.Score) * float64(p.X)
				mean[2*j+1] += float64(f.Score) * float64(p.Y)
			}
		}
		for j := range face.Landmarks {
			face.Landmarks[j] = align.Point{X: float32(mean[2*j] / scores), Y: float32(mean[2*j+1] / scores)}
		}
		faces = append(faces, face)
	}
}

func overlap(a, b [4]float32) float64 {
	left, right := math.Max(float64(a[0]), float64(b[0])), math.Min(float64(a[0]+a[2]), float64(b[0]+b[2]))
	top, bottom := math.Max(float64(a[1]), float64(b[1])), math.Min(float64(a[1]+a[3]), float64(b[1]+b[3]))
	if right <= left || bottom <= top {
		return 0
	}
	both := (right - left) * (bottom - top)
	return both / (float64(a[2]*a[3]) + float64(b[2]*b[3]) - both)
}

// TestYuNetProperties holds for a model's real size, where more cells score than are compared.
func TestYuNetProperties(t *testing.T) {
	outputs := scattered(77, 640, 640)
	faces, err := locate.YuNet(outputs, 640, 640, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(faces) < 2 {
		t.Fatalf("%d faces", len(faces))
	}
	for i, f := range faces {
		if i > 0 && f.Score > faces[i-1].Score {
			t.Errorf("face %d scores %g, after %g", i, f.Score, faces[i-1].Score)
		}
		for _, better := range faces[:i] {
			if o := overlap(better.Box, f.Box); o > 0.3+1e-5 {
				t.Errorf("face %d overlaps a better one by %g", i, o)
			}
		}
	}
	again, err := locate.YuNet(outputs, 640, 640, 0)
	if err != nil || !slices.Equal(again, faces) {
		t.Error("another answer to the same tensors")
	}
}

func TestYuNetNothing(t *testing.T) {
	if faces, err := locate.YuNet(tensors(160, 160), 160, 160, 0.01); err != nil || len(faces) != 0 {
		t.Errorf("%v, %v", faces, err)
	}
}

func TestYuNetErrors(t *testing.T) {
	for name, change := range map[string]func(map[string][]float32){
		"a missing tensor": func(o map[string][]float32) { delete(o, "kps_32") },
		"a short tensor":   func(o map[string][]float32) { o["bbox_8"] = o["bbox_8"][1:] },
		"a long tensor":    func(o map[string][]float32) { o["cls_16"] = append(o["cls_16"], 0) },
		"not a number":     func(o map[string][]float32) { o["cls_16"][3] = float32(math.NaN()) },
		"infinite":         func(o map[string][]float32) { o["bbox_32"][1] = float32(math.Inf(1)) },
		"minus infinite":   func(o map[string][]float32) { o["kps_8"][0] = float32(math.Inf(-1)) },
		"absurdly large":   func(o map[string][]float32) { o["kps_8"][0] = 1e30 },
	} {
		outputs := tensors(64, 64)
		change(outputs)
		if faces, err := locate.YuNet(outputs, 64, 64, 0.5); !errors.Is(err, locate.ErrOutputs) || faces != nil {
			t.Errorf("%s: %v, %v", name, faces, err)
		}
	}
	for _, size := range [][2]int{{0, 0}, {64, 0}, {-32, 32}, {48, 64}, {64, 65}} {
		if _, err := locate.YuNet(tensors(64, 64), size[0], size[1], 0.5); !errors.Is(err, locate.ErrOutputs) {
			t.Errorf("%v: %v", size, err)
		}
	}
	// The largest values that pass give finite faces.
	outputs := tensors(32, 32)
	outputs["cls_32"][0], outputs["obj_32"][0] = 1, 1
	copy(outputs["bbox_32"], []float32{9e8, -9e8, 9e8, 9e8})
	copy(outputs["kps_32"], []float32{9e8, -9e8})
	faces, err := locate.YuNet(outputs, 32, 32, 0.5)
	if err != nil || len(faces) != 1 {
		t.Fatalf("%v, %v", faces, err)
	}
	for _, v := range faces[0].Box {
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			t.Errorf("%v", faces[0].Box)
		}
	}
}

func BenchmarkYuNet(b *testing.B) {
	for _, side := range []int{160, 640} {
		outputs := scattered(1, side, side)
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			for b.Loop() {
				if _, err := locate.YuNet(outputs, side, side, 0.95); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
