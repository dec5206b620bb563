package embedder

import (
	"archive/tar"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"rollcall/models"
)

// sharedFolder holds real models and faces on some machines, beside the repository.
const sharedFolder = "../../shared"

// realLibrary returns a models folder with mobilefacenet-128 and yunet, or skips the test.
func realLibrary(t testing.TB) *models.Library {
	t.Helper()
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"mobilefacenet-128": "mobilefacenet-128.onnx", "yunet": "yunet-2023mar.onnx"} {
		path := filepath.Join(sharedFolder, "models", file)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("needs the real model %s: %v", file, err)
		}
		if _, err := library.Add(t.Context(), name, path, models.AddOptions{Check: Check}); err != nil {
			t.Fatal(err)
		}
	}
	return library
}

// realFace is a picture of 192 x 192 pixels with one face.
type realFace struct {
	person    string
	crop      []byte
	landmarks models.Landmarks
}

// realLandmarks returns the landmarks of all faces of faces.csv, or skips the test.
func realLandmarks(t testing.TB) (faces []models.Landmarks) {
	t.Helper()
	for _, row := range faceRows(t) {
		faces = append(faces, landmarksOf(t, row))
	}
	return faces
}

// faceRows returns the rows of faces.csv, or skips the test.
func faceRows(t testing.TB) [][]string {
	t.Helper()
	table, err := os.Open(filepath.Join(sharedFolder, "faces", "faces.csv"))
	if err != nil {
		t.Skipf("needs real faces: %v", err)
	}
	defer table.Close()
	rows, err := csv.NewReader(table).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// landmarksOf reads the landmarks of a row of faces.csv.
func landmarksOf(t testing.TB, row []string) (l models.Landmarks) {
	t.Helper()
	for i := range 10 {
		v, err := strconv.ParseFloat(row[3+i], 32)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			l[i/2].X = float32(v)
		} else {
			l[i/2].Y = float32(v)
		}
	}
	return l
}

// realFaces returns the first n pictures of the test split, or skips the test.
func realFaces(t testing.TB, n int) []realFace {
	t.Helper()
	wanted := make(map[string]int) // by file, the place among the faces
	var faces []realFace
	for _, row := range faceRows(t) {
		if row[2] != "test" || len(faces) == n {
			continue
		}
		f := realFace{person: row[1], landmarks: landmarksOf(t, row)}
		wanted[row[0]] = len(faces)
		faces = append(faces, f)
	}
	archive, err := os.Open(filepath.Join(sharedFolder, "faces", "faces-192.tar"))
	if err != nil {
		t.Skipf("needs real faces: %v", err)
	}
	defer archive.Close()
	for files, left := tar.NewReader(archive), len(faces); left > 0; {
		header, err := files.Next()
		if err != nil {
			t.Fatal(err)
		}
		i, ok := wanted[filepath.Base(header.Name)]
		if !ok {
			continue
		}
		if faces[i].crop, err = io.ReadAll(files); err != nil {
			t.Fatal(err)
		}
		left--
	}
	return faces
}

// TestRealModels: with a real locator and embedder the crops of one person are closer than those of two.
func TestRealModels(t *testing.T) {
	e := overLibrary(t, realLibrary(t), Options{})
	faces := realFaces(t, 60)
	embeddings := make([][]float32, len(faces))
	for i, f := range faces {
		r := embed(t, e, Request{Image: f.crop})
		if len(r.Quality.Reasons) > 0 {
			t.Errorf("face %d is called %v", i, r.Quality.Reasons)
		}
		embeddings[i] = r.Embedding
	}
	var same, other []float64
	for i := range faces {
		for j := range i {
			s := similarity(embeddings[i], embeddings[j])
			if faces[i].person == faces[j].person {
				same = append(same, s)
			} else {
				other = append(other, s)
			}
		}
	}
	if len(same) == 0 {
		t.Skip("no person has two pictures among the first")
	}
	slices.Sort(same)
	slices.Sort(other)
	t.Logf("one person: median %.3f of %d; two people: 99th percentile %.3f of %d",
		same[len(same)/2], len(same), other[len(other)*99/100], len(other))
	if same[len(same)/2] < 0.5 || other[len(other)*99/100] > 0.45 || same[len(same)/10] < other[len(other)*99/100] {
		t.Errorf("one person: 10th percentile %.3f, median %.3f; two people: 99th percentile %.3f",
			same[len(same)/10], same[len(same)/2], other[len(other)*99/100])
	}
}
