package rpc

import (
	"cmp"
	"context"
	"encoding/base64"
	"time"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

const day = 24 * time.Hour

// ListDueStudents pages as ListStudents does.
func (s galleryService) ListDueStudents(ctx context.Context, req *pb.ListDueStudentsRequest) (*pb.ListDueStudentsResponse, error) {
	after, err := pageAfter(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	seen, err := matchesOf(ctx, recordOf(ctx).journal)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	age := cmp.Or(time.Duration(req.GetMaxAgeDays())*day, gallery.DefaultDueAge)
	page, next, err := galleryOf(ctx).Due(ctx, gallery.DueQuery{
		After: after, Limit: int(req.GetPageSize()), Group: req.GetGroup(), Before: now.Add(-age),
		Falling: func(studentID string, newest time.Time) bool { return seen.falling(studentID, newest, now) },
	})
	if err != nil {
		return nil, err
	}
	resp := &pb.ListDueStudentsResponse{NextPageToken: base64.RawURLEncoding.EncodeToString([]byte(next))}
	for _, d := range page {
		resp.Students = append(resp.Students, duePB(d))
	}
	return resp, nil
}

func duePB(d gallery.Due) *pb.DueStudent {
	out := &pb.DueStudent{
		StudentId: d.StudentID,
		Groups:    d.Groups,
		Crops:     int32(d.Crops),
		Newest:    timePB(d.Newest),
		BestScore: d.BestScore,
	}
	for _, reason := range d.Reasons {
		out.Reasons = append(out.Reasons, pb.DueReason(pb.DueReason_value["DUE_REASON_"+reason]))
	}
	return out
}
