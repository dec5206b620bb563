package embedder

import (
	"testing"

	"rollcall/models"
)

// TestBuiltinModels loads the models that the program brings, which proves the golden embedding, and
// identifies real faces with them where there are some.
func TestBuiltinModels(t *testing.T) {
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := overLibrary(t, library, Options{})
	loaded, err := e.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Contract.Name != "rollcall-base-2" || loaded.Contract.Golden == nil {
		t.Fatalf("loaded %s, golden embedding: %v", loaded.Contract.Name, loaded.Contract.Golden != nil)
	}
	faces := realFaces(t, 60)
	var off float64
	var same, different []float64
	var embeddings [][]float32
	for _, f := range faces {
		r := embed(t, e, Request{Image: f.crop})
		if r.LandmarksFrom != FromLocator {
			t.Fatalf("no face of %s was found, score %g", f.person, r.Quality.LocatorScore)
		}
		for i, p := range r.Landmarks {
			off += float64(eyeDistance(models.Landmarks{p, f.landmarks[i]})/eyeDistance(f.landmarks)) / 5 / float64(len(faces))
		}
		embeddings = append(embeddings, r.Embedding)
	}
	for i, a := range embeddings {
		for j, b := range embeddings[:i] {
			if faces[i].person == faces[j].person {
				same = append(same, similarity(a, b))
			} else {
				different = append(different, similarity(a, b))
			}
		}
	}
	if off > 0.09 { // 0.073 over the test people: rollcall eval
		t.Errorf("landmarks are off by %.3f of the eye distance", off)
	}
	right := 0
	for _, s := range same {
		for _, d := range different {
			if s > d {
				right++
			}
		}
	}
	if share := float64(right) / float64(len(same)*len(different)); !(share > 0.99) {
		t.Errorf("a pair of one person is more alike than one of two in %.3f of %d comparisons", share, len(same)*len(different))
	}
}
