package embedder

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// caseFile returns a picture of the folder of small inputs that failed once.
func caseFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedFolder, "cases", name))
	if err != nil {
		t.Skipf("needs small inputs that failed: %v", err)
	}
	return data
}

// asJPEG encodes a picture.
func asJPEG(t *testing.T, p *picture.Picture) []byte {
	t.Helper()
	img := image.NewRGBA(p.Bounds())
	for i := range p.Width * p.Height {
		copy(img.Pix[4*i:], p.Pix[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// eachLocator runs a test with the built-in models, and with YuNet before them.
func eachLocator(t *testing.T, run func(t *testing.T, e *Embedder)) {
	t.Run("built in", func(t *testing.T) {
		library, err := models.OpenLibrary(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		run(t, overLibrary(t, library, Options{}))
	})
	t.Run("yunet", func(t *testing.T) {
		run(t, overLibrary(t, realLibrary(t), Options{}))
	})
}

// TestTurned: a picture on its side or on its head is righted, and gives the embedding of the upright one.
func TestTurned(t *testing.T) {
	eachLocator(t, func(t *testing.T, e *Embedder) {
		for i, f := range realFaces(t, times(20, 4)) {
			pic, _, err := picture.Decode(f.crop, picture.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			upright := embed(t, e, Request{Image: asJPEG(t, pic)})
			for turns := 1; turns <= 3; turns++ {
				pic = turnedLeft(pic)
				r := embed(t, e, Request{Image: asJPEG(t, pic)})
				if r.Embedding == nil || r.Quality.Turned != 360-90*turns || len(r.Quality.Reasons) != len(upright.Quality.Reasons) {
					t.Errorf("face %d turned to the left %d times: turned back by %d degrees, %v", i, turns, r.Quality.Turned, r.Quality.Reasons)
					continue
				}
				if s := similarity(r.Embedding, upright.Embedding); s < 0.65 {
					t.Errorf("face %d turned %d times has a similarity of %.2f with itself", i, turns, s)
				}
			}
		}
	})
}

// TestCases: pictures that lie on their side, stand on their head or are stretched do not resemble others
// like them.
func TestCases(t *testing.T) {
	eachLocator(t, func(t *testing.T, e *Embedder) {
		for name, turned := range map[string]int{"turned90-p0532_001.jpg": 0, "turned90-p0644_001.jpg": 0, "rot180.jpg": 180} {
			r := embed(t, e, Request{Image: caseFile(t, name)})
			if r.Embedding == nil || r.Quality.Turned == 0 || turned != 0 && r.Quality.Turned != turned {
				t.Errorf("%s: turned by %d degrees, %v", name, r.Quality.Turned, r.Quality.Reasons)
			}
		}
		for _, pair := range [][2]string{
			{"turned90-p0532_001.jpg", "turned90-p0644_001.jpg"}, {"stretched-p0612_001.jpg", "stretched-p0620_001.jpg"},
		} {
			a, b := embed(t, e, Request{Image: caseFile(t, pair[0])}), embed(t, e, Request{Image: caseFile(t, pair[1])})
			if s := similarity(a.Embedding, b.Embedding); s > 0.4 && len(a.Quality.Reasons)+len(b.Quality.Reasons) == 0 {
				t.Errorf("%v have a similarity of %.2f; stretched by %g and %g", pair, s, a.Quality.Stretched, b.Quality.Stretched)
			}
		}
		if r := embed(t, e, Request{Image: caseFile(t, "two-faces-RL.jpg")}); !slices.Contains(r.Quality.Reasons, SeveralFaces) {
			t.Errorf("two faces: %v", r.Quality.Reasons)
		}
	})
}

// TestGivenLandmarks: landmarks of a request that cannot be those of the face are refused with the reason,
// and right ones are not.
func TestGivenLandmarks(t *testing.T) {
	eachLocator(t, func(t *testing.T, e *Embedder) {
		for i, f := range realFaces(t, times(15, 3)) {
			if r := embed(t, e, Request{Image: f.crop, Landmarks: &f.landmarks}); len(r.Quality.Reasons) > 0 || *r.Landmarks != f.landmarks {
				t.Errorf("face %d: %v of its own landmarks, %v became %v", i, r.Quality.Reasons, f.landmarks, r.Landmarks)
			}
			l := inOrderOf(f.landmarks, exchanged)
			if _, err := e.Embed(t.Context(), Request{Image: f.crop, Landmarks: &l}); !errors.Is(err, ErrLandmarks) {
				t.Errorf("face %d: left and right exchanged: %v", i, err)
			}
			pic, _, err := picture.Decode(f.crop, picture.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			// The face in a mirror, with its landmarks, is a face.
			mirror := align.Transform{A: -1, D: 1, Tx: float64(pic.Width - 1)}
			l = inOrderOf(inPlane(f.landmarks, mirror), exchanged)
			if r := embed(t, e, Request{Image: asJPEG(t, mirrored(pic)), Landmarks: &l}); len(r.Quality.Reasons) > 0 {
				t.Errorf("face %d: mirrored: %v", i, r.Quality.Reasons)
			}
			// And so is one that lies on its side or stands on its head.
			l, turned := f.landmarks, pic
			for turns := 1; turns <= 3; turns++ {
				l = inPlane(l, align.Transform{B: 1, C: -1, Ty: float64(turned.Width - 1)})
				turned = turnedLeft(turned)
				if r := embed(t, e, Request{Image: asJPEG(t, turned), Landmarks: &l}); len(r.Quality.Reasons) > 0 {
					t.Errorf("face %d: turned %d times, with its landmarks: %v", i, turns, r.Quality.Reasons)
				}
			}
			// The landmarks of the upright picture, on the picture that lies on its side.
			if r := embed(t, e, Request{Image: asJPEG(t, turnedLeft(pic)), Landmarks: &f.landmarks}); !slices.Contains(r.Quality.Reasons, NotUpright) && !slices.Contains(r.Quality.Reasons, Distorted) {
				t.Errorf("face %d: landmarks of the upright picture on a turned one: %v", i, r.Quality.Reasons)
			}
		}
	})
}
