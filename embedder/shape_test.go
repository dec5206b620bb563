package embedder

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"math/rand/v2"
	"testing"

	"rollcall/embedder/onnxtest"
	"rollcall/embedder/picture"
)

// thinPNG returns a black picture, in few bytes.
func thinPNG(t testing.TB, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestPlanIsBounded: a photo of any shape, and any size that is asked for, costs a bounded number of
// tiles, all levels together, and no level has more pixels than it may.
func TestPlanIsBounded(t *testing.T) {
	const sides, mostSide = 2000, 24_000_000
	rng := rand.New(rand.NewPCG(5, 6))
	for range sides {
		width, height := anySize(rng, mostSide)
		for _, least := range []float64{0, 0.001, 1, 24, 40} {
			tiles, pixels := mostTiles, float64(mostPixels)
			if least > 0 {
				tiles, pixels = mostTilesAsked, mostPixelsAsked
			}
			finest := finestScale(width, height, least, tileInput)
			n := 0
			for _, l := range planLevels(width, height, tileInput, finest) {
				n += len(l.cut(width, height, tileInput))
				if size := l.scale * l.scale * float64(width) * float64(height); size > 1.001*pixels {
					t.Fatalf("%d x %d, least %v: a level of %.0f pixels", width, height, least, size)
				}
			}
			if n > tiles {
				t.Fatalf("%d x %d, least %v: %d tiles", width, height, least, n)
			}
			if isFrame(width, height) && least == 0 && n > 5 {
				t.Fatalf("%d x %d is a frame, and takes %d tiles", width, height, n)
			}
		}
	}
}

// anySize returns the sides of some photo of at most so many pixels, long ones and tall ones too.
func anySize(rng *rand.Rand, pixels int) (width, height int) {
	for {
		long := 1 + rng.IntN(1<<(1+rng.IntN(15)))
		short := max(1, int(float64(long)/(1+(mostOblong-1)*rng.Float64())))
		if long*short > pixels || !isPhoto(long, short) {
			continue
		}
		if rng.IntN(2) == 0 {
			return short, long
		}
		return long, short
	}
}

// TestIsFrame: a frame is what a camera gives, either way round, and not all that has few pixels.
func TestIsFrame(t *testing.T) {
	for _, c := range []struct {
		width, height int
		frame, photo  bool
	}{
		{640, 480, true, true},
		{480, 640, true, true},
		{641, 480, false, true},
		{481, 640, false, true},
		{112, 112, true, true},
		{1, 1, true, true},
		{400, 20, true, true},
		{401, 20, true, false},
		{20, 401, true, false},
		{12000, 600, false, true},
		{307_200, 1, false, false},
		{1, 307_200, false, false},
		{24_000_000, 1, false, false},
	} {
		if got := isFrame(c.width, c.height); got != c.frame {
			t.Errorf("%d x %d is a frame: %v", c.width, c.height, got)
		}
		if got := isPhoto(c.width, c.height); got != c.photo {
			t.Errorf("%d x %d is a photo: %v", c.width, c.height, got)
		}
	}
}

// TestThinPictures: what is too thin to be a photo has no faces. Nothing looks at it, and no half is made.
func TestThinPictures(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 1})
	for _, size := range [][2]int{{307_200, 1}, {1, 307_200}, {1_000_000, 2}, {30, 3000}} {
		image := thinPNG(t, size[0], size[1])
		for _, least := range []float64{0, 1} {
			p := facesOf(t, e, PhotoRequest{Image: image, LeastFace: least})
			if len(p.Faces) != 0 || p.Width != size[0] || p.Height != size[1] {
				t.Errorf("%v, least %v: %d faces on %d x %d pixels", size, least, len(p.Faces), p.Width, p.Height)
			}
			// Without models: a look would panic.
			pic := &picture.Picture{Width: size[0], Height: size[1]}
			s := search{crew: crew{e: e}, pic: pic, halves: []*picture.Picture{pic}}
			if faces, err := s.faces(t.Context(), least); err != nil || len(faces) != 0 || len(s.halves) != 1 {
				t.Errorf("%v, least %v: %d faces, %d halves, %v", size, least, len(faces), len(s.halves), err)
			}
		}
		if _, err := e.Faces(t.Context(), PhotoRequest{Image: image[:60]}); !errors.Is(err, picture.ErrBroken) {
			t.Errorf("%v, damaged: %v", size, err)
		}
	}
}

// TestOblongPhotos: a face on a photo that is nearly too oblong is found.
func TestOblongPhotos(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 2})
	image := onnxtest.Photo(3600, 200, onnxtest.PhotoFace{X: 3000, Y: 100, Side: 120})
	if p := facesOf(t, e, PhotoRequest{Image: image}); len(p.Faces) != 1 {
		t.Errorf("%d faces", len(p.Faces))
	}
}
