package rpc_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "rollcall/proto/rollcall/v1"
)

// bomb is a request that is far larger in memory than it is when it is sent.
type bomb struct {
	name, kind string // kind is the Content-Type
	body       []byte
}

// bombs are made from the descriptor of a message: for each list, at each depth, as
// many of the smallest items as a body of size bytes has room for. In the binary form
// a field for one message may come many times, each with more items; those as well.
func bombs(message protoreflect.MessageDescriptor, size int) (all []bomb) {
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		name := string(field.Name())
		tag := protowire.AppendTag(nil, field.Number(), wireType(field))
		if field.IsList() || field.IsMap() {
			item := append(bytes.Clone(tag), 0)
			if wireType(field) == protowire.Fixed64Type {
				item = append(bytes.Clone(tag), make([]byte, 8)...)
			}
			all = append(all, bomb{name, "application/proto", bytes.Repeat(item, size/len(item))})
			json := map[protoreflect.Kind]string{protoreflect.MessageKind: "{}", protoreflect.StringKind: `""`, protoreflect.BytesKind: `""`}[field.Kind()]
			if json == "" {
				json = "0"
			}
			all = append(all, bomb{name, "application/json", []byte(`{"` + name + `":[` + strings.Repeat(json+",", size/(len(json)+1)) + json + `]}`)})
		}
		if field.Message() == nil || field.IsMap() {
			continue
		}
		for _, inner := range bombs(field.Message(), size-20) {
			b := bomb{name: name + "." + inner.name, kind: inner.kind}
			if inner.kind == "application/json" {
				open, end := "", ""
				if field.IsList() {
					open, end = "[", "]"
				}
				b.body = fmt.Appendf(nil, `{"%s":%s%s%s}`, name, open, inner.body, end)
			} else {
				b.body = protowire.AppendBytes(bytes.Clone(tag), inner.body)
			}
			all = append(all, b)
		}
		if field.IsList() {
			continue
		}
		// Short lists, again and again: reading joins them.
		for _, inner := range bombs(field.Message(), 100) {
			if inner.kind == "application/proto" {
				part := protowire.AppendBytes(bytes.Clone(tag), inner.body)
				all = append(all, bomb{name + "…." + inner.name, inner.kind, bytes.Repeat(part, size/len(part))})
			}
		}
	}
	return all
}

func wireType(field protoreflect.FieldDescriptor) protowire.Type {
	switch field.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.Fixed64Type
	case protoreflect.FloatKind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.Fixed32Type
	}
	return protowire.VarintType
}

// Each list of each request, filled with empty items as far as the body allows, is
// refused with a short answer, and for little more memory than the body itself takes.
// (Before there were bounds, 11 kB took 5 GB.)
func TestBombs(t *testing.T) {
	const size = 4 << 20
	w := newWorld(t, setup{})
	tried := 0
	for _, file := range []protoreflect.FileDescriptor{pb.File_rollcall_v1_attendance_proto, pb.File_rollcall_v1_gallery_proto, pb.File_rollcall_v1_model_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				path := fmt.Sprintf("/%s/%s", service.FullName(), method.Name())
				for _, b := range bombs(method.Input(), size) {
					tried++
					for _, zip := range []bool{false, true} {
						body, name := b.body, fmt.Sprintf("%s %s (%s), gzip %v", method.Name(), b.name, b.kind, zip)
						code, answer, allocated := explode(t, w, path, b.kind, body, zip, method.IsStreamingClient())
						// A buffer that doubles until it holds the body takes up to four times (under
						// the race detector eight times) its size in all. Nothing is built.
						if most := uint64(10 * size); allocated > most {
							t.Errorf("%s: %d MiB were allocated", name, allocated>>20)
						}
						if code != "invalid_argument" || len(answer) > 2000 || !strings.Contains(answer, "items") {
							t.Errorf("%s: %s: %d bytes: %.300s", name, code, len(answer), answer)
						}
					}
				}
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d bombs", tried)
	}
}

// As many wrong items as a list may have make one violation in the answer.
func TestManyViolations(t *testing.T) {
	w := newWorld(t, setup{})
	body := `{"crop_id":"c","scope":{"student_ids":[` + strings.Repeat(`"",`, 99_999) + `""]}}`
	a := w.post(identifyPath, body)
	if a.reason() != "INVALID_REQUEST" || a.field() != "scope.student_ids[0]" || len(a.raw) > 2000 {
		t.Errorf("%d bytes: %.300s", len(a.raw), a.raw)
	}
}

// explode sends a bomb and returns the answer's code, the answer, and how many bytes
// were allocated in the meantime.
func explode(t *testing.T, w *world, path, kind string, body []byte, zip, stream bool) (code, answer string, allocated uint64) {
	t.Helper()
	if zip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(body)
		must(t, err)
		must(t, z.Close())
		body = b.Bytes()
	}
	if stream {
		envelope := []byte{0, byte(len(body) >> 24), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}
		if zip {
			envelope[0] = 1
		}
		body = append(envelope, body...)
		kind = strings.Replace(kind, "application/", "application/connect+", 1)
	}
	req := mustRequest(t, http.MethodPost, path, string(body))
	req.ProtoMajor = 2
	req.Header.Set("Content-Type", kind)
	if zip {
		req.Header.Set(map[bool]string{false: "Content-Encoding", true: "Connect-Content-Encoding"}[stream], "gzip")
	}
	rec := newRecorder()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w.server.Handler().ServeHTTP(rec, req)
	runtime.ReadMemStats(&after)
	answer = rec.body.String()
	for _, c := range []string{"invalid_argument", "resource_exhausted", "internal"} {
		if strings.Contains(answer, c) {
			code = c
		}
	}
	return code, answer, after.TotalAlloc - before.TotalAlloc
}
