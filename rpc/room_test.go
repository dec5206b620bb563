package rpc_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// A caller that sends slowly over many connections fills its share of the memory for
// requests, and one without a token that of all who have none. Others still find room.
func TestSlowCallersLeaveRoom(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{RequestBytes: 8 << 20}})
	w.admin()
	tablet, door := w.token(access.Caller{Role: access.CheckIn}), w.token(access.Caller{Role: access.CheckIn})
	identify := func(token string, image []byte) string {
		client := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, bearer(token))
		_, err := client.Identify(context.Background(), &pb.IdentifyRequest{Image: image})
		return reasonOf(err)
	}
	part := `{"photo":"` + strings.Repeat("A", 512<<10)
	for range 20 {
		request := begin("POST", rollCallPath, 1<<20, part)
		w.dial(strings.Replace(request, "\r\n", "\r\nAuthorization: Bearer "+tablet+"\r\n", 1))
	}
	large := append(onnxtest.Face(1, 0), make([]byte, 1<<20)...)
	eventually(t, "the slow caller finds no room", func() bool { return identify(tablet, large) == "TOO_MANY_BYTES" })
	if reason := identify(door, large); reason == "TOO_MANY_BYTES" {
		t.Errorf("another caller beside a slow one: %s", reason)
	}

	// A stream takes as much as its longest message.
	client := h2c()
	for range 200 {
		silent, end := io.Pipe()
		t.Cleanup(func() { _ = end.Close() })
		request, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/grpc.health.v1.Health/Watch", silent)
		must(t, err)
		request.Header.Set("Content-Type", "application/grpc")
		go func() {
			if resp, err := client.Do(request); err == nil {
				_ = resp.Body.Close()
			}
		}()
	}
	eventually(t, "those without a token find no room", func() bool {
		return strings.Contains(w.health(), "no memory")
	})
	if reason := identify(door, large); reason == "TOO_MANY_BYTES" {
		t.Errorf("beside those without a token: %s", reason)
	}
}

// health asks by a stream, without a token, and returns what is wrong.
func (w *world) health() string {
	request, err := http.NewRequest("POST", w.url+"/grpc.health.v1.Health/Watch", strings.NewReader("\x00\x00\x00\x00\x00"))
	must(w.t, err)
	request.Header.Set("Content-Type", "application/grpc")
	resp, err := h2c().Do(request)
	must(w.t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	must(w.t, err)
	return resp.Header.Get("Grpc-Message") + resp.Trailer.Get("Grpc-Message")
}
