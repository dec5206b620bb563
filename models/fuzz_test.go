package models

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzContract: a contract is read, or refused as one; what is read is written and read alike.
func FuzzContract(f *testing.F) {
	for _, folder := range []fs.FS{catalogueFiles, builtinFiles} {
		names, err := fs.Glob(folder, "*/*.json")
		if err != nil || len(names) == 0 {
			f.Fatal(names, err)
		}
		for _, name := range names {
			content, err := fs.ReadFile(folder, name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content)
		}
	}
	f.Add([]byte(`{"name":"a","input":{"mean":[0,0,0],"std":[1,1,0]}}`))
	f.Add([]byte(`{"name":"a"} {}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := ParseContract(content)
		if err != nil {
			if !errors.Is(err, ErrContract) {
				t.Fatal(err)
			}
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseContract(written)
		if err != nil {
			t.Fatalf("it was read, and written as %s: %v", written, err)
		}
		if third, err := json.Marshal(again); err != nil || !bytes.Equal(third, written) {
			t.Fatalf("written as %s, read, and written as %s (%v)", written, third, err)
		}
		if again.Name != c.Name || !reflect.DeepEqual(again.Input, c.Input) {
			t.Fatalf("%+v came back as %+v", c, again)
		}
	})
}

// FuzzMember: of an archive comes one member of at most the limit, or an error.
func FuzzMember(f *testing.F) {
	const limit = 1 << 12
	for _, members := range []map[string]string{{"model.onnx": "abc"}, {"a/model.onnx": "abc", "b/model.onnx": "d"}, {"model.onnx": string(make([]byte, limit+1))}, {"x": ""}} {
		var archive bytes.Buffer
		w := zip.NewWriter(&archive)
		for name, content := range members {
			file, err := w.Create(name)
			if err == nil {
				_, err = file.Write([]byte(content))
			}
			if err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Bytes())
	}
	file, err := os.Create(filepath.Join(f.TempDir(), "archive.zip"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { file.Close() })
	f.Fuzz(func(t *testing.T, archive []byte) {
		if err := errors.Join(file.Truncate(0), func() error { _, err := file.WriteAt(archive, 0); return err }()); err != nil {
			t.Fatal(err)
		}
		if content, err := member(file, "model.onnx", limit); len(content) > limit || err != nil && content != nil {
			t.Fatalf("%d bytes, %v", len(content), err)
		}
	})
}

// FuzzContentRange: what a server says of a part makes sense, or is refused.
func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 5-9/10", "bytes */10", "bytes 5-9/*", "bytes 9-5/10", "bytes 5-9/3", "bytes -1-2/3", "items 1-2/3", "bytes 1-99999999999999999999/3", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		start, end, total, ok := parseContentRange(text)
		if start < 0 || end < start || total < 0 || !ok && (start != 0 || end != 0 || total != 0) {
			t.Fatalf("%q: %d-%d/%d, %v", text, start, end, total, ok)
		}
	})
}
