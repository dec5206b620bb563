package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"time"
)

// FuzzCheck: a backup is whole, or refused, whatever its manifest says. The digest of the manifest is
// made right, so that the parsers behind it are reached.
func FuzzCheck(f *testing.F) {
	content := []byte("a table")
	sum := sha256.Sum256(content)
	good := Manifest{Format: format, Version: version, Made: time.Unix(1e9, 0).UTC(), Server: "00000000000000ab", Galleries: map[string]Newest{"elm": {3, 4}},
		Files: []File{{"000012.sst", int64(len(content)), hex.EncodeToString(sum[:])}}}
	text, _, err := good.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, "000012.sst", content, []byte(nil))
	f.Add(text, "../000012.sst", content, []byte(nil))
	f.Add(text, "000012.sst", content[:3], []byte("rest"))
	f.Add(bytes.Replace(text, []byte(`"bytes": 7`), []byte(`"bytes": 9223372036854775807`), 1), "000012.sst", content, []byte(nil))
	f.Add(bytes.Replace(text, []byte("000012.sst"), []byte("../../evil"), 1), "../../evil", content, []byte(nil))
	f.Add([]byte(`{"format":"rollcall-backup","version":2}`), "", []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, manifest []byte, name string, content, rest []byte) {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		for _, file := range []struct {
			name    string
			content []byte
		}{{manifestName, manifest}, {digestName, digestLine(manifest)}, {name, content}} {
			if err := w.WriteHeader(&tar.Header{Name: file.name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(file.content))}); err != nil {
				return // tar has no such name
			}
			if _, err := w.Write(file.content); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		archive.Write(rest)
		var written int
		m, err := read(context.Background(), bytes.NewReader(archive.Bytes()), nil, func(file string) (io.WriteCloser, error) {
			if !fileName.MatchString(file) {
				t.Fatalf("%q is written", file)
			}
			written++
			return discard{io.Discard}, nil
		})
		if err == nil && (len(m.Files) != written || m.Format != format || len(rest) > 0) {
			t.Fatalf("%d files of %+v, %q behind", written, m, rest)
		}
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Fatalf("an error of another kind: %v", err)
		}
	})
}
