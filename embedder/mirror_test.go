package embedder

import (
	"testing"

	"rollcall/embedder/picture"
	"rollcall/models"
)

// TestMirrorEnrolled: with a model whose contract says so, of a crop and of its mirror image the same is stored,
// which is near to the probe and not it; with another model what is stored is the probe.
func TestMirrorEnrolled(t *testing.T) {
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := overLibrary(t, library, Options{})
	for i, f := range realFaces(t, 5) {
		probe, stored := embed(t, e, Request{Image: f.crop}), embed(t, e, Request{Image: f.crop, Enrol: true})
		if n := similarity(stored.Embedding, stored.Embedding); n < 0.999 || n > 1.001 {
			t.Errorf("face %d: not of unit length", i)
		}
		pic, _, err := picture.Decode(f.crop, picture.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		mirrored := &picture.Picture{Pix: make([]byte, len(pic.Pix)), Width: pic.Width, Height: pic.Height}
		for at := 0; at < len(pic.Pix); at += 3 * pic.Width {
			for x := range pic.Width {
				copy(mirrored.Pix[at+3*x:][:3], pic.Pix[at+3*(pic.Width-1-x):])
			}
		}
		// The locator sees the mirror image a little otherwise.
		other := embed(t, e, Request{Image: asJPEG(t, mirrored), Enrol: true})
		if s := similarity(stored.Embedding, other.Embedding); s < 0.97 {
			t.Errorf("face %d: what is stored of the mirror image has a similarity of %.4f", i, s)
		}
		if s := similarity(probe.Embedding, stored.Embedding); s > 0.9999 || s < 0.9 {
			t.Errorf("face %d: what is stored has a similarity of %.4f with the probe", i, s)
		}
	}
	plain := overLibrary(t, realLibrary(t), Options{})
	for _, f := range realFaces(t, 2) {
		probe, stored := embed(t, plain, Request{Image: f.crop}), embed(t, plain, Request{Image: f.crop, Enrol: true})
		if similarity(probe.Embedding, stored.Embedding) < 0.99999 {
			t.Error("a model without mirror_enrolled stores something else than it compares")
		}
	}
}
