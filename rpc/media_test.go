package rpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "rollcall/proto/rollcall/v1"
)

// registered are the media types that Connect takes by itself for calls that are no
// streams, as its own handler names them.
func registered(t *testing.T) []string {
	t.Helper()
	handler := connect.NewUnaryHandler("/a.B/C", func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		return connect.NewResponse(&emptypb.Empty{}), nil
	})
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/a.B/C", nil))
	kinds := strings.Split(rec.Header().Get("Accept-Post"), ", ")
	if len(kinds) < 9 {
		t.Fatalf("Connect registers only %q", kinds)
	}
	return kinds
}

// ways are all ways to write each of these media types that mean the same.
func ways(kinds []string) (all []string) {
	for _, kind := range kinds {
		all = append(all, kind)
		for _, parameter := range []string{
			"; charset=utf-8", ";charset=UTF-8", "; charset=\"utf-8\"", "; Charset=utf8", "; charset=us-ascii",
			"; odata=verbose", "; version=1; charset=UTF-8", ";",
		} {
			all = append(all, strings.TrimSuffix(kind, "; charset=utf-8")+parameter)
		}
		all = append(all, strings.ToUpper(kind))
	}
	return all
}

// inMedia sends a message in a media type, and returns the code of the answer ("ok")
// and the message in it.
func inMedia(t *testing.T, w *world, kind, path string, json string, message proto.Message) (code string, answer []byte) {
	t.Helper()
	lower := strings.ToLower(kind)
	body := []byte(json)
	if !strings.Contains(lower, "json") {
		var err error
		body, err = proto.Marshal(message)
		must(t, err)
	}
	enveloped := strings.Contains(lower, "grpc")
	if enveloped {
		body = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	}
	req, err := http.NewRequest(http.MethodPost, w.url+path, bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", kind)
	client := http.DefaultClient
	if enveloped && !strings.Contains(lower, "grpc-web") {
		client = h2c()
		req.Header.Set("Te", "trailers")
	}
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	must(t, err)
	if !enveloped {
		if resp.StatusCode == http.StatusOK {
			return "ok", answer
		}
		return "error", answer
	}
	status := resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
	told := resp.Trailer.Get("Grpc-Message") + resp.Header.Get("Grpc-Message")
	if strings.Contains(lower, "grpc-web") && status == "" { // the trailers are in the body
		if bytes.Contains(bytes.ToLower(answer), []byte("grpc-status: 0")) {
			return "ok", answer
		}
		return "error", answer
	}
	if status == "0" {
		return "ok", answer
	}
	told, err = url.PathUnescape(told)
	must(t, err)
	return "error", []byte(told)
}

// Every media type that Connect registers, written in every way, is read and answered
// alike: a misspelt field changes nothing, what is right does.
func TestAllWaysToSayJSONMeanTheSame(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	update := galleryPath + "UpdateStudent"
	groups := func() string {
		got, err := w.gallery().GetStudent(context.Background(), &pb.GetStudentRequest{StudentId: "ada"})
		must(t, err)
		return strings.Join(got.GetStudent().GetGroups(), " ")
	}
	for _, kind := range ways(registered(t)) {
		code, answer := inMedia(t, w, kind, update, `{"student_id":"ada","groups":["chess"]}`, &pb.UpdateStudentRequest{StudentId: "ada", Groups: []string{"chess"}})
		if code != "ok" || groups() != "chess" {
			t.Errorf("%s: %s %s, groups %q", kind, code, answer, groups())
		}
		code, answer = inMedia(t, w, kind, update, `{"studentId":"ada","groups":["3b"]}`, &pb.UpdateStudentRequest{StudentId: "ada", Groups: []string{"3b"}})
		if code != "ok" || groups() != "3b" {
			t.Errorf("%s: %s %s, groups %q", kind, code, answer, groups())
		}
		if !strings.Contains(strings.ToLower(kind), "json") {
			continue
		}
		if !bytes.Contains(answer, []byte(`"student_id"`)) || bytes.Contains(answer, []byte("studentId")) {
			t.Errorf("%s: the answer has other names: %s", kind, answer)
		}
		code, answer = inMedia(t, w, kind, update, `{"student_id":"ada","group":["chess"]}`, nil)
		if code != "error" || !bytes.Contains(answer, []byte("group is not a field of UpdateStudentRequest")) || groups() != "3b" {
			t.Errorf("%s: a misspelt field: %s %s, groups %q", kind, code, answer, groups())
		}
	}
}

// The same over GET, where the encoding is in the address.
func TestAllWaysToSayJSONOverGET(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	for _, encoding := range []string{"json", "json; charset=utf-8", "json;charset=UTF-8", "JSON", "json; odata=verbose"} {
		for message, want := range map[string]string{
			`{"student_id":"ada"}`:              `"student_id":"ada"`,
			`{"student_id":"ada","größe":true}`: `größe is not a field`,
		} {
			got := get(t, w.url+galleryPath+"GetStudent?connect=v1&encoding="+url.QueryEscape(encoding)+"&message="+url.QueryEscape(message))
			if !strings.Contains(got, want) {
				t.Errorf("encoding %q of %s: %s", encoding, message, got)
			}
		}
	}
}

// A field that the binary form of a message does not have is left out, and cannot
// stand for an error of the server's.
func TestUnknownFieldsOfTheBinaryForm(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	m := &pb.GetStudentRequest{StudentId: "ada"}
	m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, protowire.MaxValidNumber, protowire.BytesType), []byte("\x12\x02hi")))
	got, err := w.gallery().GetStudent(context.Background(), m)
	must(t, err)
	if got.GetStudent().GetStudentId() != "ada" {
		t.Errorf("answer %v", got)
	}
}
