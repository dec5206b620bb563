package ortlib

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"
)

// releaseServer answers every request with the handler.
func releaseServer(t *testing.T, in *installer, handler http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	in.releases = server.URL + "/download/v" + Version
}

func TestInstallRelease(t *testing.T) {
	newFakeClients(t)
	library := bytes.Repeat([]byte("the library of the release "), 10_000)
	archive := packageOf(t, library)
	in := testInstaller(t.TempDir(), npmArtifact([]byte("another")), releaseArtifact(archive))
	requests := 0
	releaseServer(t, in, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if r.URL.Path == "/elsewhere" {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archive))
			return
		}
		if want := "/download/v1.24.3/onnxruntime-test.tgz"; r.URL.Path != want {
			t.Errorf("asked for %s, want %s", r.URL.Path, want)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	last := int64(0)
	in.opts.Progress = func(_ string, done, total int64) {
		if done < last || total != int64(len(archive)) {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	}
	lib, err := in.install(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if lib.SHA256 != digestOf(library) || last != int64(len(archive)) || requests != 2 {
		t.Errorf("%+v after %d bytes, %d requests", lib, last, requests)
	}
	checkInstalled(t, in.cache, library)
	if lib, err := in.install(context.Background()); err != nil || lib.Origin != "cache" || requests != 2 {
		t.Errorf("the second time: %+v, %v, %d requests", lib, err, requests)
	}

	// The digest is in no table, so the file beside the library decides.
	writeFile(t, in.cache.path(), append(bytes.Clone(library), 0))
	if lib, err := in.cache.library(); !errors.Is(err, errCorrupted) {
		t.Errorf("damaged: %+v, %v", lib, err)
	}
	writeFile(t, in.cache.path(), library)
	if err := os.Remove(in.cache.recordPath()); err != nil {
		t.Fatal(err)
	}
	if lib, err := in.cache.library(); !errors.Is(err, errCorrupted) {
		t.Errorf("without its record: %+v, %v", lib, err)
	}
	last = 0
	if lib, err := in.install(context.Background()); err != nil || lib.Origin != "installed" {
		t.Errorf("installing again: %+v, %v", lib, err)
	}
}

func TestReleaseRefused(t *testing.T) {
	newFakeClients(t)
	archive := packageOf(t, []byte("the library"))
	forged := packageOf(t, []byte("the lybrary"))
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"404", http.NotFound, "404 Not Found"},
		{"forged", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(forged) }, digestOf(forged)},
		{"truncated", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(archive)))
			_, _ = w.Write(archive[:len(archive)/2])
		}, "unexpected EOF"},
		{"short", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive[:len(archive)/2]) }, "expected " + digestOf(archive)},
		{"aborted", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		in := testInstaller(t.TempDir(), releaseArtifact(archive))
		releaseServer(t, in, tt.handler)
		lib, err := in.install(context.Background())
		if !errors.Is(err, ErrInstall) {
			t.Errorf("%s: %+v, %v", tt.name, lib, err)
			continue
		}
		contains(t, err, "release: ", tt.want)
		if _, err := os.Stat(in.cache.path()); !os.IsNotExist(err) {
			t.Errorf("%s: in the cache: %v", tt.name, err)
		}
	}
}
