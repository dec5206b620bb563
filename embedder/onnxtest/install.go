package onnxtest

import (
	"os"
	"path/filepath"
	"testing"

	"rollcall/models"
)

// Install puts models into the models folder dir, as "models add" does, but does not try them out. It
// returns the folder's library. It fails the test where that is not possible.
func Install(t testing.TB, dir string, install ...Model) *models.Library {
	t.Helper()
	library, err := models.OpenLibrary(dir)
	if err != nil {
		t.Fatalf("onnxtest: open the models folder: %v", err)
	}
	for _, m := range install {
		file := filepath.Join(t.TempDir(), m.Contract.Name+".onnx")
		if err := os.WriteFile(file, m.ONNX, 0o600); err != nil {
			t.Fatalf("onnxtest: %v", err)
		}
		if _, err := library.Add(t.Context(), m.Contract.Name, file, models.AddOptions{Contract: &m.Contract}); err != nil {
			t.Fatalf("onnxtest: install %s: %v", m.Contract.Name, err)
		}
	}
	return library
}
