package models

import (
	"archive/zip"
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPullAsksForTheLicence(t *testing.T) {
	file := fakeONNX(1, 100)
	s := newBadServer(t, file)
	c := sourced(testEmbedder("m"), file, s.url)
	c.Licence = Licence{Name: "Research", URL: "https://example.org/licence", Note: "Not for schools."}
	l := testLibrary(t, t.TempDir(), c)
	err := l.Pull(t.Context(), "m", PullOptions{})
	if !errors.Is(err, ErrLicence) {
		t.Fatalf("got %v", err)
	}
	for _, says := range []string{c.Title, "Research", "https://example.org/licence", "Not for schools", "--accept-licence"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if requests, _ := s.log(); len(requests) > 0 || exists(l.dir) && exists(filepath.Join(l.dir, workDir)) {
		t.Error("something happened before the licence was accepted")
	}
	if err := l.Pull(t.Context(), "m", PullOptions{AcceptLicence: true}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, l, "m", file)
}

func TestPullWithoutSource(t *testing.T) {
	pinned := testEmbedder("pinned")
	pinned.SHA256 = digest(fakeONNX(1, 10))
	l := testLibrary(t, t.TempDir(), testEmbedder("open"), pinned)
	for name, says := range map[string]string{"open": "rollcall models add open FILE --sha256", "pinned": "rollcall models add pinned FILE"} {
		if err := l.Pull(t.Context(), name, PullOptions{}); !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// A mirror serves what its makers do not, if it can be verified.
	if err := l.Pull(t.Context(), "open", PullOptions{Mirror: t.TempDir()}); !errors.Is(err, ErrNoSource) {
		t.Errorf("got %v", err)
	}
	if err := l.Pull(t.Context(), "pinde", PullOptions{}); !errors.Is(err, ErrUnknownModel) {
		t.Errorf("got %v", err)
	}
}

func TestPullFromMirror(t *testing.T) {
	file := fakeONNX(1, 50_000)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "m.onnx"), file, 0o644); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.StripPrefix("/models", http.FileServer(http.Dir(folder))))
	defer web.Close()

	plain := sourced(testEmbedder("m"), file, "http://127.0.0.1:1/never-asked")
	zipped := plain
	zipped.Source = &Source{URL: plain.Source.URL, Member: "m.onnx", Bytes: 12, ArchiveSHA256: strings.Repeat("a", 64)}
	pinned := plain
	pinned.Source = nil
	for name, c := range map[string]Contract{"plain": plain, "zipped": zipped, "without source": pinned} {
		for _, mirror := range []string{folder, web.URL + "/models", web.URL + "/models/"} {
			l := testLibrary(t, t.TempDir(), c)
			var done, total int64
			if err := l.Pull(t.Context(), "m", PullOptions{Mirror: mirror, Progress: func(d, t int64) { done, total = d, t }}); err != nil {
				t.Errorf("%s from %s: %v", name, mirror, err)
				continue
			}
			wantFile(t, l, "m", file)
			if done != int64(len(file)) || total != done {
				t.Errorf("%s from %s: progress ended at %d of %d", name, mirror, done, total)
			}
		}
	}

	other := testEmbedder("m")
	other.SHA256 = digest([]byte("another"))
	for _, mirror := range []string{folder, web.URL + "/models"} {
		l := testLibrary(t, t.TempDir(), other)
		if err := l.Pull(t.Context(), "m", PullOptions{Mirror: mirror}); !errors.Is(err, ErrDigestMismatch) {
			t.Errorf("another file from %s: got %v", mirror, err)
		}
		wantNothing(t, l, "m")
	}
	for _, mirror := range []string{t.TempDir(), web.URL} {
		if err := testLibrary(t, t.TempDir(), plain).Pull(t.Context(), "m", PullOptions{Mirror: mirror}); err == nil {
			t.Errorf("%s has no such file, and yet it was pulled", mirror)
		}
	}
}

// zipOf returns an archive of the files, given as name and content in turn.
func zipOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for i := 0; i < len(files); i += 2 {
		entry, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func TestPullFromArchive(t *testing.T) {
	file := string(fakeONNX(1, 50_000))
	for name, test := range map[string]struct {
		archive []byte
		want    error
		says    string
	}{
		"at the top":         {zipOf(t, "det.onnx", "other", "w.onnx", file), nil, ""},
		"in a folder":        {zipOf(t, "pack/det.onnx", "other", "pack/w.onnx", file), nil, ""},
		"top before folder":  {zipOf(t, "pack/w.onnx", "other", "w.onnx", file), nil, ""},
		"twice in folders":   {zipOf(t, "a/w.onnx", "other", "b/w.onnx", file), errAny, "more than one"},
		"not there":          {zipOf(t, "x.onnx", file), errAny, "has no w.onnx"},
		"a folder":           {zipOf(t, "w.onnx/", ""), errAny, ""},
		"another file":       {zipOf(t, "w.onnx", "other"), ErrDigestMismatch, "w.onnx"},
		"not an archive":     {[]byte(file), errAny, "open the archive"},
		"climbs out of here": {zipOf(t, "../../w.onnx", file), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newBadServer(t, test.archive)
			s.set(func(b *behaviour) { b.dropAfter = 20_000 })
			c := testEmbedder("m")
			c.SHA256 = digest([]byte(file))
			c.Source = &Source{URL: s.url, Member: "w.onnx", Bytes: int64(len(test.archive)), ArchiveSHA256: digest(test.archive)}
			l := testLibrary(t, t.TempDir(), c)
			err := l.Pull(t.Context(), "m", PullOptions{})
			if test.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				wantFile(t, l, "m", []byte(file))
				return
			}
			if err == nil || test.want != errAny && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			wantNothing(t, l, "m")
		})
	}

	// Another archive is never opened, whatever is in it.
	archive := zipOf(t, "w.onnx", file)
	s := newBadServer(t, archive)
	c := testEmbedder("m")
	c.SHA256 = digest([]byte(file))
	c.Source = &Source{URL: s.url, Member: "w.onnx", ArchiveSHA256: strings.Repeat("0", 64)}
	l := testLibrary(t, t.TempDir(), c)
	if err := l.Pull(t.Context(), "m", PullOptions{}); !errors.Is(err, ErrDigestMismatch) || !strings.Contains(err.Error(), digest(archive)) {
		t.Errorf("got %v", err)
	}
	if exists(filepath.Join(l.dir, workDir, "m", downloadFile)) {
		t.Error("the wrong archive has been kept")
	}
}

// errAny stands for an error that is no sentinel.
var errAny = errors.New("any")

// TestMemberIsBounded takes a bomb, and one whose directory lies about its size.
func TestMemberIsBounded(t *testing.T) {
	const limit = 1000
	honest := zipOf(t, "w.onnx", strings.Repeat("0", 1_000_000))
	if len(honest) > 10_000 {
		t.Fatalf("the bomb is no bomb: %d bytes", len(honest))
	}
	// The uncompressed size stands in the central directory, 24 bytes after its signature.
	liar := bytes.Clone(honest)
	directory := bytes.LastIndex(liar, []byte("PK\x01\x02"))
	copy(liar[directory+24:], []byte{100, 0, 0, 0})
	for name, archive := range map[string][]byte{"honest": honest, "liar": liar} {
		file, err := os.Open(writeFile(t, archive))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if data, err := member(file, "w.onnx", limit); err == nil {
			t.Errorf("%s: got %d bytes", name, len(data))
		}
	}
}
