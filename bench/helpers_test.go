package bench

import (
	"archive/tar"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(serverVariable); mode != "" {
		if err := runTestServer(mode, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// testModels installs small models that find and tell apart the faces of
// onnxtest, and returns their folder.
func testModels(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	onnxtest.Install(t, dir, onnxtest.SFace(1), onnxtest.Points())
	return dir
}

// person is a person of a folder of faces.
type person struct {
	split    string
	pictures int
}

// people returns n people with as many pictures each.
func people(n, pictures int, split string) []person {
	all := make([]person, n)
	for i := range all {
		all[i] = person{split, pictures}
	}
	return all
}

// writeFaces makes a folder of generated faces.
func writeFaces(t testing.TB, all []person) string {
	t.Helper()
	dir := t.TempDir()
	var archive, table bytes.Buffer
	pictures, rows := tar.NewWriter(&archive), csv.NewWriter(&table)
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	check(rows.Write(facesHeader))
	for seed, p := range all {
		for jitter := range p.pictures {
			name := fmt.Sprintf("p%04d_%03d.jpg", seed, jitter+1)
			row := []string{name, fmt.Sprintf("p%04d", seed), p.split}
			for _, l := range onnxtest.FaceLandmarks(int64(seed), jitter) {
				row = append(row, fmt.Sprintf("%.2f", l.X), fmt.Sprintf("%.2f", l.Y))
			}
			check(rows.Write(row))
			image := onnxtest.Face(int64(seed), jitter)
			check(pictures.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o600, Size: int64(len(image))}))
			_, err := pictures.Write(image)
			check(err)
		}
	}
	rows.Flush()
	check(pictures.Close())
	check(os.WriteFile(filepath.Join(dir, facesArchive), archive.Bytes(), 0o600))
	check(os.WriteFile(filepath.Join(dir, facesTable), table.Bytes(), 0o600))
	return dir
}

// runBench runs a bench as the command line does and returns what it prints.
func runBench(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	for _, b := range append(All(), Eval()) {
		if b.Name != name {
			continue
		}
		set := pflag.NewFlagSet(name, pflag.ContinueOnError)
		b.Flags(set)
		if err := set.Parse(args); err != nil {
			return "", err
		}
		if b.Folder != nil && set.NArg() > 0 {
			*b.Folder = set.Arg(0)
		}
		if err := b.Validate(); err != nil {
			return "", err
		}
		var out, progress bytes.Buffer
		err := b.Run(t.Context(), &out, &progress)
		return out.String(), err
	}
	t.Fatalf("there is no bench %q", name)
	return "", nil
}

// benchJSON runs a bench with --output json and returns its result in value.
func benchJSON(t testing.TB, value any, name string, args ...string) {
	t.Helper()
	out, err := runBench(t, name, append(args, "--output=json")...)
	if err != nil {
		t.Fatalf("bench %s: %v", name, err)
	}
	rep := struct {
		Bench   string
		Machine machine
		Options map[string]string
		Result  any
	}{Result: value}
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rep); err != nil {
		t.Fatalf("bench %s: %v in:\n%s", name, err, out)
	}
	if rep.Bench != name || rep.Machine.Cores < 1 || rep.Machine.Date == "" || rep.Machine.Go == "" || rep.Options["output"] != "json" {
		t.Errorf("bench %s: incomplete report:\n%s", name, out)
	}
}

// wantError checks that an error is there and says what it should.
func wantError(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error is %v; it should say %q", err, says)
	}
}

func contractJSON(t *testing.T, c models.Contract) []byte {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// times is how often a test of one caller after the other does something: a short run, which is for the race
// detector, has nothing to learn from more than a few.
func times(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}
