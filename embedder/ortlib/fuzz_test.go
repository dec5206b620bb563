package ortlib

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// fuzzMember is the member that is taken out of archives.
const fuzzMember = "package/lib/libonnxruntime.so"

// FuzzExtract: of an archive comes one member into one file, or an error; nothing is written
// elsewhere, whatever names the archive has.
func FuzzExtract(f *testing.F) {
	for _, name := range []string{fuzzMember, "./" + fuzzMember, "../../evil", "/etc/evil"} {
		var zipped, tarred bytes.Buffer
		w := zip.NewWriter(&zipped)
		file, err := w.Create(name)
		if err == nil {
			_, err = file.Write([]byte("library"))
		}
		packed := gzip.NewWriter(&tarred)
		files := tar.NewWriter(packed)
		err = errors.Join(err, w.Close(), files.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 7}))
		_, err2 := files.Write([]byte("library"))
		if err := errors.Join(err, err2, files.Close(), packed.Close()); err != nil {
			f.Fatal(err)
		}
		f.Add(zipped.Bytes(), true)
		f.Add(tarred.Bytes(), false)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte, wheel bool) {
		archive := filepath.Join(dir, "archive.tgz")
		if wheel {
			archive = filepath.Join(dir, "archive.whl")
		}
		out := filepath.Join(dir, "out")
		if err := os.WriteFile(archive, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := extract(archive, fuzzMember, out); err == nil {
			// A byte of an archive stands for at most 1032 of its content.
			if info, err := os.Stat(out); err != nil || info.Size() > 1100*int64(len(content)) {
				t.Fatalf("extracted %v, %v", info, err)
			}
		}
		if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.Remove(archive); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatalf("left over: %v, %v", left, err)
		}
	})
}

// FuzzLibrary: any file that is meant to be a library is one for this machine, or an error.
func FuzzLibrary(f *testing.F) {
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	file, err := os.Open(self)
	if err != nil {
		f.Fatal(err)
	}
	head := make([]byte, 4096)
	_, err = file.ReadAt(head, 0)
	if err := errors.Join(err, file.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Add([]byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x01"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		name := filepath.Join(dir, "library")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, m := range []machine{{os: "linux", arch: "amd64"}, {os: "linux", arch: "arm64"}, {os: "darwin", arch: "arm64"}} {
			v, err := inspect(name, m)
			if err != nil && !errors.Is(err, ErrUnusable) || err == nil && v.suitable() != nil {
				t.Fatalf("%+v: %v, %v", m, v, err)
			}
		}
	})
}

// FuzzVersion: a version is written as it is read.
func FuzzVersion(f *testing.F) {
	for _, text := range []string{"1.24.3", "1.25.0-dev", "1.24", "1.24.3.4", "-1.2.3", "1.2.99999", "1.+2.3", "01.2.3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseVersion(text)
		if err != nil {
			return
		}
		if again, err := parseVersion(v.String()); err != nil || again != v {
			t.Fatalf("%q is %v, and that is %v (%v)", text, v, again, err)
		}
	})
}
