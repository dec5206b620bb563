package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// streamServer answers an EnrollStream as its function says.
type streamServer struct {
	rollcallv1connect.UnimplementedGalleryServiceHandler
	serve func(context.Context, *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]) error
}

func (s streamServer) EnrollStream(ctx context.Context, stream *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]) error {
	return s.serve(ctx, stream)
}

// start returns the address of the server.
func (s streamServer) start(t *testing.T) string { return startGalleryService(t, s) }

func startGalleryService(t *testing.T, s rollcallv1connect.GalleryServiceHandler) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(rollcallv1connect.NewGalleryServiceHandler(s))
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// stored is the answer to a crop that is on disk.
func stored(req *pb.EnrollStreamRequest) *pb.EnrollStreamResponse {
	return &pb.EnrollStreamResponse{CropId: req.GetCrop().GetCropId(),
		Outcome: &pb.EnrollStreamResponse_Embedded{Embedded: &pb.EmbedResponse{StudentId: req.GetCrop().GetStudentId()}}}
}

// writeFiles makes a folder with the crops of n students.
func writeFiles(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		file := filepath.Join(dir, fmt.Sprintf("s%03d", i), "1.jpg")
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("image"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func runCommand(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = execute(ctx, console{in: strings.NewReader(""), out: &out, err: &err}, args)
	return code, out.String(), err.String()
}

// TestInterruptedEnrollCountsWhatIsStored interrupts an enroll at a random crop. The server
// answers late and out of order; what it has stored is what enroll says.
func TestInterruptedEnrollCountsWhatIsStored(t *testing.T) {
	const seed, crops = 1, 40
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := writeFiles(t, crops)
	for range 10 {
		at := 1 + rng.IntN(crops)
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		received := 0
		address := streamServer{serve: func(_ context.Context, stream *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]) error {
			var kept []*pb.EnrollStreamRequest
			for {
				req, err := stream.Receive()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
				kept = append(kept, req)
				if received = len(kept); received == at {
					interrupt()
				}
			}
			for i := len(kept) - 1; i >= 0; i-- {
				if err := stream.Send(stored(kept[i])); err != nil {
					return err
				}
			}
			return nil
		}}.start(t)
		code, out, said := runCommand(ctx, "enroll", dir, "--server", address)
		want := fmt.Sprintf("%d of %d crops enrolled (0 replaced), ", received, crops)
		if code != exitInterrupted || !strings.HasPrefix(out, want) || received < at || !strings.HasSuffix(said, "rollcall: interrupted\n") {
			t.Errorf("seed %d: interrupted at %d: exit code %d, it says %q and %q, want %q", seed, at, code, out, said, want)
		}
	}
}

// TestEnrollStopsAtWhatEveryCropWouldMeet: the crops that were under way are stored, and
// counted.
func TestEnrollStopsAtWhatEveryCropWouldMeet(t *testing.T) {
	dir := writeFiles(t, 5)
	var once sync.Once
	kept := -1 // without the first one
	address := streamServer{serve: func(_ context.Context, stream *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]) error {
		for {
			req, err := stream.Receive()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			resp := stored(req)
			kept++
			once.Do(func() {
				resp.Outcome = &pb.EnrollStreamResponse_Problem{Problem: &pb.Problem{Code: "unavailable", Message: "the disk is nearly full"}}
			})
			if err := stream.Send(resp); err != nil {
				return err
			}
		}
	}}.start(t)
	code, out, said := runCommand(t.Context(), "enroll", dir, "--server", address, "--output", "json")
	if code != exitUnavailable || !strings.Contains(said, "stopped at s000/1.jpg: the disk is nearly full (unavailable)") ||
		!strings.Contains(out, fmt.Sprintf(`"enrolled": %d,`, kept)) || strings.Contains(out, "unknown") {
		t.Errorf("exit code %d, it says %q and %q; %d were stored", code, out, said, kept)
	}
}

// TestEnrollSaysWhatItDoesNotKnow: the connection breaks before the answers.
func TestEnrollSaysWhatItDoesNotKnow(t *testing.T) {
	dir := writeFiles(t, 3)
	address := streamServer{serve: func(_ context.Context, stream *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]) error {
		var last *pb.EnrollStreamRequest
		for {
			req, err := stream.Receive()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			last = req
		}
		if err := stream.Send(stored(last)); err != nil {
			return err
		}
		panic(http.ErrAbortHandler)
	}}.start(t)
	code, out, said := runCommand(t.Context(), "enroll", dir, "--server", address)
	if code == exitOK || !strings.Contains(out, "1 of 3 crops enrolled (0 replaced), 1 student\n  2 crops more may be stored") {
		t.Errorf("exit code %d, it says %q and %q", code, out, said)
	}
}
