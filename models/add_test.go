package models

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestAddLocksTheContract(t *testing.T) {
	file := fakeONNX(1, 5000)
	l := testLibrary(t, filepath.Join(t.TempDir(), "a", "b"), testEmbedder("m"))
	golden := []float32{0.6, 0, -0.8, 0}
	m := mustAdd(t, l, "m", file, AddOptions{
		SHA256: strings.ToUpper(digest(file)),
		Check: func(c Contract, data []byte) ([]float32, error) {
			if c.SHA256 != digest(file) || string(data) != string(file) {
				t.Error("the check gets something else")
			}
			wantNothing(t, l, "m")
			return golden, nil
		},
	})
	again, err := l.Model("m")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Model{m, again} {
		c := m.Contract
		if !m.Installed || c.SHA256 != digest(file) || c.Golden == nil || !slices.Equal(c.Golden.Embedding, golden) || c.Golden.Tolerance <= 0 {
			t.Errorf("got %+v", m)
		}
	}
	wantFile(t, l, "m", file)

	// The same file changes nothing, not even the golden embedding; another one is refused.
	mustAdd(t, l, "m", file, AddOptions{Check: func(Contract, []byte) ([]float32, error) {
		t.Error("checked again")
		return nil, nil
	}})
	if _, err := l.Add(t.Context(), "m", writeFile(t, fakeONNX(2, 10)), AddOptions{}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("another file: got %v", err)
	}
	wantFile(t, l, "m", file)

	// The same file mends an installation that has been changed.
	if err := os.WriteFile(filepath.Join(l.dir, "m", modelFile), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, "m", file, AddOptions{})
	wantFile(t, l, "m", file)
}

func TestAddRefuses(t *testing.T) {
	file := fakeONNX(1, 100)
	pinned := testEmbedder("pinned")
	pinned.SHA256 = digest(file)
	l := testLibrary(t, t.TempDir(), pinned, testEmbedder("open"))
	own, other, invalid := testEmbedder("own"), testEmbedder("other"), testEmbedder("own")
	invalid.Output.Dimension = -1
	taken := testEmbedder("pinned")
	errCheck := errors.New("does not load")
	external := append(slices.Clone(file), wireField(modelGraph, wireField(graphInitializer, []byte{tensorDataLocation << 3, dataLocationExtern}))...)
	for name, test := range map[string]struct {
		name string
		file []byte
		opts AddOptions
		want error
		says string
	}{
		"other digest":         {"pinned", fakeONNX(2, 100), AddOptions{}, ErrDigestMismatch, digest(file)},
		"other digest given":   {"open", file, AddOptions{SHA256: strings.Repeat("0", 64)}, ErrDigestMismatch, digest(file)},
		"nonsense digest":      {"open", file, AddOptions{SHA256: "abc"}, ErrDigestMismatch, ""},
		"unknown name":         {"own", file, AddOptions{}, ErrUnknownModel, "needs a contract"},
		"bad name":             {"../x", file, AddOptions{Contract: &own}, ErrContract, ""},
		"contract's name":      {"own", file, AddOptions{Contract: &other}, ErrContract, ""},
		"invalid contract":     {"own", file, AddOptions{Contract: &invalid}, ErrContract, "dimension"},
		"name in catalogue":    {"pinned", file, AddOptions{Contract: &taken}, ErrNameTaken, ""},
		"check fails":          {"open", file, AddOptions{Check: func(Contract, []byte) ([]float32, error) { return nil, errCheck }}, errCheck, ""},
		"golden of wrong size": {"open", file, AddOptions{Check: func(Contract, []byte) ([]float32, error) { return []float32{1}, nil }}, ErrContract, "golden"},
		"empty":                {"open", nil, AddOptions{}, nil, "empty file"},
		"not ONNX":             {"open", []byte("hello"), AddOptions{}, nil, "not an ONNX file"},
		"cut short":            {"open", file[:50], AddOptions{}, nil, "cut short"},
		"web page":             {"open", []byte("  <!DOCTYPE html>"), AddOptions{}, nil, "web page"},
		"LFS pointer":          {"pinned", []byte("version https://git-lfs.github.com/spec/v1\noid"), AddOptions{}, ErrDigestMismatch, "LFS"},
		"zip":                  {"open", []byte("PK\x03\x04..."), AddOptions{}, nil, "zip"},
		"Keras":                {"open", []byte("\x89HDF\r\n"), AddOptions{}, nil, "Keras"},
		"external data":        {"open", external, AddOptions{}, nil, "one piece"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.Add(t.Context(), test.name, writeFile(t, test.file), test.opts)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			wantNothing(t, l, test.name)
		})
	}
	if _, err := l.Add(t.Context(), "open", t.TempDir(), AddOptions{}); err == nil {
		t.Error("a folder was added")
	}
	if _, err := l.Add(t.Context(), "open", filepath.Join(t.TempDir(), "absent"), AddOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: got %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Add(cancelled, "open", writeFile(t, file), AddOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	huge := writeFile(t, nil)
	if err := os.Truncate(huge, maxFileBytes+1); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	if _, err := l.Add(t.Context(), "open", huge, AddOptions{}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("huge: got %v", err)
	}
}

func TestAddOwnContractOnlyOnce(t *testing.T) {
	l := testLibrary(t, t.TempDir())
	own := testEmbedder("own")
	file := fakeONNX(1, 10)
	mustAdd(t, l, "own", file, AddOptions{Contract: &own})
	changed := own
	changed.Input.Colour = BGR
	if _, err := l.Add(t.Context(), "own", writeFile(t, file), AddOptions{Contract: &changed}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("got %v", err)
	}
	m, err := l.Model("own")
	if err != nil || m.Contract.Input != own.Input {
		t.Errorf("got %+v, %v", m.Contract, err)
	}
	if err := l.Pull(t.Context(), "own", PullOptions{}); !errors.Is(err, ErrNoSource) {
		t.Errorf("pull: got %v", err)
	}
}

// FuzzInspect looks for bytes that make inspect panic or read out of bounds.
func FuzzInspect(f *testing.F) {
	f.Add(fakeONNX(1, 20))
	f.Add([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0x08, 0x08, 0x3a, 0x02, 0x2a, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		// Whoever passes holds a graph, so at least two fields of two bytes.
		if err := inspect(data); err == nil && len(data) < 4 {
			t.Errorf("%x passes", data)
		}
	})
}

func TestDataDir(t *testing.T) {
	home := func() (string, error) { return filepath.FromSlash("/home/u"), nil }
	homeless := func() (string, error) { return "", errors.New("$HOME is not defined") }
	for _, test := range []struct {
		goos, variable, value string
		home                  func() (string, error)
		want                  string
	}{
		{"linux", "XDG_DATA_HOME", "/data", homeless, "/data"},
		{"linux", "XDG_DATA_HOME", "relative", home, "/home/u/.local/share"},
		{"linux", "", "", home, "/home/u/.local/share"},
		{"linux", "", "", homeless, ""},
		{"darwin", "XDG_DATA_HOME", "/data", home, "/home/u/Library/Application Support"},
		{"windows", "LocalAppData", `C:\u`, homeless, `C:\u`},
		{"windows", "", "", home, ""},
	} {
		getenv := func(name string) string {
			if name == test.variable {
				return test.value
			}
			return ""
		}
		got, err := dataDir(test.goos, getenv, test.home)
		if (err != nil) != (test.want == "") || err == nil && filepath.ToSlash(got) != filepath.ToSlash(test.want) {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	if l, err := OpenLibrary(""); runtime.GOOS == "linux" && (err != nil || l.dir != filepath.Join(data, "rollcall", "models")) {
		t.Errorf("without a folder it is %+v, error %v", l, err)
	}
}
