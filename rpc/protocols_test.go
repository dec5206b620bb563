package rpc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// Every protocol on the one port, over HTTP/1.1 and h2c, gives the same answer
// and the same error details.
func TestProtocolsAgree(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	clients := map[string]rollcallv1connect.AttendanceServiceClient{
		"connect proto, http/1.1": rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url),
		"connect json, http/1.1":  rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, connect.WithProtoJSON()),
		"connect proto, h2c":      rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url),
		"connect gzip, h2c":       rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url, connect.WithSendGzip()),
		"grpc, h2c":               rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url, connect.WithGRPC()),
		"grpc-web, http/1.1":      rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, connect.WithGRPCWeb()),
		"grpc-web, h2c":           rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url, connect.WithGRPCWeb()),
	}
	want := identify(t, w, 1, 1, nil)
	for name, client := range clients {
		got, err := client.Identify(context.Background(), &pb.IdentifyRequest{Image: onnxtest.Face(1, 1)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s: %v\nwant %v", name, got, want)
		}
		_, err = client.Identify(context.Background(), &pb.IdentifyRequest{CropId: "nope"})
		if connect.CodeOf(err) != connect.CodeNotFound || reasonOf(err) != "CROP_NOT_FOUND" {
			t.Errorf("%s: error %v, reason %q", name, err, reasonOf(err))
		}
	}
}

func reasonOf(err error) string {
	if info := detailOf[*errdetails.ErrorInfo](err); info != nil {
		return info.GetReason()
	}
	return ""
}

// detailOf returns the detail of this type that an error carries, or nil.
func detailOf[T proto.Message](err error) T {
	var none T
	var failed *connect.Error
	if !errors.As(err, &failed) {
		return none
	}
	for _, d := range failed.Details() {
		if value, err := d.Value(); err == nil {
			if detail, ok := value.(T); ok {
				return detail
			}
		}
	}
	return none
}

func TestReadsOverGET(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	resp, err := http.Get(w.url + `/rollcall.v1.GalleryService/GetStudent?connect=v1&encoding=json&message=%7B%22studentId%22%3A%22ada%22%7D`)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestHealthReflectionMetrics(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	identify(t, w, 1, 1, nil)
	if got := get(t, w.url+"/readyz"); got != "200 ok\n" {
		t.Errorf("/readyz: %q", got)
	}
	a := w.post("/grpc.health.v1.Health/Check", `{"service":"rollcall.v1.AttendanceService"}`)
	if a.body["status"] != "SERVING_STATUS_SERVING" { // grpchealth names the value so in JSON
		t.Errorf("health: %s", a.raw)
	}
	if a := w.post("/grpc.health.v1.Health/Check", `{"service":"nope"}`); a.body["code"] != "not_found" {
		t.Errorf("health of no service: %s", a.raw)
	}
	stream := grpcreflect.NewClient(h2c(), w.url).NewStream(context.Background())
	names, err := stream.ListServices()
	must(t, err)
	_, err = stream.Close()
	must(t, err)
	if !slices.Contains(names, "rollcall.v1.GalleryService") {
		t.Errorf("reflection lists %v", names)
	}
	w.counts(
		`rollcall_requests_total{code="ok",procedure="/rollcall.v1.AttendanceService/Embed"} 1`,
		`rollcall_verdicts_total{verdict="match"} 1`,
		`rollcall_index_vectors{model="test-arcface"} 1`,
		`rollcall_embed_stage_seconds_count{stage="run"} 2`,
		`rollcall_sessions{model="test-arcface"}`,
		`rollcall_students 1`,
		`rollcall_enrol_seconds_count 1`,
		`process_resident_memory_bytes`,
	)
	if metrics := get(t, w.url+"/metrics"); strings.Contains(metrics, "default") || strings.Contains(metrics, "gallery=") {
		t.Errorf("the metrics name a gallery:\n%s", metrics)
	}
}

func TestUnknownProceduresShareOneLabel(t *testing.T) {
	w := newWorld(t, setup{})
	for _, path := range []string{"/a.b/C", "/d.e/F"} {
		resp, err := http.Post(w.url+path, "application/json", strings.NewReader("{}"))
		must(t, err)
		resp.Body.Close()
	}
	w.post("/grpc.health.v1.Health/Check", `{}`)
	w.counts(`procedure="unknown"} 2`, `procedure="grpc.health.v1.Health"} 1`)
	if metrics := get(t, w.url+"/metrics"); strings.Contains(metrics, "a.b") {
		t.Errorf("a client can make labels:\n%s", metrics)
	}
}

func TestRequestID(t *testing.T) {
	w := newWorld(t, setup{})
	for sent, kept := range map[string]bool{"check-in-7": true, "a b": false, strings.Repeat("x", 65): false, "": false} {
		req, err := http.NewRequest(http.MethodPost, w.url+galleryPath+"ListStudents", strings.NewReader("{}"))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Request-Id", sent)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		got := resp.Header.Get("X-Request-Id")
		if got == "" || (got == sent) != kept {
			t.Errorf("sent %q, got %q", sent, got)
		}
		eventually(t, "the log line", func() bool { return strings.Contains(w.log.String(), "request_id="+got) })
	}
}

// slowEmbedder holds every call until released.
type slowEmbedder struct {
	rpc.Embedder
	entered chan struct{}
	release chan struct{}
}

func (s slowEmbedder) Embed(ctx context.Context, req embedder.Request) (*embedder.Result, error) {
	s.entered <- struct{}{}
	<-s.release
	return s.Embedder.Embed(ctx, req)
}

// On the way out, calls in flight are answered and new ones are refused.
func TestDrain(t *testing.T) {
	slow := slowEmbedder{entered: make(chan struct{}), release: make(chan struct{})}
	w := newWorld(t, setup{wrap: func(b rpc.Backend) rpc.Backend {
		slow.Embedder = b.Embedder
		b.Embedder = slow
		return b
	}})
	keepAlive := &http.Client{Transport: &http.Transport{}}
	answered := make(chan error, 1)
	go func() {
		client := rollcallv1connect.NewAttendanceServiceClient(keepAlive, w.url)
		_, err := client.Embed(context.Background(), &pb.EmbedRequest{Image: onnxtest.Face(1, 0), CropId: "ada/1", StudentId: "ada"})
		answered <- err
	}()
	<-slow.entered
	stopped := make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	eventually(t, "the server drains", func() bool {
		// New connections are refused, so ask the handler itself.
		rec := newRecorder()
		w.server.Handler().ServeHTTP(rec, mustRequest(t, http.MethodGet, "/readyz", ""))
		return rec.status == http.StatusServiceUnavailable
	})
	rec := newRecorder()
	w.server.Handler().ServeHTTP(rec, mustRequest(t, http.MethodPost, embedPath, `{}`))
	if !strings.Contains(rec.body.String(), `"unavailable"`) || !strings.Contains(rec.body.String(), "shutting down") {
		t.Errorf("a call while draining: %s", rec.body.String())
	}
	if after := rec.header.Get("Retry-After"); after == "" || !strings.Contains(rec.body.String(), "google.rpc.RetryInfo") || rec.header.Get("Connection") != "close" {
		t.Errorf("a call while draining is not told when to come again: %v %s", rec.header, rec.body.String())
	}
	close(slow.release)
	must(t, <-answered)
	<-stopped
	must(t, <-w.done)
	w = newWorld(t, setup{data: w.data, library: w.library})
	wantVerdict(t, identify(t, w, 1, 1, nil), pb.Verdict_VERDICT_MATCH, "ada")
}

func TestUnavailableWhileStarting(t *testing.T) {
	s := rpc.New(rpc.Options{})
	for _, path := range []string{"/readyz", embedPath} {
		rec := newRecorder()
		method, body := http.MethodPost, `{}`
		if path == "/readyz" {
			method, body = http.MethodGet, ""
		}
		s.Handler().ServeHTTP(rec, mustRequest(t, method, path, body))
		if rec.status != http.StatusServiceUnavailable || !strings.Contains(rec.body.String(), "loading") {
			t.Errorf("%s while starting: %d %s", path, rec.status, rec.body.String())
		}
	}
}

// Of many callers at once, the ones too many are refused with a delay, the
// others are answered.
func TestQueueFull(t *testing.T) {
	w := newWorld(t, setup{embed: embedder.Options{Sessions: 1, Queue: 1}})
	face := onnxtest.Face(1, 0)
	identifyOnce := func() error {
		_, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{Image: face})
		return err
	}
	must(t, identifyOnce()) // the model is loaded now
	var mu sync.Mutex
	var refused, answered int
	for round := 0; round < 50 && (refused == 0 || answered == 0); round++ {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				err := identifyOnce()
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					answered++
					return
				}
				refused++
				retry := detailOf[*errdetails.RetryInfo](err)
				if connect.CodeOf(err) != connect.CodeResourceExhausted || retry == nil || retry.GetRetryDelay().AsDuration() <= 0 {
					t.Errorf("refused with %v, retry %v", err, retry)
				}
			})
		}
		wg.Wait()
	}
	if refused == 0 || answered == 0 {
		t.Errorf("%d refused, %d answered; want some of both", refused, answered)
	}
}

// fullQueue takes no crop, and counts those that come nevertheless.
type fullQueue struct {
	rpc.Embedder
	came *atomic.Int64
}

func (fullQueue) QueueFull(string) error {
	return &embedder.QueueFullError{RetryAfter: 1500 * time.Millisecond}
}

func (f fullQueue) Embed(ctx context.Context, req embedder.Request) (*embedder.Result, error) {
	f.came.Add(1)
	return f.Embedder.Embed(ctx, req)
}

// TestQueueFullBeforeTheBody: a crop for which there is no room is refused before its body has come, unless its
// client could lose the answer. Other calls are not.
func TestQueueFullBeforeTheBody(t *testing.T) {
	full := fullQueue{came: new(atomic.Int64)}
	w := newWorld(t, setup{wrap: func(b rpc.Backend) rpc.Backend {
		full.Embedder = b.Embedder
		b.Embedder = full
		return b
	}})
	for _, path := range []string{embedPath, identifyPath, rollcallv1connect.AttendanceServiceVerifyProcedure, "/v1/identify"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		must(t, err)
		kind := "application/json"
		if path == "/v1/identify" {
			kind = "image/jpeg"
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n{", path, kind)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		must(t, conn.Close())
		if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "2" || !strings.Contains(string(body), "QUEUE_FULL") {
			t.Errorf("%s: %s, %v, %s", path, answer.Status, answer.Header, body)
		}
	}
	if n := full.came.Load(); n != 0 {
		t.Errorf("%d crops came to the embedder", n)
	}
	for name, api := range map[string]rollcallv1connect.AttendanceServiceClient{
		"Connect over HTTP/1.1": rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url),
		"Connect over HTTP/2":   rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url),
		"gRPC":                  rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url, connect.WithGRPC()),
	} {
		for range 20 { // the connection can be used again
			if _, err := api.Identify(t.Context(), &pb.IdentifyRequest{Image: onnxtest.Face(1, 0)}); connect.CodeOf(err) != connect.CodeResourceExhausted {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	large := append(onnxtest.Face(1, 0), make([]byte, 300_000)...)
	if _, err := w.attendance().Identify(t.Context(), &pb.IdentifyRequest{Image: large}); err != nil || full.came.Load() != 1 {
		t.Errorf("a crop of 300 kB: %v, came %d times", err, full.came.Load())
	}
	if _, err := w.gallery().ListStudents(t.Context(), &pb.ListStudentsRequest{}); err != nil {
		t.Errorf("a list: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	slow := slowEmbedder{entered: make(chan struct{}, 1), release: make(chan struct{})}
	w := newWorld(t, setup{
		options: rpc.Options{RequestTimeout: 30 * time.Millisecond},
		wrap: func(b rpc.Backend) rpc.Backend {
			slow.Embedder = b.Embedder
			b.Embedder = slow
			return b
		},
	})
	time.AfterFunc(60*time.Millisecond, func() { close(slow.release) })
	_, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{Image: onnxtest.Face(1, 0)})
	if connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("%v, want deadline_exceeded", err)
	}
}

// panicEmbedder stands for a bug.
type panicEmbedder struct{ rpc.Embedder }

func (panicEmbedder) Embed(context.Context, embedder.Request) (*embedder.Result, error) {
	panic("the secret image bytes")
}

func TestPanicIsOneFailedCall(t *testing.T) {
	w := newWorld(t, setup{wrap: func(b rpc.Backend) rpc.Backend { b.Embedder = panicEmbedder{b.Embedder}; return b }})
	a := w.post(embedPath, `{"image":"`+b64(onnxtest.Face(1, 0))+`"}`)
	if a.body["code"] != "internal" || a.reason() != "INTERNAL" {
		t.Errorf("answer %s", a.raw)
	}
	if strings.Contains(a.raw+w.log.String(), "secret") {
		t.Error("the panic's value got out")
	}
	if a := w.post(galleryPath+"ListStudents", `{}`); a.status != http.StatusOK {
		t.Errorf("after the panic: %s", a.raw)
	}
}

// A panic on a goroutine that a handler has started does not end the process: it
// fails the roll call, and one crop of a stream.
func TestPanicInAPartIsOneFailedPart(t *testing.T) {
	w := newWorld(t, setup{wrap: func(b rpc.Backend) rpc.Backend { b.Embedder = panicEmbedder{b.Embedder}; return b }})
	face := onnxtest.Face(1, 0)
	a := w.post(rollCallPath, `{"probes":[{"image":"`+b64(face)+`"},{"image":"`+b64(face)+`"}]}`)
	if a.body["code"] != "internal" || a.reason() != "INTERNAL" {
		t.Errorf("roll call: %s", a.raw)
	}
	responses := enrollStream(t, w, []*pb.EnrollStreamRequest{
		{Crop: &pb.EmbedRequest{Image: face, CropId: "c0", StudentId: "s"}},
		{Crop: &pb.EmbedRequest{Image: face}}, // needs an id: refused before the panic
		{Crop: &pb.EmbedRequest{Image: face, CropId: "c2", StudentId: "s"}},
	})
	for i, want := range []string{"INTERNAL", "INVALID_REQUEST", "INTERNAL"} {
		if got := responses[int32(i)].GetProblem().GetReason(); got != want {
			t.Errorf("crop %d: problem %v, want %s", i, responses[int32(i)].GetProblem(), want)
		}
	}
	if strings.Contains(w.log.String(), "secret") {
		t.Error("the panic's value got out")
	}
}
