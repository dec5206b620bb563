package rpc

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
)

// EnrollStream takes the next crop only when a worker is free. So the transport's flow
// control slows the client to the server's pace.
func (s galleryService) EnrollStream(ctx context.Context, stream *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sender := &enrollSender{stream: stream, stop: cancel}
	free := make(chan struct{}, s.server.opts.StreamWorkers)
	var working errgroup.Group
	var underWay []cropUnderWay
	share := s.server.share(ctx)
	err := func() error {
		for index := int32(0); ; index++ {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			if s.server.isDraining() {
				return s.server.unavailable()
			}
			req, err := stream.Receive()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil && s.server.isDraining() {
				return s.server.unavailable()
			}
			if err != nil {
				return err
			}
			size, finished := int64(proto.Size(req)), make(chan struct{})
			before := earlier(&underWay, cropUnderWay{req.GetCrop().GetStudentId(), finished})
			room := share.take(size)
			var embedded *pb.EmbedResponse
			s.server.part(ctx, &working, func() (err error) {
				embedded, err = s.enrollCrop(ctx, req, before)
				return err
			}, func(err error) error {
				sender.send(s.outcome(ctx, index, req.GetCrop().GetCropId(), embedded, err))
				if room {
					share.giveBack(size)
				}
				close(finished)
				<-free
				return nil
			})
			if !room {
				// The stream has taken the room for one message. Without more it reads no
				// other message before this one is done.
				<-finished
			}
		}
	}()
	return errors.Join(err, working.Wait(), sender.failed())
}

// cropUnderWay is a crop of a stream that a worker has.
type cropUnderWay struct {
	student  string
	finished <-chan struct{}
}

// earlier adds a crop to those under way, and returns what ends with the one before it of the
// same student; nil: there is none. A student's crops are stored in their order. Otherwise
// chance would say which of two that are unlike each other is refused.
func earlier(underWay *[]cropUnderWay, next cropUnderWay) (before <-chan struct{}) {
	*underWay = slices.DeleteFunc(*underWay, func(c cropUnderWay) bool {
		select {
		case <-c.finished:
			return true
		default:
			return false
		}
	})
	for _, c := range *underWay {
		if c.student == next.student && next.student != "" {
			before = c.finished
		}
	}
	*underWay = append(*underWay, next)
	return before
}

// outcome makes the response for one crop. For a bad crop it holds a Problem.
func (s galleryService) outcome(ctx context.Context, index int32, cropID string, embedded *pb.EmbedResponse, err error) *pb.EnrollStreamResponse {
	resp := &pb.EnrollStreamResponse{Index: index, CropId: cropID}
	if err == nil {
		resp.Outcome = &pb.EnrollStreamResponse_Embedded{Embedded: embedded}
		return resp
	}
	resp.Outcome = &pb.EnrollStreamResponse_Problem{Problem: s.problem(ctx, err)}
	return resp
}

// problem is what a call that goes on says of an error.
func (a *api) problem(ctx context.Context, err error) *pb.Problem {
	err = translate(ctx, err)
	problem := &pb.Problem{Code: connect.CodeOf(err).String(), Message: err.Error()}
	var f *failure
	if errors.As(err, &f) {
		problem.Reason, problem.Message, problem.Metadata = f.reason, f.message, f.metadata
		if f.internal != nil {
			a.logger.Error("a part of a call failed", "error", f.internal, "request_id", recordOf(ctx).id)
		}
	}
	return problem
}

// enrollCrop stores the crop when before has ended; nil: at once.
func (s galleryService) enrollCrop(ctx context.Context, req *pb.EnrollStreamRequest, before <-chan struct{}) (*pb.EmbedResponse, error) {
	if err := unreadable(req); err != nil {
		return nil, err
	}
	crop := req.GetCrop()
	if crop.GetCropId() == "" {
		return nil, fieldError("INVALID_REQUEST", "crop.crop_id", "crop_id is missing: each crop of a stream needs an id")
	}
	if err := validate(crop); err != nil {
		return nil, err
	}
	return patiently(ctx, func() (*pb.EmbedResponse, error) { return s.embedAndStore(ctx, crop, before) })
}

// enrollSender lets several workers answer on one stream. If sending fails, the client
// is gone: it sends no more and stops the work of the stream.
type enrollSender struct {
	stream *connect.BidiStream[pb.EnrollStreamRequest, pb.EnrollStreamResponse]
	stop   context.CancelFunc

	mu  sync.Mutex
	err error // guarded by mu
}

func (e *enrollSender) send(resp *pb.EnrollStreamResponse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return
	}
	if e.err = e.stream.Send(resp); e.err != nil {
		e.stop()
	}
}

func (e *enrollSender) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
