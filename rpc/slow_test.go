package rpc_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// patience is how long these tests wait for what the server does after a second at
// most.
const patience = 2 * time.Minute

// dial opens a connection and sends the text.
func (w *world) dial(text string) net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	must(w.t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, text)
	must(w.t, err)
	return conn
}

// begin is the beginning of a request whose body is not sent to its end.
func begin(method, path string, length int, part string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, length, part)
}

// A client that does not send what it has announced loses its connection, whatever it
// asked for, and an RPC tells it why.
func TestSlowBodies(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{ReadTimeout: 100 * time.Millisecond}})
	for _, request := range []struct{ method, path, says string }{
		{"POST", embedPath, "SLOW_REQUEST"},
		{"POST", galleryPath + "ListStudents", "SLOW_REQUEST"},
		{"POST", "/grpc.health.v1.Health/Check", "SLOW_REQUEST"},
		{"GET", "/metrics", "rollcall_requests_total"},
		{"GET", "/livez", "ok"},
		{"GET", "/readyz", "ok"},
		{"GET", "/", "Rollcall"},
		{"POST", "/metrics", "METHOD_NOT_ALLOWED"},
		{"POST", "/nothing", "UNKNOWN_PROCEDURE"},
		{"PUT", embedPath, "METHOD_NOT_ALLOWED"},
	} {
		got, err := io.ReadAll(w.dial(begin(request.method, request.path, 1000, "{")))
		if errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(string(got), request.says) {
			t.Errorf("%s %s: %v, %q", request.method, request.path, err, got)
		}
	}
}

// deadlineRecorder notes the deadlines for reading that a handler sets.
type deadlineRecorder struct {
	*recorder
	deadlines []time.Time
}

func (r *deadlineRecorder) SetReadDeadline(d time.Time) error {
	r.deadlines = append(r.deadlines, d)
	return nil
}

// A call has all of its time from the start: over HTTP/2 a body is lost once a deadline has passed, and a busy server
// may leave a call alone for longer than the rest of a refused one may take.
func TestBodiesHaveTheirTimeFromTheStart(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{ReadTimeout: time.Hour}})
	rec := &deadlineRecorder{recorder: newRecorder()}
	w.server.Handler().ServeHTTP(rec, mustRequest(t, http.MethodPost, galleryPath+"ListStudents", `{}`))
	if rec.status != http.StatusOK || len(rec.deadlines) == 0 {
		t.Errorf("status %d, deadlines %v: %s", rec.status, rec.deadlines, rec.body.String())
	}
	for _, d := range rec.deadlines {
		if !d.IsZero() && time.Until(d) < 30*time.Minute {
			t.Errorf("the body has %v", time.Until(d))
		}
	}
}

// A connection that was used for a while is not cut off by deadlines of before.
func TestDeadlinesAreOfOneRequest(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{ReadTimeout: 500 * time.Millisecond, WriteTimeout: 500 * time.Millisecond}})
	conn := w.dial("")
	reader := bufio.NewReader(conn)
	for range 2 {
		list := begin("POST", galleryPath+"ListStudents", 2, "")
		for _, request := range []string{list + "{}", begin("GET", "/livez", 0, ""), strings.Replace(list, "Content-Length", "Expect: 100-continue\r\nContent-Length", 1)} {
			_, err := io.WriteString(conn, request)
			must(t, err)
			resp, err := http.ReadResponse(reader, nil)
			must(t, err)
			if resp.StatusCode == http.StatusContinue {
				_, err = io.WriteString(conn, "{}")
				must(t, err)
				resp, err = http.ReadResponse(reader, nil)
				must(t, err)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			must(t, err)
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
			time.Sleep(600 * time.Millisecond)
		}
	}
}

// closings is a listener that tells which of its connections the server has closed. What
// a client sees of that is up to the kernel while the client reads nothing.
type closings struct {
	net.Listener
	closed chan string // the client's address
}

func (c closings) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return closing{Conn: conn, once: sync.OnceFunc(func() { c.closed <- conn.RemoteAddr().String() })}, nil
}

type closing struct {
	net.Conn
	once func()
}

func (c closing) Close() error {
	defer c.once()
	return c.Conn.Close()
}

// newNeverReadWorld is a world, and what waits until the server has closed a connection.
func newNeverReadWorld(t *testing.T, options rpc.Options) (*world, func(net.Conn)) {
	c := closings{closed: make(chan string, 10)}
	w := newWorld(t, setup{options: options, listener: func(ln net.Listener) net.Listener {
		c.Listener = ln
		return c
	}})
	return w, func(conn net.Conn) {
		t.Helper()
		for after := time.After(patience); ; {
			select {
			case address := <-c.closed:
				if address == conn.LocalAddr().String() {
					return
				}
			case <-after:
				t.Fatal("the server still holds the connection")
			}
		}
	}
}

// A client that asks and never reads loses its connection.
func TestClientsThatNeverRead(t *testing.T) {
	w, closed := newNeverReadWorld(t, rpc.Options{WriteTimeout: 100 * time.Millisecond})
	for _, request := range []string{
		begin("GET", "/metrics", 0, ""),
		begin("POST", "/rollcall.v1.ModelService/ListModels", 2, "{}"),
	} {
		conn := w.dial("")
		go func() {
			var err error
			for err == nil { // until the connection is closed
				_, err = io.WriteString(conn, strings.Repeat(request, 100))
			}
		}()
		closed(conn)
	}
}

// The same over HTTP/2, with windows that let the server send as much as it likes.
func TestClientsOfHTTP2ThatNeverRead(t *testing.T) {
	w, closed := newNeverReadWorld(t, rpc.Options{WriteTimeout: time.Second, IdleTimeout: time.Hour})
	frame := func(kind, flags byte, stream uint32, payload string) string {
		n := len(payload)
		head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
		return string(binary.BigEndian.AppendUint32(head, stream)) + payload
	}
	const headers, settings, window = 1, 4, 8
	// GET, http, a path and an authority that are written out (RFC 7541, 6.2.2).
	ask := "\x82\x86\x04\x08/metrics\x01\x09localhost"
	const most = "\x7f\xff\x00\x00"
	conn := w.dial("")
	must(t, conn.(*net.TCPConn).SetReadBuffer(1<<12))
	go func() {
		_, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(settings, 0, 0, "\x00\x04"+most)+frame(window, 0, 0, most))
		// 20 MB, more than the buffers of a socket hold, and not faster than they are
		// answered: a connection has 250 at once, and others are refused.
		for stream := uint32(1); err == nil && stream < 4000; time.Sleep(10 * time.Millisecond) {
			for range 20 {
				if err == nil {
					_, err = io.WriteString(conn, frame(headers, 5, stream, ask))
				}
				stream += 2
			}
		}
	}()
	closed(conn)
}

// A call that was admitted before its gallery was deleted does not reach the one that was
// made again under its name.
func TestCallsDoNotReachAGalleryMadeAgain(t *testing.T) {
	w := newWorld(t, setup{})
	admin := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, w.url, bearer(w.admin()))
	create := func() {
		_, err := admin.CreateGallery(t.Context(), &pb.CreateGalleryRequest{GalleryId: "ours"})
		must(t, err)
	}
	create()
	token := w.token(access.Caller{Role: access.Enroll, Galleries: []string{"ours", "default"}})
	head := "Authorization: Bearer " + token + "\r\nRollcall-Gallery: ours\r\nExpect: 100-continue\r\nContent-Length"
	conn := w.dial(strings.Replace(begin("POST", galleryPath+"ListStudents", 2, ""), "Content-Length", head, 1))
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil) // sent when the body is read: it is admitted
	must(t, err)
	if resp.StatusCode != http.StatusContinue {
		t.Fatal(resp.Status)
	}
	_, err = admin.DeleteGallery(t.Context(), &pb.DeleteGalleryRequest{GalleryId: "ours"})
	must(t, err)
	create()
	_, err = io.WriteString(conn, "{}")
	must(t, err)
	resp, err = http.ReadResponse(reader, nil)
	must(t, err)
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("the gallery made again answers %s", resp.Status)
	}
}

// A server that stops does not wait for a body that does not come, and its end is
// clean.
func TestDrainDoesNotWaitForSlowBodies(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{DrainTimeout: 2 * time.Second}})
	conn := w.dial(strings.Replace(begin("POST", embedPath, 1000, ""), "Content-Length", "Expect: 100-continue\r\nContent-Length", 1))
	line, err := bufio.NewReader(conn).ReadString('\n') // sent when the body is read
	must(t, err)
	if !strings.Contains(line, "100 Continue") {
		t.Errorf("answer %q", line)
	}
	w.stop()
	must(t, <-w.done)
}

// A call whose body has come has all of the time to be answered.
func TestDrainWaitsForWhatHasCome(t *testing.T) {
	slow := slowEmbedder{entered: make(chan struct{}), release: make(chan struct{})}
	w := newWorld(t, setup{
		options: rpc.Options{DrainTimeout: 4 * time.Second, ReadTimeout: time.Second},
		wrap: func(b rpc.Backend) rpc.Backend {
			slow.Embedder = b.Embedder
			b.Embedder = slow
			return b
		},
	})
	answered := make(chan error, 1)
	go func() {
		_, err := w.attendance().Embed(context.Background(), &pb.EmbedRequest{Image: onnxtest.Face(1, 0)})
		answered <- err
	}()
	<-slow.entered
	time.AfterFunc(2500*time.Millisecond, func() { close(slow.release) })
	w.stop()
	must(t, <-w.done)
	must(t, <-answered)
}

// A server that stops does not wait to its end for clients that do not read: the drain
// is complete.
func TestDrainingDoesNotWaitForWhoNeverReads(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{DrainTimeout: 4 * time.Second}})
	for i := range 40 { // an answer that no buffer of net/http holds
		enroll(t, w, int64(i), 0, strings.Repeat("c", 100)+fmt.Sprint(i), strings.Repeat("s", 100)+fmt.Sprint(i))
	}
	conn := w.dial("")
	must(t, conn.SetWriteDeadline(time.Now().Add(2*time.Second))) // by then all buffers are full
	var err error
	for request := strings.Repeat(begin("POST", galleryPath+"ListStudents", 2, "{}"), 100); err == nil; {
		_, err = io.WriteString(conn, request)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	w.stop()
	must(t, <-w.done)
}

// What finds no room in the budget is told when to come back, and does when there is
// room. A small call is not refused because of what is on its way slowly, as long as
// there is room for it.
func TestBudgetOfBytes(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{RequestBytes: 64 << 20}})
	enroll(t, w, 1, 0, "ada/1", "ada")
	const large = 40 << 20
	first := w.dial(begin("POST", rollCallPath, large+1, `{"probes":[{"image":"`))
	_, err := io.WriteString(first, strings.Repeat("A", large-100))
	must(t, err)
	small := func() error {
		_, err := w.gallery().ListStudents(context.Background(), &pb.ListStudentsRequest{})
		return err
	}
	must(t, small())
	second := func() error {
		_, err := w.attendance().RollCall(context.Background(), &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: make([]byte, large)}}})
		return err
	}
	eventually(t, "the second is refused", func() bool { return reasonOf(second()) == "TOO_MANY_BYTES" })
	err = second()
	if retry := detailOf[*errdetails.RetryInfo](err); connect.CodeOf(err) != connect.CodeResourceExhausted || retry.GetRetryDelay().AsDuration() <= 0 {
		t.Errorf("refused with %v, retry %v", err, retry)
	}
	// Nobody knows what a compressed one becomes.
	zipped := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, connect.WithSendGzip())
	if _, err := zipped.RollCall(context.Background(), &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: make([]byte, 1<<20)}}}); reasonOf(err) != "TOO_MANY_BYTES" {
		t.Errorf("compressed: %v", err)
	}
	must(t, small())
	must(t, first.Close())
	eventually(t, "there is room again", func() bool { return reasonOf(second()) == "INVALID_REQUEST" }) // an image of 40 MiB
}

// What is compressed takes room for what it may become once it is here, and not while
// a client that is slow has sent nothing.
func TestSlowCompressedRequestsHoldNoRoom(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{RequestBytes: 64 << 20}})
	zipped := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, connect.WithSendGzip())
	grpc := rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url, connect.WithSendGzip(), connect.WithGRPC())
	large := strings.Repeat("A", 40<<20)
	for _, kind := range []string{"Content-Type: application/json\r\nContent-Encoding: gzip", "Content-Type: application/grpc-web\r\nGrpc-Encoding: gzip"} {
		for range 4 {
			w.dial("POST " + rollCallPath + " HTTP/1.1\r\nHost: localhost\r\n" + kind + "\r\nContent-Length: 1000\r\n\r\n")
		}
	}
	for range 20 { // those that were dialled are being read by then
		for _, client := range []rollcallv1connect.AttendanceServiceClient{zipped, grpc} {
			_, err := client.RollCall(context.Background(), &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: []byte(large[:1<<20])}}})
			if reasonOf(err) != "NOT_AN_IMAGE" {
				t.Fatalf("beside slow ones: %v", err)
			}
		}
	}
	first := w.dial(begin("POST", rollCallPath, len(large)+100, `{"probes":[{"image":"`))
	_, err := io.WriteString(first, large)
	must(t, err)
	for _, client := range []rollcallv1connect.AttendanceServiceClient{zipped, grpc} {
		eventually(t, "what is compressed finds no room", func() bool {
			_, err := client.RollCall(context.Background(), &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: []byte(large[:1<<20])}}})
			return reasonOf(err) == "TOO_MANY_BYTES"
		})
	}
}

// More crops on streams than the budget has room for are all enrolled, one waiting for
// the other, and what was taken is given back.
func TestStreamsShareTheBudget(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{RequestBytes: 64 << 20}})
	done := make(chan error, 2) // streams: the budget has room for no third
	for n := range cap(done) {
		go func() {
			stream, err := rollcallv1connect.NewGalleryServiceClient(h2c(), w.url).EnrollStream(context.Background())
			if err != nil {
				done <- err
				return
			}
			go func() {
				for i := range 8 {
					image := append(onnxtest.Face(int64(10*n+i), 0), make([]byte, 7<<20)...)
					_ = stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: image, CropId: fmt.Sprintf("%d/%d", n, i)}})
				}
				_ = stream.CloseRequest()
			}()
			for range 8 {
				resp, err := stream.Receive()
				if err == nil && !resp.GetEmbedded().GetStored() {
					err = errors.New(resp.String())
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		must(t, <-done)
	}
	eventually(t, "all is given back", func() bool {
		_, err := w.attendance().RollCall(context.Background(), &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: make([]byte, 60<<20)}}})
		return reasonOf(err) == "INVALID_REQUEST"
	})
}

// A stream ends when the server waits for its client, and not when the client waits
// for the server.
func TestSilentStreams(t *testing.T) {
	slow := slowEmbedder{entered: make(chan struct{}, 1), release: make(chan struct{})}
	w := newWorld(t, setup{
		options: rpc.Options{IdleTimeout: time.Second, StreamWorkers: 1},
		wrap: func(b rpc.Backend) rpc.Backend {
			slow.Embedder = b.Embedder
			b.Embedder = slow
			return b
		},
	})
	stream, err := rollcallv1connect.NewGalleryServiceClient(h2c(), w.url, connect.WithGRPC()).EnrollStream(context.Background())
	must(t, err)
	must(t, stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: onnxtest.Face(1, 0), CropId: "c", StudentId: "s"}}))
	<-slow.entered
	time.AfterFunc(2500*time.Millisecond, func() { close(slow.release) })
	for i := range 2 {
		resp, err := stream.Receive()
		must(t, err)
		if !resp.GetEmbedded().GetEnrolled() {
			t.Errorf("answer %v", resp)
		}
		if i == 0 {
			must(t, stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: onnxtest.Face(1, 1), CropId: "d", StudentId: "s"}}))
			<-slow.entered
		}
	}
	if _, err := stream.Receive(); connect.CodeOf(err) != connect.CodeDeadlineExceeded || reasonOf(err) != "SLOW_REQUEST" {
		t.Errorf("the stream ends with %v", err)
	}
}
