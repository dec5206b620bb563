package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "rollcall/proto/rollcall/v1"
)

// refusal is what a server answers that asks to be called again.
func refusal(code connect.Code, delay time.Duration) error {
	err := connect.NewError(code, errors.New("not now"))
	detail, failed := connect.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	if failed != nil {
		return failed
	}
	err.AddDetail(detail)
	return err
}

// busyServer refuses as its function says, and has no students.
type busyServer struct {
	streamServer
	refuse func() error
}

func (s busyServer) ListStudents(context.Context, *pb.ListStudentsRequest) (*pb.ListStudentsResponse, error) {
	if err := s.refuse(); err != nil {
		return nil, err
	}
	return new(pb.ListStudentsResponse), nil
}

// TestCommandsComeAgain: a command calls again a server that is busy or restarts, and gives up where it says
// neither when, nor a time within --timeout.
func TestCommandsComeAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		refused error
		calls   int64
		code    int
	}{
		{"busy", refusal(connect.CodeResourceExhausted, time.Millisecond), 3, exitOK},
		{"restarts", refusal(connect.CodeUnavailable, time.Millisecond), 3, exitOK},
		{"says not when", connect.NewError(connect.CodeUnavailable, errors.New("not now")), 1, exitUnavailable},
		{"busy for long", refusal(connect.CodeResourceExhausted, time.Hour), 1, exitUnavailable},
	} {
		var calls atomic.Int64
		server := busyServer{refuse: func() error {
			if calls.Add(1) < 3 {
				return c.refused
			}
			return nil
		}}
		code, _, stderr := runCommand(t.Context(), "students", "list", "--server", startGalleryService(t, server), "--timeout", "10m")
		if code != c.code || calls.Load() != c.calls {
			t.Errorf("%s: exit code %d after %d calls, want %d after %d: %s", c.name, code, calls.Load(), c.code, c.calls, stderr)
		}
	}
}

// TestEnrollComesAgain: the server refuses each stream after some crops. Each crop is sent until it is answered,
// and counted once.
func TestEnrollComesAgain(t *testing.T) {
	const crops, each = 20, 3
	var streams atomic.Int64
	answered := make(map[string]int) // streams do not overlap
	server := streamServer{serve: func(_ context.Context, stream *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]) error {
		take := each
		if streams.Add(1)%2 == 1 {
			take = 0 // it is refused at once
		}
		for {
			req, err := stream.Receive()
			if err != nil {
				return nil
			}
			if take--; take < 0 {
				return refusal(connect.CodeUnavailable, time.Millisecond)
			}
			answered[req.GetCrop().GetCropId()]++
			if err := stream.Send(stored(req)); err != nil {
				return err
			}
		}
	}}
	code, stdout, stderr := runCommand(t.Context(), "enroll", writeFiles(t, crops), "--server", startGalleryService(t, server), "--timeout", "10m")
	if code != exitOK || !strings.HasPrefix(stdout, "20 of 20 crops enrolled (0 replaced), 20 students\n") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for crop, n := range answered {
		if n != 1 {
			t.Errorf("%s was answered %d times", crop, n)
		}
	}
	if want := int64(2 * ((crops + each - 1) / each)); len(answered) != crops || streams.Load() != want {
		t.Errorf("%d crops in %d streams, want %d in %d", len(answered), streams.Load(), crops, want)
	}
}
