package models

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestListOrdersAndMarks(t *testing.T) {
	better := testEmbedder("better")
	better.Preference = 10
	l := testLibrary(t, t.TempDir(), testEmbedder("b"), testEmbedder("a"), testLocator("finder"), better)
	mustAdd(t, l, "b", fakeONNX(1, 10), AddOptions{})
	own := testEmbedder("own")
	own.Preference = 99
	mustAdd(t, l, "own", fakeONNX(2, 10), AddOptions{Contract: &own})
	// What is not a model is passed over.
	for _, name := range []string{"UPPER", ".hidden", "with space"} {
		if err := os.Mkdir(filepath.Join(l.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(l.dir, "notes"), nil, 0o644); err != nil {
		t.Fatal(err)
	}

	list, err := l.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range list {
		name := m.Contract.Name
		if m.Installed {
			name += "*"
		}
		got = append(got, name)
	}
	if want := []string{"better", "a", "b*", "own*", "finder"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestModelErrorsSayWhatToDo(t *testing.T) {
	paid := sourced(testEmbedder("paid"), fakeONNX(1, 1), "https://example.org/paid.onnx")
	paid.Licence = Licence{Name: "research", Free: false}
	free := sourced(testEmbedder("sface"), fakeONNX(2, 1), "https://example.org/free.onnx")
	l := testLibrary(t, filepath.Join(t.TempDir(), "absent"), paid, free, testEmbedder("facenet"), testLocator("yunet"))
	for name, want := range map[string]struct {
		is   error
		says []string
	}{
		"sface":       {ErrNotInstalled, []string{"rollcall models pull sface"}},
		"paid":        {ErrNotInstalled, []string{"rollcall models pull paid --accept-licence", "research"}},
		"facenet":     {ErrNotInstalled, []string{"rollcall models add facenet FILE"}},
		"facent":      {ErrUnknownModel, []string{"did you mean facenet?"}},
		"sfaces":      {ErrUnknownModel, []string{"did you mean sface?"}},
		"facenet-new": {ErrUnknownModel, []string{"did you mean facenet?"}},
		"quite-other": {ErrUnknownModel, []string{"rollcall models list"}},
		"":            {ErrUnknownModel, []string{"rollcall models list"}},
		"../sface":    {ErrUnknownModel, []string{"sface"}},
		"SFACE":       {ErrUnknownModel, nil},
	} {
		m, err := l.Model(name)
		if !errors.Is(err, want.is) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		for _, says := range want.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v does not say %q", name, err, says)
			}
		}
		if strings.Contains(err.Error(), l.dir) {
			t.Errorf("%s: the path is in %v", name, err)
		}
		if errors.Is(err, ErrNotInstalled) && m.Contract.Name != name {
			t.Errorf("%s: the contract is missing", name)
		}
		if _, err := m.Read(); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("%s: read got %v", name, err)
		}
	}
	if _, err := l.Model(strings.Repeat("x", 1<<20)); len(err.Error()) > 300 {
		t.Errorf("a long name makes a message of %d bytes", len(err.Error()))
	}

	_, err := l.Default(Embedder)
	if !errors.Is(err, ErrNoneInstalled) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "pull sface") || strings.Contains(err.Error(), "paid") {
		t.Errorf("%v does not name the free model, and it alone", err)
	}
	if _, err := l.Default(Locator); !errors.Is(err, ErrNoneInstalled) || strings.Contains(err.Error(), "sface") {
		t.Errorf("got %v", err)
	}
}

func TestDefaultPrefers(t *testing.T) {
	first, second := testEmbedder("z-first"), testEmbedder("a-second")
	first.Preference, second.Preference = 10, 20
	l := testLibrary(t, t.TempDir(), first, second, testEmbedder("c"), testEmbedder("b"))
	for _, step := range []struct{ add, want string }{{"c", "c"}, {"b", "b"}, {"a-second", "a-second"}, {"z-first", "z-first"}} {
		mustAdd(t, l, step.add, fakeONNX(1, 10), AddOptions{})
		m, err := l.Default(Embedder)
		if err != nil || m.Contract.Name != step.want {
			t.Errorf("after %s: got %s, %v", step.add, m.Contract.Name, err)
		}
	}
}

func TestDamagedInstallations(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"no contract": func(dir string) error { return os.Remove(filepath.Join(dir, contractFile)) },
		"no file":     func(dir string) error { return os.Remove(filepath.Join(dir, modelFile)) },
		"broken":      func(dir string) error { return os.WriteFile(filepath.Join(dir, contractFile), []byte("{"), 0o644) },
		"other's":     func(dir string) error { return replace(filepath.Join(dir, contractFile), `"name": "m"`, `"name": "n"`) },
		"file a folder": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, modelFile)), os.Mkdir(filepath.Join(dir, modelFile), 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			other := testEmbedder("other")
			other.Preference = 90
			l := testLibrary(t, t.TempDir(), testEmbedder("m"), other)
			mustAdd(t, l, "m", fakeONNX(1, 10), AddOptions{})
			mustAdd(t, l, "other", fakeONNX(2, 10), AddOptions{})
			if err := damage(filepath.Join(l.dir, "m")); err != nil {
				t.Fatal(err)
			}
			m, err := l.Model("m")
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "rollcall models remove m") || strings.Contains(err.Error(), l.dir) {
				t.Errorf("got %v", err)
			}
			if m.Damage == "" || m.Installed {
				t.Errorf("got %+v", m)
			}
			if _, err := l.Default(Embedder); !errors.Is(err, ErrDamaged) {
				t.Errorf("the default is another model now: %v", err)
			}
			if err := l.Verify("m"); !errors.Is(err, ErrDamaged) {
				t.Errorf("verify: got %v", err)
			}
			if _, err := l.List(); err != nil {
				t.Errorf("list: got %v", err)
			}
			mustAdd(t, l, "m", fakeONNX(3, 10), AddOptions{})
			wantFile(t, l, "m", fakeONNX(3, 10))
			wantNothing(t, l, "absent")
		})
	}
}

func replace(name, from, to string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(data), from, to, 1)
	if changed == string(data) {
		return errors.New("nothing to replace")
	}
	return os.WriteFile(name, []byte(changed), 0o644)
}

func TestChangedFileIsNeverReturned(t *testing.T) {
	l := testLibrary(t, t.TempDir(), testEmbedder("m"))
	file := fakeONNX(1, 1000)
	m := mustAdd(t, l, "m", file, AddOptions{})
	name := filepath.Join(l.dir, "m", modelFile)
	flipped := slices.Clone(file)
	flipped[500] ^= 1
	for what, data := range map[string][]byte{"flipped bit": flipped, "cut": file[:999], "longer": append(slices.Clone(file), 0), "empty": nil} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := m.Read()
		if !errors.Is(err, ErrDigestMismatch) || !strings.Contains(err.Error(), digest(file)) || !strings.Contains(err.Error(), digest(data)) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	// A model that was found before it was removed.
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(); !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), l.dir) {
		t.Errorf("gone: got %v", err)
	}
}

// TestCatalogueRefreshesWhatIsInstalled opens a folder with a newer catalogue.
func TestCatalogueRefreshesWhatIsInstalled(t *testing.T) {
	dir := t.TempDir()
	file := fakeONNX(1, 10)
	old := testEmbedder("m")
	golden := []float32{0, 0, 1, 0}
	check := func(Contract, []byte) ([]float32, error) { return golden, nil }
	mustAdd(t, testLibrary(t, dir, old), "m", file, AddOptions{Check: check})

	newer := old
	newer.Threshold, newer.Preference, newer.Title = 0.5, 7, "A better title"
	newer.Input.Colour, newer.Output.Dimension = BGR, 8
	m, err := testLibrary(t, dir, newer).Model("m")
	if err != nil {
		t.Fatal(err)
	}
	c := m.Contract
	if c.Threshold != 0.5 || c.Preference != 7 || c.Title != "A better title" {
		t.Errorf("the new figures are not used: %+v", c)
	}
	if c.Input != old.Input || c.Output != old.Output || c.SHA256 != digest(file) || c.Golden == nil || !slices.Equal(c.Golden.Embedding, golden) {
		t.Errorf("the lock did not hold: %+v", c)
	}

	pinned := newer
	pinned.SHA256 = digest([]byte("another file"))
	m, err = testLibrary(t, dir, pinned).Model("m")
	if err != nil || m.Contract.Threshold != old.Threshold || m.Contract.SHA256 != digest(file) {
		t.Errorf("the figures of another file are used: %+v, %v", m.Contract, err)
	}
	// Without the catalogue it is a user's model like any other.
	wantFile(t, testLibrary(t, dir), "m", file)
}

func TestRemove(t *testing.T) {
	l := testLibrary(t, t.TempDir(), testEmbedder("m"))
	if err := l.Remove("m"); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("before: got %v", err)
	}
	if err := l.Remove("n"); !errors.Is(err, ErrUnknownModel) {
		t.Errorf("unknown: got %v", err)
	}
	own := testEmbedder("own")
	mustAdd(t, l, "m", fakeONNX(1, 10), AddOptions{})
	mustAdd(t, l, "own", fakeONNX(2, 10), AddOptions{Contract: &own})
	if err := l.Remove("m"); err != nil {
		t.Fatal(err)
	}
	wantNothing(t, l, "m")
	wantFile(t, l, "own", fakeONNX(2, 10))
	if err := l.Remove("m"); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("after: got %v", err)
	}
	if err := l.Remove("own"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Model("own"); !errors.Is(err, ErrUnknownModel) {
		t.Errorf("the user's contract stayed: %v", err)
	}
	w, err := l.openWorkshop(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	defer w.unlock()
	if err := os.Mkdir(w.installed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove("m"); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("while it is being changed: got %v", err)
	}
}

// TestConcurrentChanges lets goroutines, each with a library of its own on one folder, change and read
// one model. Whatever they read must be one of the files added, whole.
func TestConcurrentChanges(t *testing.T) {
	const workers, steps = 8, 25
	dir := t.TempDir()
	files := [][]byte{fakeONNX(1, 20_000), fakeONNX(2, 30_000), fakeONNX(3, 10)}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = writeFile(t, file)
	}
	var group sync.WaitGroup
	for worker := range workers {
		l := testLibrary(t, dir, testEmbedder("m"))
		random := rand.New(rand.NewPCG(uint64(worker), 1))
		group.Go(func() {
			for range steps {
				switch random.IntN(4) {
				case 0:
					_, err := l.Add(t.Context(), "m", names[random.IntN(len(names))], AddOptions{})
					if err != nil && !errors.Is(err, ErrNameTaken) && !errors.Is(err, ErrNotInstalled) {
						t.Errorf("add: %v", err)
					}
				case 1:
					err := l.Remove("m")
					if err != nil && !errors.Is(err, ErrNotInstalled) && !strings.Contains(err.Error(), "another process") {
						t.Errorf("remove: %v", err)
					}
				default:
					m, err := l.Model("m")
					if errors.Is(err, ErrNotInstalled) {
						continue
					}
					if err != nil {
						t.Errorf("model: %v", err)
						continue
					}
					// Read looks again, at what may have gone or become another file since.
					data, err := m.Read()
					gone := errors.Is(err, ErrDamaged) && errors.Is(err, fs.ErrNotExist)
					if err != nil && !gone && !errors.Is(err, ErrDigestMismatch) {
						t.Errorf("read: %v", err)
					}
					if err == nil && !slices.ContainsFunc(files, func(f []byte) bool { return string(f) == string(data) }) {
						t.Error("read what nobody added")
					}
				}
			}
		})
	}
	group.Wait()
}

// BenchmarkDefault measures what a caller pays who asks for the default with every request.
func BenchmarkDefault(b *testing.B) {
	l, err := OpenLibrary(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	mustAdd(b, l, "facenet", fakeONNX(1, 10), AddOptions{})
	for b.Loop() {
		if _, err := l.Default(Embedder); err != nil {
			b.Fatal(err)
		}
	}
}
