package rpc_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/gallery"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
	"rollcall/storage"
)

// fuzzServer is a server on a store in memory with somebody in its gallery, and without a listener.
func fuzzServer(f *testing.F) http.Handler {
	check := func(err error) {
		if err != nil {
			f.Helper()
			f.Fatal(err)
		}
	}
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	library := onnxtest.Install(f, f.TempDir(), onnxtest.SFace(1), onnxtest.Points())
	e, err := embedder.New(library, embedder.Options{Sessions: 1, Logger: log})
	check(err)
	store := storage.OpenMemory(storage.Faults{})
	galleries, err := gallery.OpenGalleries(ctx, store, gallery.Options{Models: rpc.Facts(library, e), Logger: log}, 0)
	check(err)
	tokens, err := access.OpenTokens(ctx, store, log)
	check(err)
	journals := journal.Open(store, log)
	server := rpc.New(rpc.Options{Logger: log})
	server.Ready(rpc.Backend{Embedder: e, Galleries: galleries, Journals: journals, Models: library, Tokens: tokens})
	f.Cleanup(func() {
		check(galleries.Close())
		check(e.Close())
		check(journals.Close())
		check(tokens.Close())
		check(store.Close())
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, rollcallv1connect.AttendanceServiceEmbedProcedure, strings.NewReader(`{"image":"`+b64(onnxtest.Face(1, 0))+`","crop_id":"ada/1","student_id":"ada","groups":["3b"]}`))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	server.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		f.Fatalf("enrolling: %s", w.Body)
	}
	return server.Handler()
}

// FuzzCall sends any request to every call and page: method, path with query, headers, body. None
// panics, none is answered as a fault of the server, and none by what it sent.
func FuzzCall(f *testing.F) {
	image := b64(onnxtest.Face(1, 0))
	for _, seed := range []struct{ method, path, header, body string }{
		{"POST", rollcallv1connect.AttendanceServiceIdentifyProcedure, "Content-Type: application/json", `{"image":"` + image + `"}`},
		{"POST", rollcallv1connect.AttendanceServiceEmbedProcedure, "Content-Type: application/json; charset=utf-8", `{"image":"` + image[:200] + `","crop_id":"b"}`},
		{"POST", rollcallv1connect.AttendanceServiceRollCallProcedure, "Content-Type: application/grpc\nTe: trailers", "\x00\x00\x00\x00\x02\x0a\x00"},
		{"POST", rollcallv1connect.GalleryServiceEnrollStreamProcedure, "Content-Type: application/connect+json", "\x00\x00\x00\x00\x0b{\"crop\":{}} "},
		{"GET", rollcallv1connect.GalleryServiceListStudentsProcedure + "?connect=v1&encoding=json&base64=1&message=e30", "", ""},
		{"POST", rollcallv1connect.GalleryServiceListStudentsProcedure, "Content-Type: application/proto\nContent-Encoding: gzip", "\x1f\x8b\x08\x00"},
		{"POST", rollcallv1connect.GalleryServiceListStudentsProcedure, "Content-Type: application/json", `{"page_token":"YWRh","page_size":1}`},
		{"POST", rollcallv1connect.GalleryServiceListLookalikesProcedure, "Content-Type: application/json", `{"page_token":"eyJDcm9wIjoiYSJ9"}`},
		{"POST", rollcallv1connect.GalleryServiceListChangesProcedure, "Content-Type: application/json", `{"page_token":"3"}`},
		{"POST", rollcallv1connect.GalleryServiceUndoChangeProcedure, "Content-Type: application/json\nRollcall-Gallery: %64efault", `{"change":"1"}`},
		{"POST", rollcallv1connect.JournalServiceListLinesProcedure, "Content-Type: application/json\nConnect-Timeout-Ms: 5", `{"after":"1","from":"2026-11-26T00:00:00Z"}`},
		{"POST", rollcallv1connect.GalleryServiceUpdateCalibrationProcedure, "Content-Type: application/json", `{"points":[{"fmr":0.1,"similarity":0.2},{"fmr":0.01,"similarity":0.3}]}`},
		{"POST", "/grpc.health.v1.Health/Check", "Content-Type: application/grpc-web+proto", "\x00\x00\x00\x00\x00"},
		{"POST", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "Content-Type: application/grpc", "\x00\x00\x00\x00\x02\x3a\x00"},
		{"POST", "/session", "Content-Type: application/json", `{"code":"K7WQ 2M9X"}`},
		{"GET", "/session", "Cookie: rollcall_session=x", ""},
		{"GET", "/metrics", "Accept: application/openmetrics-text", ""},
		{"DELETE", "/readyz", "Host: evil.example", ""},
	} {
		f.Add(seed.method, seed.path, seed.header, []byte(seed.body))
	}
	server := fuzzServer(f)
	f.Fuzz(func(t *testing.T, method, path, header string, body []byte) {
		r, err := http.NewRequest(method, "http://localhost/", io.NopCloser(bytes.NewReader(body)))
		if err != nil {
			return // no server gets such a method
		}
		if r.URL, err = r.URL.Parse(path); err != nil || !strings.HasPrefix(r.URL.Path, "/") {
			return
		}
		// A watch ends with its context alone.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r = r.WithContext(ctx)
		r.ProtoMajor, r.ProtoMinor, r.Proto = 2, 0, "HTTP/2.0"
		r.RemoteAddr, r.ContentLength = "127.0.0.1:5", int64(len(body))
		for line := range strings.SplitSeq(header, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
			}
		}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		answer := w.Body.String() + w.Header().Get("Grpc-Message")
		if w.Code == http.StatusInternalServerError || strings.Contains(answer, `"INTERNAL"`) || w.Header().Get("Grpc-Status") == "13" {
			t.Fatalf("%s %q: a fault of the server: %d %.500s", method, path, w.Code, answer)
		}
		const secret = 80 // ids and the names of fields are shorter
		for at := 0; at+secret <= len(body) && w.Code >= 400; at += secret / 2 {
			if strings.Contains(answer, string(body[at:at+secret])) {
				t.Fatalf("%s %q: the refusal repeats the request: %.500s", method, path, answer)
			}
		}
	})
}
