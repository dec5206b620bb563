package embedder

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/onnxtest"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// drawnPicture is the drawn face alone.
func drawnPicture(side int) *picture.Picture {
	p := &picture.Picture{Pix: make([]byte, 3*side*side), Width: side, Height: side}
	for y := range side {
		for x := range side {
			pixel := onnxtest.PhotoPixel(x*128/side, y*128/side)
			copy(p.Pix[3*(y*side+x):], pixel[:])
		}
	}
	return p
}

// recorded is what a detector answered before it was converted, for one anchor.
type recorded struct {
	Anchor     int       `json:"anchor"`
	Logit      float64   `json:"logit"`
	Regressors []float64 `json:"regressors"`
}

// TestDetectorsAnswerAsTheOriginals shows the built-in detectors the drawn face at the size that their
// originals have, and compares with what TensorFlow Lite answered (models/train/faces.py).
func TestDetectorsAnswerAsTheOriginals(t *testing.T) {
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, side := range map[string]int{"short": 128, "full": 192} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var answers []recorded
			if err := json.Unmarshal(data, &answers); err != nil || len(answers) == 0 {
				t.Fatal(len(answers), err)
			}
			m, err := library.Model("rollcall-faces-" + name)
			if err != nil {
				t.Fatal(err)
			}
			onnx, err := m.Read()
			if err != nil {
				t.Fatal(err)
			}
			c := m.Contract
			c.Input.Width, c.Input.Height, c.Input.Reshape = side, side, false
			b, err := newBlueprint(c, onnx)
			if err != nil {
				t.Fatal(err)
			}
			s, err := openSession(b)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := align.Warp(s.Input(), drawnPicture(side), align.Transform{A: 1, D: 1}, c.Input); err != nil {
				t.Fatal(err)
			}
			if err := s.Run(); err != nil {
				t.Fatal(err)
			}
			for _, a := range answers {
				if got := float64(s.Outputs()[logitsOutput][a.Anchor]); math.Abs(got-a.Logit) > 0.002 {
					t.Errorf("anchor %d: the logit is %.4f, not %.4f", a.Anchor, got, a.Logit)
				}
				for i, want := range a.Regressors {
					if got := float64(s.Outputs()[regressorsOutput][16*a.Anchor+i]); math.Abs(got-want) > 0.01 {
						t.Errorf("anchor %d: regressor %d is %.3f, not %.3f", a.Anchor, i, got, want)
					}
				}
			}
		})
	}
}

// drawnFaces are of all sizes and turns, far from each other, some near the edges of 1920 x 1280 pixels.
var drawnFaces = []onnxtest.PhotoFace{
	{X: 600, Y: 1000, Side: 500}, {X: 1300, Y: 700, Side: 300, Turn: -20}, {X: 300, Y: 300, Side: 200}, {X: 1000, Y: 900, Side: 120, Turn: 30},
	{X: 800, Y: 400, Side: 80, Turn: 10}, {X: 1860, Y: 60, Side: 100, Turn: 5}, {X: 1500, Y: 200, Side: 60}, {X: 45, Y: 1240, Side: 70, Turn: -10}, {X: 1700, Y: 1000, Side: 40},
}

// facesOf returns the faces of a photo.
func facesOf(t testing.TB, e *Embedder, req PhotoRequest) *Photo {
	t.Helper()
	p, err := e.Faces(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFaces finds drawn faces with the models that the program brings: each of them once and nothing
// else, the largest first, with the eyes where they are.
func TestFaces(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 2})
	p := facesOf(t, e, PhotoRequest{Image: onnxtest.Photo(1920, 1280, drawnFaces...)})
	if p.Width != 1920 || p.Height != 1280 || p.Detector != "rollcall-faces-short" {
		t.Errorf("%d x %d pixels by %s", p.Width, p.Height, p.Detector)
	}
	if len(p.Faces) != len(drawnFaces) {
		t.Fatalf("%d faces, and there are %d: %+v", len(p.Faces), len(drawnFaces), p.Faces)
	}
	for i, want := range drawnFaces {
		left, right := want.Eyes()
		apart := float64(eyeDistance(models.Landmarks{left, right}))
		found := 0
		for j, f := range p.Faces {
			off := max(distance(f.Landmarks[0], left), distance(f.Landmarks[1], right)) / apart
			if off > 0.3 {
				continue
			}
			found++
			if size := 112 / 35.24 * apart; math.Abs(float64(f.Size)/size-1) > 0.25 {
				t.Errorf("face %d: its size is %.0f, and should be %.0f", i, f.Size, size)
			}
			centre := models.Point{X: f.Box[0] + f.Box[2]/2, Y: f.Box[1] + f.Box[3]/2}
			if distance(centre, models.Point{X: float32(want.X), Y: float32(want.Y)}) > want.Side/5 {
				t.Errorf("face %d: the middle of its box is %v", i, centre)
			}
			if f.Score < minFace || f.Score > 1 || f.Quality.LocatorScore < minScore || f.Quality.EyeDistance < 0.7*float32(apart) {
				t.Errorf("face %d: %+v", i, f)
			}
			if j > 0 && f.Size > p.Faces[j-1].Size {
				t.Errorf("face %d is larger than the one before it", j)
			}
		}
		if found != 1 {
			t.Errorf("face %d (%+v) was found %d times", i, want, found)
		}
	}
}

func distance(a, b models.Point) float64 { return math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)) }

// TestFacesAreTheSame: how many sessions work, and who of them is first, changes nothing.
func TestFacesAreTheSame(t *testing.T) {
	image := onnxtest.Photo(1920, 1280, drawnFaces...)
	first := facesOf(t, newEmbedder(t, Options{Sessions: 1}), PhotoRequest{Image: image})
	e := newEmbedder(t, Options{Sessions: 4})
	var calls sync.WaitGroup
	for range 3 {
		calls.Go(func() {
			p, err := e.Faces(t.Context(), PhotoRequest{Image: image})
			if err != nil || !reflect.DeepEqual(p.Faces, first.Faces) {
				t.Errorf("%v, other faces", err)
			}
		})
	}
	calls.Wait()
}

// TestFrames: in a frame the least face is one of 40 pixels, unless the request says otherwise, and a
// face that fills it is found by the second look.
func TestFrames(t *testing.T) {
	e := newEmbedder(t, Options{})
	small := onnxtest.Photo(640, 480, onnxtest.PhotoFace{X: 320, Y: 240, Side: 32}) // its size is 25
	if p := facesOf(t, e, PhotoRequest{Image: small, LeastFace: 20}); len(p.Faces) != 1 {
		t.Errorf("%d faces where 20 pixels are asked for", len(p.Faces))
	}
	for name, face := range map[string]onnxtest.PhotoFace{"of 50 pixels": {X: 200, Y: 150, Side: 65, Turn: 10}, "that fills it": {X: 320, Y: 240, Side: 640}} {
		if p := facesOf(t, e, PhotoRequest{Image: onnxtest.Photo(640, 480, face)}); len(p.Faces) != 1 {
			t.Errorf("%d faces, and there is one %s", len(p.Faces), name)
		}
	}
	if p := facesOf(t, e, PhotoRequest{Image: onnxtest.Photo(640, 480)}); len(p.Faces) != 0 {
		t.Errorf("%d faces in an empty frame", len(p.Faces))
	}
	if p := facesOf(t, e, PhotoRequest{Image: onnxtest.Photo(3, 2)}); len(p.Faces) != 0 {
		t.Errorf("%d faces in six pixels", len(p.Faces))
	}
}

// TestEmbedFaces: the embedding of a face of a photo is the one that Embed makes with its landmarks.
func TestEmbedFaces(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 2}, onnxtest.FaceNet(1))
	for _, size := range [][2]int{{1000, 700}, {640, 480}} { // a photo and a frame
		image := onnxtest.Photo(size[0], size[1], onnxtest.PhotoFace{X: 200, Y: 240, Side: 200, Turn: 10}, onnxtest.PhotoFace{X: 480, Y: 240, Side: 300, Turn: -15})
		for _, enrol := range []bool{false, true} {
			req := FacesRequest{PhotoRequest: PhotoRequest{Image: image}, Model: "rollcall-base-2", Enrol: enrol, Most: 10}
			p, results, err := e.EmbedFaces(t.Context(), req)
			if err != nil || len(p.Faces) != 2 || len(results) != 2 {
				t.Fatalf("%v: %d faces, %d results", err, len(p.Faces), len(results))
			}
			if found := facesOf(t, e, req.PhotoRequest); !reflect.DeepEqual(found.Faces, p.Faces) || p.Timings[StageRun] <= 0 {
				t.Errorf("%+v, and Faces finds %+v", p.Faces, found.Faces)
			}
			for i, f := range p.Faces {
				want := embed(t, e, Request{Image: image, Model: req.Model, Landmarks: &f.Landmarks, Enrol: enrol})
				got := results[i]
				if !slices.Equal(got.Embedding, want.Embedding) || got.Digest != want.Digest || got.Recipe != want.Recipe {
					t.Errorf("face %d: %s, similarity %.4f", i, got.Recipe, similarity(got.Embedding, want.Embedding))
				}
			}
			req.Most = 1
			if p, fewer, err := e.EmbedFaces(t.Context(), req); err != nil || len(p.Faces) != 2 || len(fewer) != 1 || !slices.Equal(fewer[0].Embedding, results[0].Embedding) {
				t.Errorf("%v: %d results, and one was asked for", err, len(fewer))
			}
		}
	}
	image := onnxtest.Photo(1000, 700, onnxtest.PhotoFace{X: 250, Y: 300, Side: 200})
	// A model that does not align gets the square around the face.
	_, whole, err := e.EmbedFaces(t.Context(), FacesRequest{PhotoRequest: PhotoRequest{Image: image}, Model: "test-facenet", Most: 1})
	if err != nil || len(whole[0].Embedding) != whole[0].Dimension || whole[0].Landmarks != nil {
		t.Fatalf("%v, %+v", err, whole)
	}
	if _, _, err := e.EmbedFaces(t.Context(), FacesRequest{PhotoRequest: PhotoRequest{Image: image}, Model: "rollcall-points", Most: 1}); !errors.Is(err, ErrWrongKind) {
		t.Errorf("a locator embeds: %v", err)
	}
}

// TestFaceChoice: the only face of a photo, or the largest.
func TestFaceChoice(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 2})
	faces := []onnxtest.PhotoFace{{X: 200, Y: 240, Side: 200, Turn: 10}, {X: 650, Y: 300, Side: 320, Turn: -15}}
	for n, want := range []map[FaceChoice][]Reason{
		{FaceOnly: {NoFace}, FaceLargest: {NoFace}},
		{FaceOnly: nil, FaceLargest: nil},
		{FaceOnly: {SeveralFaces}, FaceLargest: nil},
	} {
		image := onnxtest.Photo(1000, 700, faces[:n]...)
		for choice, reasons := range want {
			got := embed(t, e, Request{Image: image, Face: choice})
			if !slices.Equal(got.Quality.Reasons, reasons) || got.Model == "" || got.Recipe == "" || got.Dimension == 0 || got.Quality.Width != 1000 {
				t.Errorf("%d faces, %s: %+v", n, choice, got.Quality)
			}
			if n == 0 {
				continue
			}
			largest := facesOf(t, e, PhotoRequest{Image: image}).Faces[0]
			if *got.Landmarks != largest.Landmarks {
				t.Errorf("%d faces, %s: the landmarks are %v, those of the largest face %v", n, choice, *got.Landmarks, largest.Landmarks)
			}
		}
	}
}

// TestFacesWithOtherLocators: another locator is shown the face as a crop, and without one the landmarks
// are the detectors'.
func TestFacesWithOtherLocators(t *testing.T) {
	request := PhotoRequest{Image: onnxtest.Photo(1000, 700, onnxtest.PhotoFace{X: 400, Y: 350, Side: 300, Turn: 10})}
	p := facesOf(t, newEmbedder(t, Options{Locator: LocatorNone}), request)
	if len(p.Faces) != 1 || p.Faces[0].Quality.LocatorScore != 0 {
		t.Fatalf("without a locator: %+v", p.Faces)
	}
	left, right := onnxtest.PhotoFace{X: 400, Y: 350, Side: 300, Turn: 10}.Eyes()
	if l := p.Faces[0].Landmarks; distance(l[0], left) > 20 || distance(l[1], right) > 20 {
		t.Errorf("the eyes are at %v and %v, not %v and %v", l[0], l[1], left, right)
	}
	// One that is checked by another gets the other's landmarks.
	checked := onnxtest.YuNet(160)
	checked.Contract.ConfirmedBy = "rollcall-points"
	built := facesOf(t, newEmbedder(t, Options{Locator: "rollcall-points"}), request)
	if by := facesOf(t, newEmbedder(t, Options{}, checked), request); !reflect.DeepEqual(by.Faces, built.Faces) {
		t.Errorf("with a locator that is checked: %+v, not %+v", by.Faces, built.Faces)
	}
	// The locator for generated faces sees none here, so the landmarks stay the detectors'.
	other := facesOf(t, newEmbedder(t, Options{}, onnxtest.YuNet(160)), request)
	if len(other.Faces) != 1 || other.Faces[0].Landmarks != p.Faces[0].Landmarks {
		t.Errorf("with another locator: %+v", other.Faces)
	}
}

// TestUnusablePhotos: Faces refuses as Embed does.
func TestUnusablePhotos(t *testing.T) {
	e := newEmbedder(t, Options{PhotoLimits: picture.Limits{Pixels: 1_000_000}}, onnxtest.ArcFace(1))
	for want, image := range map[error][]byte{
		picture.ErrEmpty:         nil,
		picture.ErrNotImage:      []byte("a photo, they said"),
		picture.ErrBroken:        onnxtest.Photo(700, 700)[:500],
		picture.ErrTooManyPixels: onnxtest.Photo(1200, 1000),
	} {
		if _, err := e.Faces(t.Context(), PhotoRequest{Image: image}); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if _, err := newEmbedder(t, Options{Detector: "rollcall-points"}).Faces(t.Context(), PhotoRequest{Image: onnxtest.Photo(10, 10)}); !errors.Is(err, ErrWrongKind) {
		t.Errorf("a locator detects: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Faces(ended, PhotoRequest{Image: onnxtest.Photo(1000, 700)}); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Faces(t.Context(), PhotoRequest{Image: onnxtest.Photo(10, 10)}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestBox: the face in the box of a frame is the one that is embedded, with places of the frame.
func TestBox(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 1}, onnxtest.FaceNet(1))
	faces := []onnxtest.PhotoFace{{X: 150, Y: 220, Side: 200, Turn: 10}, {X: 480, Y: 260, Side: 220, Turn: -15}}
	image := onnxtest.Photo(640, 480, faces...)
	for i, f := range faces {
		left, right := f.Eyes()
		apart := float64(eyeDistance(models.Landmarks{left, right}))
		box := [4]float32{float32(f.X - f.Side/2), float32(f.Y - f.Side/2), float32(f.Side), float32(f.Side)}
		got := embed(t, e, Request{Image: image, Box: &box, Model: "rollcall-base-2"})
		if got.Landmarks == nil || max(distance(got.Landmarks[0], left), distance(got.Landmarks[1], right)) > 0.3*apart || got.LandmarksFrom != FromLocator {
			t.Errorf("face %d: landmarks %v, the eyes are at %v and %v", i, got.Landmarks, left, right)
		}
		if got.Quality.Width != 640 || got.Quality.Height != 480 {
			t.Errorf("face %d: %d x %d pixels", i, got.Quality.Width, got.Quality.Height)
		}
		given := embed(t, e, Request{Image: image, Box: &[4]float32{-900, 0, 1, 1}, Landmarks: got.Landmarks, Model: "rollcall-base-2"})
		if s := similarity(given.Embedding, got.Embedding); s < 0.99 {
			t.Errorf("face %d: landmarks given, and another box: similarity %.4f", i, s)
		}
		if whole := embed(t, e, Request{Image: image, Box: &box, Model: "test-facenet"}); len(whole.Embedding) == 0 || whole.Landmarks != nil {
			t.Errorf("face %d: a model that does not align: %+v", i, whole)
		}
	}
	nan := float32(math.NaN())
	for _, box := range [][4]float32{{900, 100, 20, 20}, {100, 100, 0, 0}, {100, 100, -5, -5}, {nan, 0, 9, 9}, {0, 0, nan, 9}, {3e38, 3e38, 3e38, 3e38}} {
		if _, err := e.Embed(t.Context(), Request{Image: image, Box: &box, Model: "rollcall-base-2"}); !errors.Is(err, ErrBox) {
			t.Errorf("box %v: %v", box, err)
		}
	}
}
