package bench

import (
	"archive/tar"
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

// drawnFaceFolder is a folder of n pictures with a face that the built-in detectors find, and of n/each people.
func drawnFaceFolder(t testing.TB, n, each int) string {
	t.Helper()
	dir := t.TempDir()
	var archive, table bytes.Buffer
	pictures, rows := tar.NewWriter(&archive), csv.NewWriter(&table)
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	check(rows.Write(facesHeader))
	for i := range n {
		f := onnxtest.PhotoFace{X: 96 + float64(i%3), Y: 96, Side: 150 + float64(i), Turn: float64(i%5 - 2)}
		left, right := f.Eyes()
		// The nose and the mouth of the drawing, from its eyes.
		at := func(across, down float32) models.Point {
			dx, dy := right.X-left.X, right.Y-left.Y
			return models.Point{X: (left.X+right.X)/2 + across*dx - down*dy, Y: (left.Y+right.Y)/2 + across*dy + down*dx}
		}
		person := fmt.Sprintf("p%04d", i/each)
		name := fmt.Sprintf("%s_%03d.jpg", person, i%each)
		row := []string{name, person, splitTest}
		for _, l := range []models.Point{left, right, at(0, 0.5), at(-0.42, 1.06), at(0.42, 1.06)} {
			row = append(row, fmt.Sprintf("%.2f", l.X), fmt.Sprintf("%.2f", l.Y))
		}
		check(rows.Write(row))
		image := onnxtest.Photo(192, 192, f)
		check(pictures.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(image))}))
		_, err := pictures.Write(image)
		check(err)
	}
	rows.Flush()
	check(pictures.Close())
	check(os.WriteFile(filepath.Join(dir, facesArchive), archive.Bytes(), 0o600))
	check(os.WriteFile(filepath.Join(dir, facesTable), table.Bytes(), 0o600))
	return dir
}

// TestDetect measures the built-in detectors on drawn faces: what is not found of the larger ones then is
// the bench's mistake.
func TestDetect(t *testing.T) {
	var res detectResult
	photos := times(3, 1)
	benchJSON(t, &res, "detect", "--faces="+drawnFaceFolder(t, 10, 1), "--models-dir="+t.TempDir(),
		fmt.Sprintf("--photos=%d", photos), "--rounds=1", "--megapixels=2")
	if res.Photos != photos || res.Faces < 20*photos/3 || len(res.Recalls) != 1 || res.Detector != "rollcall-faces-short" {
		t.Fatalf("%+v", res)
	}
	r, of := res.Recalls[0], 0
	for i, size := range r.BySize {
		of += size.Of
		if res.LeastSize != 16 || sizeBounds[i] >= 40 && size.Share < 0.9 {
			t.Errorf("of %.0f pixels and more: %v", sizeBounds[i], size)
		}
	}
	if of != res.Faces || r.Recall.Of != of || r.False > falsePerPhoto || r.Landmarks.Mean <= 0 || r.Landmarks.Mean > 0.2 {
		t.Errorf("%+v", r)
	}
	if len(res.Costs) != 3 || res.Costs[1].Width*res.Costs[1].Height > 2_000_000 || res.Costs[1].Faces < 20 {
		t.Fatalf("%+v", res.Costs)
	}
	for _, c := range res.Costs {
		if c.Decode <= 0 || c.Detect <= 0 || c.Locate <= 0 || c.Embed <= 0 || c.Least > c.AfterDecoding ||
			c.Found.Share < 0.9 || c.Faces != c.Found.Of {
			t.Errorf("%+v", c)
		}
	}
}

// TestCompose: a photo depends on the seed and its number alone, and its faces are where it says.
func TestCompose(t *testing.T) {
	faces, err := readFaces(drawnFaceFolder(t, 6, 1), splitTest)
	if err != nil {
		t.Fatal(err)
	}
	c := composition{width: 640, height: 480, faces: 6, least: 40, most: 160, turn: 30}
	photo, err := c.compose(faces, 1, 7)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.compose(faces, 1, 7)
	if err != nil || !bytes.Equal(photo.jpeg, again.jpeg) || !reflect.DeepEqual(photo.true, again.true) {
		t.Errorf("the same photo is another one, %v", err)
	}
	other, err := c.compose(faces, 1, 8)
	if err != nil || bytes.Equal(photo.jpeg, other.jpeg) {
		t.Errorf("the next photo is the same, %v", err)
	}
	if len(photo.true) == 0 || len(photo.true) > c.faces {
		t.Fatalf("%d faces", len(photo.true))
	}
	for i, f := range photo.true {
		if f.size < c.least || f.size > c.most {
			t.Errorf("face %d has %.0f pixels", i, f.size)
		}
		fit, err := align.Estimate(f.landmarks, template)
		if size := templateSide / math.Hypot(fit.A, fit.C); err != nil || math.Abs(size/f.size-1) > 0.02 {
			t.Errorf("face %d has landmarks of %.0f pixels and should have %.0f, %v", i, size, f.size, err)
		}
	}
	// The largest lies over the others: its eyes are darker than the skin between and below them.
	last := photo.true[len(photo.true)-1].landmarks
	light := func(p models.Point) int {
		c := photo.pix.RGBAAt(int(math.Round(float64(p.X))), int(math.Round(float64(p.Y))))
		return int(c.R) + int(c.G) + int(c.B)
	}
	between := models.Point{X: (last[0].X + last[1].X) / 2, Y: (last[0].Y + last[1].Y) / 2}
	if left, right, skin := light(last[0]), light(last[1]), light(between); 2*left > skin || 2*right > skin {
		t.Errorf("the eyes have the light %d and %d, and the skin %d", left, right, skin)
	}
}

// TestFaceTally counts findings that are made by hand.
func TestFaceTally(t *testing.T) {
	shifted := func(x, scale float32) models.Landmarks {
		l := template
		for i := range l {
			l[i].X, l[i].Y = scale*l[i].X+x, scale*l[i].Y
		}
		return l
	}
	truth := []trueFace{{size: 112, landmarks: shifted(0, 1)}, {size: 56, landmarks: shifted(500, 0.5)}, {size: 20, landmarks: shifted(900, 0.1786)}}
	tally := new(faceTally)
	for range 9 {
		tally.add(truth, []finding{{0.7, shifted(3, 1)}})
	}
	tally.add(truth, []finding{
		{0.6, shifted(10, 1)},    // the first face, a little off
		{0.9, shifted(0, 1)},     // the first face: the one before is a second finding of it
		{0.8, shifted(500, 1.2)}, // the second, but far too large
		{0.7, shifted(505, 0.5)}, // the second
		{0.5, shifted(300, 1)},   // nothing
		{0.4, models.Landmarks{}},
	})
	if !reflect.DeepEqual(tally.scores[27:], []float64{0.9, 0.7, 0}) || len(tally.wrong) != 4 {
		t.Errorf("scores %v, wrong %v", tally.scores[27:], tally.wrong)
	}
	// One in ten photos is allowed: the one of 0.8.
	if threshold := tally.threshold(); !(threshold > 0.6 && threshold <= 0.7) {
		t.Errorf("threshold %v", threshold)
	}
	for want, r := range map[ratio]ratio{
		ratioOf(10, 10): tally.recall(0.65, 100, 200),
		ratioOf(1, 10):  tally.recall(0.65, 40, 100),
		ratioOf(0, 10):  tally.recall(0.65, 0, 40),
		ratioOf(1, 30):  tally.recall(0.8, 0, math.Inf(1)),
	} {
		if r != want {
			t.Errorf("recall %v, want %v", r, want)
		}
	}
}
