package models

import (
	"slices"
	"strings"
	"testing"
)

// maxBuiltinBytes is what the built-in models may add to the program together: a quarter of what a
// program without them has, which is little beside a download of models, and as much as an embedder, a
// locator and two detectors need.
const maxBuiltinBytes = 8 << 20

// TestBuiltinModels looks at the models that the program brings: a locator and an embedder that need
// no download, complete and small.
func TestBuiltinModels(t *testing.T) {
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for kind, name := range map[Kind]string{Embedder: "rollcall-base-2", Locator: "rollcall-points", Detector: "rollcall-faces-short"} {
		m, err := l.Default(kind)
		if err != nil {
			t.Fatal(err)
		}
		if m.Contract.Name != name || !m.BuiltIn || !m.Contract.Licence.Free {
			t.Errorf("the %s that needs no download is %s, built in: %v, free: %v", kind, m.Contract.Name, m.BuiltIn, m.Contract.Licence.Free)
		}
		data, err := m.Read()
		if err != nil {
			t.Error(err)
		}
		bytes += len(data)
	}
	confirms, err := l.Model("rollcall-faces-full")
	if err != nil {
		t.Fatal(err)
	}
	data, err := confirms.Read()
	if err != nil {
		t.Error(err)
	}
	if bytes += len(data); bytes > maxBuiltinBytes {
		t.Errorf("the built-in models take %d bytes, more than %d", bytes, maxBuiltinBytes)
	}
	base, err := l.Model("rollcall-base-2")
	if err != nil {
		t.Fatal(err)
	}
	if c := base.Contract; c.Golden == nil || len(c.Calibration) < 6 || len(c.Accuracy) == 0 {
		t.Errorf("golden: %v, %d operating points, %d measurements", c.Golden != nil, len(c.Calibration), len(c.Accuracy))
	}
}

// shipped are the files of the built-in models. A name that is here never changes its file: galleries hold
// embeddings that were made with it. A better model gets another name.
var shipped = map[string]string{
	"rollcall-base-2":      "41adc5f3e09dd2adeb19504a7a8c3617de781e0f730758ee0808f8a0f538c8e8",
	"rollcall-faces-full":  "1f2962772edf6db185bc80508dc00659d52d890ce5034d1ed3e59b9da4a016e2",
	"rollcall-faces-short": "6e63d73b6661befef0f16f27268f001fbc4c781ca5d8e27ea82dabac82d8618e",
	"rollcall-points":      "d8c261a39a4e52ce63d03d87f518589b8ee903cedbf44d0f8eab0dea2cf20145",
}

func TestShippedFiles(t *testing.T) {
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, digest := range shipped {
		m, err := l.Model(name)
		if err != nil || !m.BuiltIn || m.Contract.SHA256 != digest {
			t.Errorf("%s is another file than was shipped under that name, or none: %s, %v", name, m.Contract.SHA256, err)
		}
		if _, err := m.Read(); err != nil {
			t.Error(err)
		}
	}
}

// TestBuiltinYields: whatever the user installs from the catalogue is preferred to what is built in.
func TestBuiltinYields(t *testing.T) {
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list, err := l.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []Kind{Embedder, Locator, Detector} {
		of := slices.DeleteFunc(slices.Clone(list), func(m Model) bool { return m.Contract.Kind != kind })
		if last := of[len(of)-1]; !last.BuiltIn || !strings.HasPrefix(last.Contract.Name, "rollcall-") {
			t.Errorf("%s is ranked behind the built-in %s", last.Contract.Name, kind)
		}
	}
}
