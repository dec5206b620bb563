package models

import (
	"slices"
	"strings"
	"testing"
)

// maxBuiltinBytes is what the built-in models may add to the program together.
const maxBuiltinBytes = 4 << 20

// TestBuiltinModels looks at the models that the program brings: a locator and an embedder that need
// no download, complete and small.
func TestBuiltinModels(t *testing.T) {
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for kind, name := range map[Kind]string{Embedder: "rollcall-mini", Locator: "rollcall-points"} {
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
	if bytes > maxBuiltinBytes {
		t.Errorf("the built-in models take %d bytes, more than %d", bytes, maxBuiltinBytes)
	}
	mini, err := l.Model("rollcall-mini")
	if err != nil {
		t.Fatal(err)
	}
	if c := mini.Contract; c.Golden == nil || len(c.Calibration) < 4 || len(c.Accuracy) == 0 {
		t.Errorf("golden: %v, %d operating points, %d measurements", c.Golden != nil, len(c.Calibration), len(c.Accuracy))
	}
}

// TestAdvise asks what is better than a built-in model.
func TestAdvise(t *testing.T) {
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mini, err := l.Model("rollcall-mini")
	if err != nil {
		t.Fatal(err)
	}
	a, ok := l.Advise(mini)
	// The free ones are sface and auraface; arcface, which comes before them, asks for a licence.
	if !ok || a.Stronger.Name != "sface" || a.Command != "rollcall models pull sface" {
		t.Fatalf("%v, %+v", ok, a)
	}
	if a.Mine == nil || a.Theirs == nil || a.Mine.Figure != a.Theirs.Figure || a.Mine.Set != a.Theirs.Set {
		t.Errorf("nothing is compared: %+v, %+v", a.Mine, a.Theirs)
	}
	other := mini
	other.BuiltIn = false
	if _, ok := l.Advise(other); ok {
		t.Error("there is advice on a model that the user chose")
	}
	best := mini
	best.Contract.Preference = 0
	if _, ok := l.Advise(best); ok {
		t.Error("something is better than the best")
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
	for _, kind := range []Kind{Embedder, Locator} {
		of := slices.DeleteFunc(slices.Clone(list), func(m Model) bool { return m.Contract.Kind != kind })
		if last := of[len(of)-1]; !last.BuiltIn || !strings.HasPrefix(last.Contract.Name, "rollcall-") {
			t.Errorf("%s is ranked behind the built-in %s", last.Contract.Name, kind)
		}
	}
}
