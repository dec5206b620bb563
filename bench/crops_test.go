package bench

import (
	"bytes"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

func testFace(seed int64) face {
	return face{name: studentID(int(seed)), person: "p", landmarks: onnxtest.FaceLandmarks(seed, 0), jpeg: onnxtest.Face(seed, 0)}
}

// angle is the direction from the left eye to the right one, in degrees.
func angle(l models.Landmarks) float64 {
	return math.Atan2(float64(l[1].Y-l[0].Y), float64(l[1].X-l[0].X)) * 180 / math.Pi
}

func eyes(l models.Landmarks) float64 {
	return math.Hypot(float64(l[1].X-l[0].X), float64(l[1].Y-l[0].Y))
}

// TestCut finds the markers of generated faces in the crops, in the colours that
// they are drawn in.
func TestCut(t *testing.T) {
	dominant := []func(r, g, b uint32) bool{
		func(r, g, b uint32) bool { return r > 2*g && r > 2*b },
		func(r, g, b uint32) bool { return g > 2*r && g > 2*b },
		func(r, g, b uint32) bool { return b > 2*r && b > 2*g },
		func(r, g, b uint32) bool { return r > 2*b && g > 2*b },
		func(r, g, b uint32) bool { return r > 2*g && b > 2*g },
	}
	o := cutOptions{seed: 3, grow: 0.6, shift: 0.1, turn: 15}
	var turns, grown []float64
	for seed := range int64(16) {
		f := testFace(seed)
		c, err := o.cut(f)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(c.jpeg))
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range c.landmarks {
			r, g, b, _ := img.At(int(math.Round(float64(p.X))), int(math.Round(float64(p.Y)))).RGBA()
			if !dominant[i](r, g, b) {
				t.Errorf("crop %d: landmark %d is not on its marker", seed, i)
			}
		}
		if scale := eyes(c.landmarks) / eyes(f.landmarks); math.Abs(scale-1) > 0.01 {
			t.Errorf("crop %d: scaled by %g; it should keep the picture's resolution", seed, scale)
		}
		turns = append(turns, angle(c.landmarks)-angle(f.landmarks))
		// The template is onnxtest.Face's drawing, 1.15 times as large.
		grown = append(grown, float64(img.Bounds().Dx())/(1.15*templateSide))
	}
	if low, high := slices.Min(turns), slices.Max(turns); low < -15.1 || high > 15.1 || high-low < 15 {
		t.Errorf("turned by %g to %g degrees, want -15 to 15", low, high)
	}
	if low, high := slices.Min(grown), slices.Max(grown); low < 0.99 || high > 1.61 || high-low < 0.3 {
		t.Errorf("grown to %g to %g, want 1 to 1.6", low, high)
	}
}

// TestCutExact cuts the template's square itself.
func TestCutExact(t *testing.T) {
	c, err := cutOptions{side: templateSide}.cut(testFace(1))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range c.landmarks {
		if d := math.Hypot(float64(p.X-template[i].X), float64(p.Y-template[i].Y)); d > 0.05 {
			t.Errorf("landmark %d is %g pixels from the template", i, d)
		}
	}
}

func TestCutDependsOnSeedAndName(t *testing.T) {
	a, other := testFace(1), testFace(1)
	other.name = "another"
	cut := func(seed uint64, f face) string {
		c, err := cutOptions{seed: seed, grow: 0.6, shift: 0.1, turn: 15}.cut(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.jpeg)
	}
	first := cut(1, a)
	if again := cut(1, a); again != first {
		t.Error("the same seed and name cut differently")
	}
	if cut(2, a) == first || cut(1, other) == first {
		t.Error("another seed or name cuts the same")
	}
}

func TestCutBrokenPicture(t *testing.T) {
	f := testFace(1)
	f.jpeg = f.jpeg[:100]
	_, err := cutOptions{}.cut(f)
	wantError(t, err, f.name)
	f = testFace(1)
	f.landmarks = models.Landmarks{}
	_, err = cutOptions{}.cut(f)
	wantError(t, err, f.name)
}

func TestReadFaces(t *testing.T) {
	dir := writeFaces(t, append(people(3, 2, splitTest), people(1, 1, splitTrain)...))
	faces, err := readFaces(dir, splitTest)
	if err != nil {
		t.Fatal(err)
	}
	if len(faces) != 6 {
		t.Fatalf("%d faces, want 6", len(faces))
	}
	for i, f := range faces {
		if want := onnxtest.Face(int64(i/2), i%2); !bytes.Equal(f.jpeg, want) {
			t.Errorf("%s has another picture", f.name)
		}
		for k, p := range onnxtest.FaceLandmarks(int64(i/2), i%2) {
			if math.Abs(float64(p.X-f.landmarks[k].X)) > 0.01 || math.Abs(float64(p.Y-f.landmarks[k].Y)) > 0.01 {
				t.Errorf("%s: landmark %d is %v, want %v", f.name, k, f.landmarks[k], p)
			}
		}
	}
}

func TestReadBadFaces(t *testing.T) {
	good := strings.Join(facesHeader, ",") + "\np0000_001.jpg,p0000,test" + strings.Repeat(",1.5", 10) + "\n"
	for name, test := range map[string]struct{ table, says string }{
		"other columns":   {strings.Replace(good, "nose_x", "chin_x", 1), "chin_x"},
		"too few columns": {"image,person\n", "wrong number of fields"},
		"no number":       {strings.Replace(good, "1.5", "left", 1), "line 2: left_eye_x"},
		"nobody":          {strings.Replace(good, ",test,", ",train,", 1), "no picture of the split test"},
		"missing picture": {good + strings.Replace(strings.Split(good, "\n")[1], "p0000_001", "p0009_001", 1), "p0009_001.jpg"},
		"empty":           {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeFaces(t, people(1, 1, splitTest))
			if err := os.WriteFile(filepath.Join(dir, facesTable), []byte(test.table), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readFaces(dir, splitTest)
			wantError(t, err, test.says)
		})
	}
	dir := writeFaces(t, people(1, 1, splitTest))
	archive := filepath.Join(dir, facesArchive)
	if err := os.Truncate(archive, 700); err != nil {
		t.Fatal(err)
	}
	_, err := readFaces(dir, splitTest)
	wantError(t, err, facesArchive)
}

func TestRoster(t *testing.T) {
	var crops []crop
	for i, n := range []int{1, 2, 3, 1, 4, 2, 2, 1} {
		for range n {
			crops = append(crops, crop{person: studentID(i)})
		}
	}
	for n, students := range map[int]int{0: 5, 3: 3} {
		r, err := newRoster(crops, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		met := slices.Clone(r.strangers)
		enrolled := make(map[string]bool)
		for _, s := range r.students {
			met = append(met, s.crops...)
			enrolled[s.person] = true
			for _, i := range s.crops {
				if crops[i].person != s.person || len(s.crops) < 2 {
					t.Errorf("student %s has crops %v", s.person, s.crops)
				}
			}
		}
		for _, i := range r.strangers {
			if enrolled[crops[i].person] {
				t.Errorf("%s is a student and a stranger", crops[i].person)
			}
		}
		slices.Sort(met)
		if len(r.students) != students || len(slices.Compact(met)) != len(crops) {
			t.Errorf("n = %d: %d students, crops %v", n, len(r.students), met)
		}
	}
	_, err := newRoster(crops, 6, 1)
	wantError(t, err, "only 5 people")
}

// TestDrawnFaces are found by a locator that was trained on photographs.
func TestDrawnFaces(t *testing.T) {
	const file = "../../shared/models/yunet-2023mar.onnx"
	if _, err := os.Stat(file); err != nil {
		t.Skip("no YuNet beside the repository")
	}
	embedderFile := filepath.Join(filepath.Dir(file), "mobilefacenet-128.onnx")
	w, err := modelOptions{embedder: fileOptions{file: embedderFile}, locator: fileOptions{file: file}}.open(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	e, err := w.newEmbedder(embedder.Options{Sessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	crops, err := (&sourceOptions{seed: 1}).crops(t.Context(), 12)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range crops {
		r, err := e.Embed(t.Context(), embedder.Request{Image: c.jpeg})
		if err != nil || !usable(r) {
			t.Errorf("%s is not usable: %v, %v", c.name, err, r)
			continue
		}
		for i, p := range r.Landmarks {
			if d := math.Hypot(float64(p.X-c.landmarks[i].X), float64(p.Y-c.landmarks[i].Y)); d > 0.5*eyes(c.landmarks) {
				t.Errorf("%s: landmark %d lies %.0f pixels off", c.name, i, d)
			}
		}
	}
}
