package rpc

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"rollcall/access/journal"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// ListInactiveStudents reads the journal first, of which it keeps one time for each student.
func (s galleryService) ListInactiveStudents(ctx context.Context, req *pb.ListInactiveStudentsRequest, stream *connect.ServerStream[pb.ListInactiveStudentsResponse]) error {
	if !req.GetSince().IsValid() {
		return fieldError("INVALID_REQUEST", "since", "since is no time")
	}
	since := req.GetSince().AsTime()
	seen, from, err := s.lastSeen(ctx, recordOf(ctx).journal)
	if err != nil {
		return err
	}
	for after, more := "", true; more; more = after != "" {
		var page []gallery.StudentInfo
		if page, after, _, err = galleryOf(ctx).Students(ctx, after, gallery.MaxPage, ""); err != nil {
			return err
		}
		resp := &pb.ListInactiveStudentsResponse{JournalFrom: from}
		for _, student := range page {
			if seen[student.ID].Before(since) && student.Created.Before(since) {
				resp.Students = append(resp.Students, &pb.InactiveStudent{
					StudentId: student.ID, Groups: student.Groups, Created: timePB(student.Created), LastSeen: timePB(seen[student.ID]),
				})
			}
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
	return nil
}

// lastSeen returns when each student had the last match or check-in, and the day with which
// the journal begins. One that was taken back counts too: it takes nobody's place away.
func (s galleryService) lastSeen(ctx context.Context, in *journal.Journal) (seen map[string]time.Time, from string, err error) {
	before, from, err := beginning(ctx, in)
	if err != nil {
		return nil, "", err
	}
	seen = make(map[string]time.Time)
	for line, err := range in.Lines(ctx, before) {
		if err != nil {
			return nil, "", err
		}
		if s.server.isDraining() {
			return nil, "", s.server.unavailable()
		}
		match := line.GetKind() == pb.LineKind_LINE_KIND_VERDICT && line.GetVerdict() == pb.Verdict_VERDICT_MATCH
		checkIn := line.GetKind() == pb.LineKind_LINE_KIND_CHECK_IN && line.GetCancels() == 0
		if student := line.GetStudentId(); student != "" && (match || checkIn) {
			seen[student] = line.GetTime().AsTime()
		}
	}
	return seen, from, nil
}
