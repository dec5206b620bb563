package rpc_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// recorder is an http.ResponseWriter that keeps what is written.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{status: http.StatusOK, header: make(http.Header)} }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Flush()                      {}
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func mustRequest(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, path, strings.NewReader(body))
	must(t, err)
	req.Host = "localhost"
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// get returns the status and body of a GET as one string.
func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return strings.TrimSuffix(resp.Status, " "+http.StatusText(resp.StatusCode)) + " " + string(body)
}
