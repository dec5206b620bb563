package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// enrollStream sends requests and returns the responses by index.
func enrollStream(t *testing.T, w *world, requests []*pb.EnrollStreamRequest, options ...connect.ClientOption) map[int32]*pb.EnrollStreamResponse {
	t.Helper()
	stream, err := rollcallv1connect.NewGalleryServiceClient(h2c(), w.url, options...).EnrollStream(context.Background())
	must(t, err)
	sent := make(chan error, 1)
	go func() {
		for _, r := range requests {
			if err := stream.Send(r); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseRequest()
	}()
	out := make(map[int32]*pb.EnrollStreamResponse)
	for {
		resp, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		if out[resp.GetIndex()] != nil {
			t.Errorf("two answers to crop %d", resp.GetIndex())
		}
		out[resp.GetIndex()] = resp
	}
	must(t, <-sent)
	return out
}

// A stream on a server with one session and a short queue takes all good crops
// and reports the bad ones, each in its place.
func TestEnrollStream(t *testing.T) {
	for name, options := range map[string][]connect.ClientOption{"connect": nil, "grpc": {connect.WithGRPC()}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, setup{embed: embedder.Options{Sessions: 1, Queue: 1}, options: rpc.Options{StreamWorkers: 6}})
			var requests []*pb.EnrollStreamRequest
			for i := range 30 {
				requests = append(requests, &pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{
					Image: onnxtest.Face(int64(i), 0), CropId: fmt.Sprintf("c%d", i), StudentId: fmt.Sprintf("s%d", i)}})
			}
			requests[3].Crop.Image = []byte("no image")
			requests[7].Crop.CropId = ""
			requests[11].Crop.Landmarks = []*pb.Point{{}}
			requests[13].Crop.Image = onnxtest.Blank(1)
			requests[17].Crop = nil
			problems := map[int32]string{3: "NOT_AN_IMAGE", 7: "INVALID_REQUEST", 11: "INVALID_REQUEST", 13: "NO_FACE", 17: "INVALID_REQUEST"}
			responses := enrollStream(t, w, requests, options...)
			if len(responses) != len(requests) {
				t.Errorf("%d answers to %d crops", len(responses), len(requests))
			}
			for i := range requests {
				resp := responses[int32(i)]
				if got := resp.GetProblem().GetReason(); got != problems[int32(i)] {
					t.Errorf("crop %d: problem %v, want %q", i, resp.GetProblem(), problems[int32(i)])
				}
				if problems[int32(i)] == "" && !resp.GetEmbedded().GetEnrolled() {
					t.Errorf("crop %d is not enrolled: %v", i, resp)
				}
			}
			list, err := w.gallery().ListStudents(context.Background(), &pb.ListStudentsRequest{})
			must(t, err)
			if int(list.GetTotal()) != len(requests)-len(problems) {
				t.Errorf("%d students, want %d", list.GetTotal(), len(requests)-len(problems))
			}
		})
	}
}

// Of two crops of a student that are unlike each other, the first of the stream is enrolled and
// the second refused, however long the workers take.
func TestStreamKeepsTheOrderOfAStudent(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{StreamWorkers: 6}})
	var requests []*pb.EnrollStreamRequest
	for i := range 40 {
		for k := range 2 {
			requests = append(requests, &pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{
				Image: onnxtest.Face(int64(2*i+k), 0), CropId: fmt.Sprintf("s%d/%d", i, k), StudentId: fmt.Sprintf("s%d", i), AllowDuplicate: true}})
		}
	}
	responses := enrollStream(t, w, requests)
	for i := range int32(40) {
		if first, second := responses[2*i], responses[2*i+1]; !first.GetEmbedded().GetEnrolled() || second.GetProblem().GetReason() != "UNLIKE_STUDENT" {
			t.Errorf("student %d: %v, then %v", i, first.GetProblem().GetReason(), second.GetProblem().GetReason())
		}
	}
}

// A stream whose client is silent does not hold up a server that drains: what
// was sent is answered, and the client learns why the stream ends.
func TestDrainEndsSilentStreams(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{DrainTimeout: time.Hour}})
	stream, err := rollcallv1connect.NewGalleryServiceClient(h2c(), w.url, connect.WithGRPC()).EnrollStream(context.Background())
	must(t, err)
	must(t, stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: onnxtest.Face(1, 0), CropId: "c", StudentId: "s"}}))
	resp, err := stream.Receive()
	must(t, err)
	if !resp.GetEmbedded().GetEnrolled() {
		t.Errorf("answer %v", resp)
	}
	w.stop()
	must(t, <-w.done)
	if _, err := stream.Receive(); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("the stream ends with %v, want unavailable", err)
	}
}

func TestListStudentsPages(t *testing.T) {
	w := newWorld(t, setup{})
	var requests []*pb.EnrollStreamRequest
	for i := range 7 {
		requests = append(requests, &pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{
			Image: onnxtest.Face(int64(i), 0), CropId: fmt.Sprintf("c%d", i), StudentId: fmt.Sprintf("s%d", i), Groups: []string{fmt.Sprintf("g%d", i%2)}}})
	}
	enrollStream(t, w, requests)
	for group, want := range map[string]string{"": "s0 s1 s2 s3 s4 s5 s6 ", "g1": "s1 s3 s5 ", "none": ""} {
		got, token := "", ""
		for {
			page, err := w.gallery().ListStudents(context.Background(), &pb.ListStudentsRequest{PageSize: 2, PageToken: token, Group: group})
			must(t, err)
			if len(page.GetStudents()) > 2 {
				t.Errorf("a page of %d", len(page.GetStudents()))
			}
			for _, s := range page.GetStudents() {
				got += s.GetStudentId() + " "
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if got != want {
			t.Errorf("group %q: %q, want %q", group, got, want)
		}
	}
}
