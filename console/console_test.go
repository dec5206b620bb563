package console_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rollcall/console"
)

// mostBytes is how large all of the pages may be, uncompressed.
const mostBytes = 150_000

func TestSize(t *testing.T) {
	var size int64
	must(t, fs.WalkDir(os.DirFS("www"), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	}))
	t.Logf("%d bytes", size)
	if size > mostBytes {
		t.Errorf("the pages have %d bytes, more than %d", size, mostBytes)
	}
}

// TestPolicy: every file goes out with a strict policy, and no page holds a script or a
// style that the policy would not run.
func TestPolicy(t *testing.T) {
	get := func(path string, header ...string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
		if len(header) > 0 {
			r.Header.Set(header[0], header[1])
		}
		console.Handler().ServeHTTP(w, r)
		return w
	}
	files := []string{"/"}
	must(t, filepath.WalkDir("www", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path != "www/index.html" {
			files = append(files, console.Prefix+strings.TrimPrefix(filepath.ToSlash(path), "www/"))
		}
		return err
	}))
	for _, path := range files {
		w := get(path)
		h := w.Header()
		if w.Code != http.StatusOK || w.Body.Len() == 0 || h.Get("Content-Type") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d, %v", path, w.Code, h)
		}
		for _, part := range []string{"default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"} {
			if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, part) || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: policy %q", path, policy)
			}
		}
		if again := get(path, "If-None-Match", h.Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
		if regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\son[a-z]+=|\sstyle=|javascript:|innerHTML|https?://(?:www\.)?[a-z]`).MatchString(strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")) {
			t.Errorf("%s holds a script or a style in HTML, or an address of elsewhere", path)
		}
	}
	for _, path := range []string{"/console/", "/console/index.html", "/console/../console.go", "/console/nothing.js", "/other"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
