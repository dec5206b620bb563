package rpc

import (
	"context"
	"time"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
)

// WatchVerdicts reads page by page, so that a slow client holds nothing but one page. It
// keeps no gallery in memory. When the gallery is deleted the journal ends, and reading it is
// an error.
func (s journalService) WatchVerdicts(ctx context.Context, req *pb.WatchVerdictsRequest, stream *connect.ServerStream[pb.WatchVerdictsResponse]) error {
	if err := validate(req); err != nil {
		return err
	}
	from, sent := recordOf(ctx).journal, time.Time{}
	silence := s.server.opts.IdleTimeout / 4
	for after := req.GetAfter(); ; {
		grown := from.Grown()
		p, err := readPage(ctx, from, after, 0, isCheckIn)
		if err != nil {
			return err
		}
		after = p.next
		if len(p.lines) > 0 || time.Since(sent) >= silence {
			if err := stream.Send(&pb.WatchVerdictsResponse{Lines: p.lines, Newest: after}); err != nil {
				return err
			}
			sent = time.Now()
		}
		if err := s.wait(ctx, grown, p.end, silence); err != nil {
			return err
		}
	}
}

// wait returns when a journal has grown, or after a time of silence; at once if the end was
// not reached. The error says that the call or the server ends.
func (a *api) wait(ctx context.Context, grown <-chan struct{}, ended bool, silence time.Duration) error {
	if a.server.isDraining() {
		return a.server.unavailable()
	}
	if !ended {
		return ctx.Err()
	}
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case <-grown:
	case <-timer.C:
	case <-a.server.draining.Done():
		return a.server.unavailable()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
