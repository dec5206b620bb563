package ortlib

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

func TestExtract(t *testing.T) {
	library := []byte("the library")
	for _, tt := range []struct {
		name    string
		file    string
		content []byte
		want    string // "" means that the library comes out
	}{
		{"package", "a.tgz", packageOf(t, library), ""},
		{"wheel", "a.whl", wheelOf(t, library), ""},
		{"name with a dot", "a.tgz", tgz(t, []tar.Header{{Name: "./" + testMember}}, library), ""},
		{"the link of that name is not it", "a.tgz", tgz(t, []tar.Header{
			{Name: testMember, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, {Name: testMember},
		}, nil, library), ""},
		{"only a link", "a.tgz", tgz(t, []tar.Header{{Name: testMember, Typeflag: tar.TypeSymlink, Linkname: "x"}}, nil), "no " + testMember},
		{"other member", "a.tgz", tgz(t, []tar.Header{{Name: "other/" + testMember}}, library), "no " + testMember},
		{"wheel without", "a.whl", wheelWithout(t), "no " + testMember},
		{"not gzip", "a.tgz", []byte("<html>"), "unpack a.tgz"},
		{"not zip", "a.whl", []byte("<html>"), "unpack a.whl"},
		{"cut package", "a.tgz", packageOf(t, library)[:60], "unpack a.tgz"},
		{"cut wheel", "a.whl", wheelOf(t, library)[:60], "unpack a.whl"},
		{"claims to be huge", "a.tgz", hugeHeader(t), "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			archive, out := filepath.Join(dir, tt.file), filepath.Join(dir, "out")
			writeFile(t, archive, tt.content)
			err := extract(archive, testMember, out)
			if tt.want != "" {
				contains(t, err, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, library) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	if err := extract(filepath.Join(t.TempDir(), "none.tgz"), testMember, filepath.Join(t.TempDir(), "out")); err == nil {
		t.Error("a missing archive is no error")
	}
}

func wheelWithout(t *testing.T) []byte {
	t.Helper()
	whole := wheelOf(t, []byte("the library"))
	// The member's name is in its header and in the directory at the end.
	return bytes.ReplaceAll(whole, []byte(testMember), []byte("another/libonnxruntime.so"))
}

// hugeHeader is an archive whose only member claims more than maxLibrary bytes.
func hugeHeader(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	if err := tar.NewWriter(zipped).WriteHeader(&tar.Header{Name: testMember, Mode: 0o644, Size: maxLibrary + 1}); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
