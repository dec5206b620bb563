package rpc_test

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What a client sends wrong below the message is the client's fault: invalid_argument
// with a reason, and no error in the server's log.
func TestBrokenFrames(t *testing.T) {
	w := newWorld(t, setup{})
	framed := func(flag byte, length int, message string) string {
		return string(binary.BigEndian.AppendUint32([]byte{flag}, uint32(length))) + message
	}
	for _, path := range []string{galleryPath + "ListStudents", identifyPath, "/grpc.health.v1.Health/Check"} {
		for name, body := range map[string]string{
			"nothing":              "",
			"short head":           "{}",
			"less than announced":  framed(0, 100, "{}"),
			"beyond any limit":     framed(0, 1<<32-1, "{}"),
			"two messages":         strings.Repeat(framed(0, 2, "{}"), 2),
			"bytes after it":       framed(0, 2, "{}x"),
			"compressed, no word":  framed(1, 2, "{}"),
			"unknown flag":         framed(7, 2, "{}"),
			"trailers":             framed(0x80, 2, "{}"),
			"empty with a bad tag": framed(2, 0, ""),
		} {
			for kind, client := range map[string]*http.Client{"application/grpc-web+json": http.DefaultClient, "application/grpc+json": h2c()} {
				for _, sent := range []io.Reader{strings.NewReader(body), io.MultiReader(strings.NewReader(body))} { // with its length, and without
					req, err := http.NewRequest(http.MethodPost, w.url+path, sent)
					must(t, err)
					req.Header.Set("Content-Type", kind)
					resp, err := client.Do(req)
					must(t, err)
					_, err = io.Copy(io.Discard, resp.Body)
					must(t, err)
					resp.Body.Close()
					status := resp.Header.Get("Grpc-Status") + resp.Trailer.Get("Grpc-Status")
					details := resp.Header.Get("Grpc-Status-Details-Bin") + resp.Trailer.Get("Grpc-Status-Details-Bin")
					reason, err := base64.RawStdEncoding.DecodeString(details)
					must(t, err)
					want := "BROKEN_ENVELOPE"
					if name == "beyond any limit" {
						want = "REQUEST_TOO_LARGE"
					}
					if status != "3" || !strings.Contains(string(reason), want) {
						t.Errorf("%s, %s, %s: status %s, %q", path, kind, name, status, reason)
					}
				}
			}
		}
	}
	for _, kind := range []string{"application/grpc", "application/connect+json"} {
		for name, body := range map[string]string{"short head": "{}", "less than announced": framed(0, 100, "{}"), "unknown flag": framed(7, 2, "{}"), "compressed, no word": framed(1, 2, "{}")} {
			req, err := http.NewRequest(http.MethodPost, w.url+galleryPath+"EnrollStream", strings.NewReader(body))
			must(t, err)
			req.Header.Set("Content-Type", kind)
			resp, err := h2c().Do(req)
			must(t, err)
			got, err := io.ReadAll(resp.Body)
			must(t, err)
			resp.Body.Close()
			status := resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
			if status != "3" && !strings.Contains(string(got), "BROKEN_ENVELOPE") {
				t.Errorf("a stream of %s, %s: %s, %v", kind, name, got, resp.Trailer)
			}
		}
	}
	got, err := io.ReadAll(w.dial("POST " + identifyPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"))
	must(t, err)
	if !strings.Contains(string(got), "BROKEN_BODY") || !strings.Contains(string(got), " 400 ") {
		t.Errorf("bad chunk: %s", got)
	}
	for _, query := range []string{"?connect=v1&encoding=json&base64=1&message=e30*", "?connect=v1&encoding=json&base64=1&message=e"} {
		if got := get(t, w.url+galleryPath+"ListStudents"+query); !strings.Contains(got, "the message is not base64") {
			t.Errorf("%s: %s", query, got)
		}
	}
	for _, message := range []string{"e30", "e30=", "e30%0A"} {
		if got := get(t, w.url+galleryPath+"ListStudents?encoding=json&base64=1&message="+message); strings.Contains(got, "code") {
			t.Errorf("%s: %s", message, got)
		}
	}
	for _, encoding := range []string{"", "&encoding=xml"} {
		if got := get(t, w.url+galleryPath+"ListStudents?message={}"+encoding); !strings.Contains(got, "the encoding of a GET must be json") {
			t.Errorf("%s: %s", encoding, got)
		}
	}
	if log := w.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("the log has errors: %s", log)
	}
}

// The mark that Windows puts before a text is no part of it.
func TestByteOrderMark(t *testing.T) {
	w := newWorld(t, setup{})
	if a := w.post(galleryPath+"ListStudents", "\ufeff{}"); a.body["code"] != nil {
		t.Error(a.raw)
	}
	if a := w.post(galleryPath+"ListStudents", "\ufeff\ufeff{}"); a.reason() != "INVALID_REQUEST" {
		t.Error(a.raw)
	}
}
