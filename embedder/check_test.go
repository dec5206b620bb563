package embedder

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

func TestCheckAccepts(t *testing.T) {
	for _, m := range append(shapes, onnxtest.Points(), onnxtest.YuNet(160), onnxtest.YuNet(640)) {
		golden, err := Check(m.Contract, m.ONNX)
		if err != nil {
			t.Errorf("%s: %v", m.Contract.Name, err)
			continue
		}
		if m.Contract.Kind == models.Locator {
			if golden != nil {
				t.Errorf("%s: a locator with a golden embedding", m.Contract.Name)
			}
			continue
		}
		again, err := Check(m.Contract, m.ONNX)
		if err != nil {
			t.Fatal(err)
		}
		for i := range golden {
			if golden[i] != again[i] {
				t.Fatalf("%s: component %d is %g, then %g", m.Contract.Name, i, golden[i], again[i])
			}
		}
		if got := similarity(golden, goldenReference(m)); got < sameSimilarity {
			t.Errorf("%s: similarity of the golden embedding to the reference %.6f", m.Contract.Name, got)
		}
	}
}

// goldenReference is the golden embedding by the way of the tests.
func goldenReference(m onnxtest.Model) []float64 {
	p := goldenPicture()
	rows := make([][][3]float64, p.Height)
	for y := range rows {
		rows[y] = make([][3]float64, p.Width)
		for x := range rows[y] {
			for k := range 3 {
				rows[y][x][k] = float64(p.Pix[3*(y*p.Width+x)+k])
			}
		}
	}
	in := m.Contract.Input
	place := func(x, y float64) (float64, float64) { // letterbox of a square: enlarged; edges repeat
		scale := float64(p.Width) / float64(in.Width)
		inside := func(v float64) float64 { return min(max((v+0.5)*scale-0.5, 0), float64(p.Width-1)) }
		return inside(x), inside(y)
	}
	if in.Fit == models.FitAlign {
		place = alignReference(m.Contract.Template, goldenLandmarks)
	}
	return m.Reference(tensorReference(in, func(x, y float64) [3]float64 {
		u, v := place(x, y)
		return sampleReference(rows, u, v)
	}))
}

func TestCheckRefuses(t *testing.T) {
	good := onnxtest.SFace(1)
	facenet := onnxtest.FaceNet(1)
	change := func(m onnxtest.Model, change func(c *models.Contract)) onnxtest.Model {
		change(&m.Contract)
		return m
	}
	bytes := func(onnx []byte) onnxtest.Model { return onnxtest.Model{Contract: good.Contract, ONNX: onnx} }
	damaged := append([]byte(nil), good.ONNX...)
	for i := 40; i < 80; i++ {
		damaged[i] ^= 0x5a
	}
	unknown := []byte(strings.Replace(string(good.ONNX), "Tanh", "Tanq", 1))
	for name, tt := range map[string]struct {
		model onnxtest.Model
		says  []string
	}{
		"unknown operator":     {bytes(unknown), []string{"load it", "Tanq"}},
		"empty":                {bytes(nil), []string{"not an ONNX file"}},
		"text":                 {bytes([]byte("<html>not found</html>")), []string{"not an ONNX file"}},
		"cut short":            {bytes(good.ONNX[:len(good.ONNX)/2]), []string{"not an ONNX file", "cut short"}},
		"damaged":              {bytes(damaged), nil},
		"two inputs":           {onnxtest.Faulty(onnxtest.TwoInputs), []string{`2 inputs ("input", "mask")`}},
		"two outputs":          {onnxtest.Faulty(onnxtest.TwoOutputs), []string{"2 outputs"}},
		"double input":         {onnxtest.Faulty(onnxtest.DoubleInput), []string{`input "input" is float64`, "float32"}},
		"NaN":                  {onnxtest.Faulty(onnxtest.NaNOutput), []string{"not all of its numbers are finite"}},
		"zeros":                {onnxtest.Faulty(onnxtest.ZeroOutput), []string{"all of its numbers are zero"}},
		"longer than declared": {onnxtest.Faulty(onnxtest.WrongOutput), []string{"128", "129"}},
		"size": {change(good, func(c *models.Contract) { c.Input.Width = 96 }),
			[]string{`input "input" is 1 x 3 x 112 x 112`, "NCHW, 96 x 112 pixels", "needs 1 x 3 x 112 x 96"}},
		"layout": {change(facenet, func(c *models.Contract) { c.Input.Layout = models.NCHW }),
			[]string{"is 1 x 160 x 160 x 3", "needs 1 x 3 x 160 x 160"}},
		"dimension": {change(good, func(c *models.Contract) { c.Output.Dimension = 512 }),
			[]string{`output "embedding" is 1 x 128`, "needs 1 x 512"}},
		"not a locator": {change(good, func(c *models.Contract) { c.Kind, c.Decoder = models.Locator, models.DecoderYuNet }),
			[]string{`no output "cls_8"`, `"embedding"`}},
		"another locator": {change(onnxtest.Points(), func(c *models.Contract) { c.Decoder = models.DecoderYuNet }),
			[]string{`no output "cls_8"`, `"landmarks", "score"`}},
		"fixed size inside": {change(good, func(c *models.Contract) { c.Input.Reshape, c.Input.Width, c.Input.Height = true, 160, 160 }), nil},
	} {
		golden, err := Check(tt.model.Contract, tt.model.ONNX)
		if !errors.Is(err, ErrModel) || golden != nil {
			t.Errorf("%s: %v, want ErrModel", name, err)
			continue
		}
		t.Logf("%s: %v", name, err)
		for _, part := range tt.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
	}
}

func TestGolden(t *testing.T) {
	m := onnxtest.ArcFace(1)
	embedding, err := Check(m.Contract, m.ONNX)
	if err != nil {
		t.Fatal(err)
	}
	const tolerance = 1e-4
	with := func(index int, off float32) onnxtest.Model {
		changed := append([]float32(nil), embedding...)
		changed[index] += off
		m := m
		m.Contract.Golden = &models.Golden{Embedding: changed, Tolerance: tolerance}
		return m
	}
	for _, off := range []float32{0, tolerance / 2} {
		e := newEmbedder(t, Options{}, with(7, off), onnxtest.Points())
		if _, err := e.Load(t.Context(), ""); err != nil {
			t.Errorf("off by %g: %v", off, err)
		}
	}
	for _, off := range []float32{3 * tolerance, -3 * tolerance} {
		e := newEmbedder(t, Options{}, with(500, off), onnxtest.Points())
		_, err := e.Load(t.Context(), "")
		if !errors.Is(err, ErrGolden) || !errors.Is(err, ErrModel) {
			t.Errorf("off by %g: %v, want ErrGolden", off, err)
		}
		if len(e.Stats().Models) > 0 {
			t.Error("it is loaded nevertheless")
		}
	}
	nan := with(0, float32(math.NaN()))
	if _, err := Check(nan.Contract, nan.ONNX); !errors.Is(err, ErrGolden) {
		t.Errorf("a golden embedding that is not a number: %v, want ErrGolden", err)
	}
	// A contract that was changed after the installation: another colour order is another answer.
	bgr := with(0, 0)
	bgr.Contract.Input.Colour = models.BGR
	if _, err := Check(bgr.Contract, bgr.ONNX); !errors.Is(err, ErrGolden) {
		t.Errorf("another colour order: %v, want ErrGolden", err)
	}
}

func TestDigestMismatch(t *testing.T) {
	dir := t.TempDir()
	e := overLibrary(t, onnxtest.Install(t, dir, onnxtest.FaceNet(1)), Options{})
	if err := os.WriteFile(filepath.Join(dir, "test-facenet", "model.onnx"), onnxtest.FaceNet(2).ONNX, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := e.Embed(t.Context(), Request{Image: onnxtest.Face(1, 0)})
	if !errors.Is(err, models.ErrDigestMismatch) {
		t.Errorf("%v, want ErrDigestMismatch", err)
	}
	if strings.Contains(err.Error(), dir) {
		t.Errorf("the error names the folder: %v", err)
	}
}

// TestGoldenPictureStays: the golden embeddings of installed models were made from this picture.
func TestGoldenPictureStays(t *testing.T) {
	const want = "5b1fa6317b1349200d84896db29925b1501ee384c3e1b033a1f5b62799c95a56"
	if got := fmt.Sprintf("%x", sha256.Sum256(goldenPicture().Pix)); got != want {
		t.Errorf("the golden picture has changed: SHA-256 %s, was %s", got, want)
	}
}
