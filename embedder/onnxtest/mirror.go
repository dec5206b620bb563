package onnxtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"rollcall/models"
)

// Mirror is a server on this machine in place of the makers of the catalogue's models. For every contract
// with a source it serves a file of the size that the source states, with the inputs and the outputs that
// the contract asks for, and in an archive where the makers offer one. It is safe for concurrent use.
type Mirror struct {
	// Catalogue holds the contracts of the program's catalogue, but with the digests of the files here and
	// the server's addresses.
	Catalogue fs.FS
	// Address is the server's, to be given as --mirror: it serves ADDRESS/NAME.onnx too, without archive.
	Address string

	files map[string]mirrored // by the path of their address

	mu     sync.Mutex          // guards what follows
	faults map[string]fault    // by name: of the next answer
	ranges map[string][]string // by name: the Range of each request
}

// mirrored is what the mirror serves at one address.
type mirrored struct {
	name string // of the model
	tag  string
	file *hollow
}

// fault is what is wrong with an answer.
type fault struct {
	after  int64 // the bytes after which it breaks off or stops; 0: none
	stops  bool  // the connection stays open, but nothing more comes
	refuse bool  // it is an error that another attempt does not mend
}

// NewMirror starts a mirror. Its files have the real sizes divided by shrink, but at least the size of
// their networks. It ends with the test.
func NewMirror(t testing.TB, shrink int64) *Mirror {
	t.Helper()
	m := &Mirror{files: make(map[string]mirrored), faults: make(map[string]fault), ranges: make(map[string][]string)}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.Address = server.URL
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list, err := library.List()
	if err != nil {
		t.Fatal(err)
	}
	catalogue := make(fstest.MapFS)
	for _, known := range list {
		c := known.Contract
		if known.BuiltIn {
			continue
		}
		if c.Source != nil {
			if c, err = m.stock(c, shrink); err != nil {
				t.Fatal(err)
			}
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		catalogue[c.Name+".json"] = &fstest.MapFile{Data: data, Mode: 0o644}
	}
	m.Catalogue = catalogue
	return m
}

// stock makes the file of a contract and returns the contract with its digest and its address.
func (m *Mirror) stock(c models.Contract, shrink int64) (models.Contract, error) {
	model := Like(c, 1)
	source := *c.Source
	base := int64(len(model.ONNX)) + 1<<12 // with room for an archive and a description
	if source.Bytes > 0 {
		source.Bytes = max(source.Bytes/shrink, base)
	}
	size := source.Bytes
	if source.Member != "" {
		size = 0 // the archive is filled up instead, as the makers' archive is with other models
	}
	file, err := padded(model.ONNX, size)
	if err != nil {
		return c, err
	}
	digest, err := digestOf(file)
	if err != nil {
		return c, err
	}
	if c.SHA256 != "" {
		c.SHA256 = digest
	}
	m.files["/"+c.Name+".onnx"] = mirrored{c.Name, digest, file}
	if source.Member != "" {
		if file, err = archived(source.Member, file, source.Bytes); err != nil {
			return c, err
		}
		if source.ArchiveSHA256, err = digestOf(file); err != nil {
			return c, err
		}
		digest = source.ArchiveSHA256
	}
	at := "/makers/" + c.Name + "/" + path.Base(source.URL)
	m.files[at] = mirrored{c.Name, digest, file}
	source.URL = m.Address + at
	c.Source = &source
	return c, nil
}

func digestOf(file *hollow) (string, error) {
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{file.reader()}, make([]byte, len(zeros))); err != nil {
		return "", fmt.Errorf("onnxtest: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Break makes the next answer for a model break off after the given number of bytes, and the answer after
// it an error that another attempt does not mend. So the download stays partial until somebody asks again.
func (m *Mirror) Break(name string, after int64) { m.plan(name, fault{after: after}) }

// Stop makes the next answer for a model stop after the given number of bytes, until the client goes away.
func (m *Mirror) Stop(name string, after int64) { m.plan(name, fault{after: after, stops: true}) }

func (m *Mirror) plan(name string, f fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults[name] = f
}

// Ranges returns the Range headers of the requests for a model so far, in order, "" where there was none.
func (m *Mirror) Ranges(name string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.ranges[name]...)
}

// ServeHTTP serves the files, from where a client asks to go on.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	served, ok := m.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	f := m.note(served.name, r.Header.Get("Range"))
	if f.refuse {
		http.Error(w, "closed for today", http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"`+served.tag+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	if f.after > 0 {
		w = &faultyAnswer{ResponseWriter: w, left: f.after, end: func() {
			if f.stops {
				<-r.Context().Done()
			}
			panic(http.ErrAbortHandler) // net/http closes the connection
		}}
	}
	http.ServeContent(w, r, "", time.Time{}, served.file.reader())
}

// note records a request and returns the fault that its answer shall have.
func (m *Mirror) note(name, span string) fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ranges[name] = append(m.ranges[name], strings.TrimPrefix(span, "bytes="))
	f := m.faults[name]
	delete(m.faults, name)
	if f.after > 0 && !f.stops {
		m.faults[name] = fault{refuse: true}
	}
	return f
}

// faultyAnswer is an answer that ends before its end.
type faultyAnswer struct {
	http.ResponseWriter
	left int64
	end  func() // does not return
}

func (f *faultyAnswer) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p[:min(int64(len(p)), f.left)])
	if f.left -= int64(n); f.left > 0 && err == nil {
		return n, nil
	}
	if flusher, ok := f.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
	f.end()
	return n, err
}
