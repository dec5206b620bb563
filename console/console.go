// Package console is the web pages: plain ES modules, custom elements and CSS, served as
// they lie in the folder www. There is no build. The pages speak the public API only, as
// any other client does.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed www
var embedded embed.FS

// Prefix is the path under which all files lie but the first page, which is at "/".
const Prefix = "/console/"

// policy lets a page load nothing from elsewhere, run no script that stands in HTML, and
// stand in no frame. Pictures that were just taken are blobs.
const policy = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; " +
	"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// A file is one file of the console, as it is served.
type file struct {
	content []byte
	kind    string // of MIME
	tag     string // for If-None-Match: changes with the content
}

// files are the files by their path.
var files = func() map[string]file {
	found := make(map[string]file)
	err := fs.WalkDir(embedded, "www", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		sum := sha256.Sum256(content)
		at := Prefix + strings.TrimPrefix(name, "www/")
		if at == Prefix+"index.html" {
			at = "/"
		}
		found[at] = file{content, kinds[path.Ext(name)], `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		return err
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	return found
}()

// kinds do not come from the system, whose tables may say anything.
var kinds = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Handler answers with the page at "/" and the files under [Prefix], and with 404 for all
// else. A browser keeps them, and asks each time whether they have changed.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", f.kind)
		header.Set("ETag", f.tag)
		header.Set("Cache-Control", "no-cache")
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	})
}
