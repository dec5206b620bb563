package onnxtest_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/embedder/ortlib"
)

func TestMain(m *testing.M) {
	if _, err := embedder.Start(context.Background(), ortlib.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func newEmbedder(t *testing.T, install ...onnxtest.Model) *embedder.Embedder {
	t.Helper()
	e, err := embedder.New(onnxtest.Install(t, t.TempDir(), install...), embedder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// TestFacesAreToldApart holds the promise that other packages' tests rest on: a person's pictures are
// similar, two people's are not, under every model.
func TestFacesAreToldApart(t *testing.T) {
	const people, pictures = 20, 4
	e := newEmbedder(t, onnxtest.ArcFace(1), onnxtest.SFace(1), onnxtest.FaceNet(1), onnxtest.Points())
	for _, model := range []string{"test-arcface", "test-sface", "test-facenet"} {
		t.Run(model, func(t *testing.T) {
			var embeddings [people][pictures][]float32
			for p := range people {
				for j := range pictures {
					r, err := e.Embed(t.Context(), embedder.Request{Image: onnxtest.Face(int64(p), j), Model: model})
					if err != nil {
						t.Fatal(err)
					}
					if len(r.Quality.Reasons) > 0 {
						t.Fatalf("Face(%d, %d) is called %v: %+v", p, j, r.Quality.Reasons, r.Quality)
					}
					embeddings[p][j] = r.Embedding
				}
			}
			same, other := 1.0, -1.0
			for p := range people {
				for j := range pictures {
					for q := range p + 1 {
						for k := range pictures {
							similarity := cosine(embeddings[p][j], embeddings[q][k])
							if p == q {
								same = min(same, similarity)
							} else {
								other = max(other, similarity)
							}
						}
					}
				}
			}
			t.Logf("one person: at least %.3f; two people: at most %.3f", same, other)
			if same < 0.88 || other > 0.65 {
				t.Errorf("one person: at least %.3f; two people: at most %.3f", same, other)
			}
		})
	}
}

// TestLocators compares what the locators find with where the markers were drawn.
func TestLocators(t *testing.T) {
	for _, tt := range []struct {
		locator onnxtest.Model
		within  float64 // pixels of the picture
	}{
		{onnxtest.Points(), 1.0},
		{onnxtest.YuNet(160), 8},
		{onnxtest.YuNet(320), 8},
	} {
		t.Run(tt.locator.Contract.Name, func(t *testing.T) {
			e := newEmbedder(t, onnxtest.SFace(1), tt.locator)
			var most float64
			for seed := range int64(10) {
				for jitter := range 3 {
					r, err := e.Embed(t.Context(), embedder.Request{Image: onnxtest.Face(seed, jitter)})
					if err != nil {
						t.Fatal(err)
					}
					if r.LandmarksFrom != embedder.FromLocator {
						t.Fatalf("Face(%d, %d): no landmarks, reasons %v", seed, jitter, r.Quality.Reasons)
					}
					for i, want := range onnxtest.FaceLandmarks(seed, jitter) {
						got := r.Landmarks[i]
						most = max(most, math.Hypot(float64(got.X-want.X), float64(got.Y-want.Y)))
					}
				}
				r, err := e.Embed(t.Context(), embedder.Request{Image: onnxtest.Blank(seed)})
				if err != nil {
					t.Fatal(err)
				}
				if r.Embedding != nil || len(r.Quality.Reasons) != 1 || r.Quality.Reasons[0] != embedder.NoFace {
					t.Errorf("Blank(%d): reasons %v, want %v", seed, r.Quality.Reasons, embedder.NoFace)
				}
			}
			t.Logf("off by at most %.2f pixels", most)
			if most > tt.within {
				t.Errorf("off by %.2f pixels, want at most %g", most, tt.within)
			}
		})
	}
}
