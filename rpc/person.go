package rpc

import (
	"context"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// linesTogether is how many lines one response of ExportStudent holds: some 100 KB.
const linesTogether = 500

func (s exportService) ExportStudent(ctx context.Context, req *pb.ExportStudentRequest, stream *connect.ServerStream[pb.ExportStudentResponse]) error {
	if req.GetVectors() && !callerOf(ctx).Embeddings {
		return noVectors()
	}
	p, err := galleryOf(ctx).Person(ctx, req.GetStudentId(), req.GetVectors())
	if err != nil {
		return err
	}
	resp := &pb.ExportStudentResponse{StudentIds: p.IDs}
	if p.Student != nil {
		resp.Student = studentPB(*p.Student)
	}
	for _, e := range p.Vectors {
		resp.Vectors = append(resp.Vectors, &pb.ExportedVector{CropId: e.CropID, Model: e.Model, Vector: e.Vector})
	}
	found := p.Student != nil || len(p.Changes) > 0
	for changes := range slices.Chunk(p.Changes, linesTogether) {
		for _, c := range changes {
			resp.Changes = append(resp.Changes, changePB(c))
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
		resp = new(pb.ExportStudentResponse)
	}
	before, _, err := beginning(ctx, recordOf(ctx).journal)
	if err != nil {
		return err
	}
	for line, err := range recordOf(ctx).journal.Lines(ctx, before) {
		if err != nil {
			return err
		}
		if s.server.isDraining() {
			return s.server.unavailable()
		}
		if !slices.Contains(p.IDs, line.GetStudentId()) {
			continue
		}
		found = true
		if resp.Lines = append(resp.Lines, line); len(resp.Lines) < linesTogether {
			continue
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
		resp = new(pb.ExportStudentResponse)
	}
	if !found {
		return fmt.Errorf("%w: %q", gallery.ErrStudentNotFound, req.GetStudentId())
	}
	return stream.Send(resp)
}
