package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func (s attendanceService) Verify(ctx context.Context, req *pb.VerifyRequest) (*pb.VerifyResponse, error) {
	if err := mayAskAbout(ctx, req.GetStudentId(), "student_id"); err != nil {
		return nil, err
	}
	res, err := s.embed(ctx, shown{image: req.GetImage(), landmarks: req.GetLandmarks(), face: req.GetFace()}, req.GetModel(), false)
	if err != nil {
		return nil, err
	}
	resp := &pb.VerifyResponse{
		Model: res.Model, Dimension: int32(res.Dimension), Quality: qualityPB(res.Quality),
		Liveness: pb.Liveness_LIVENESS_NOT_CHECKED,
	}
	if len(res.Quality.Reasons) > 0 {
		resp.Verdict = pb.Verdict_VERDICT_UNUSABLE
		resp.Reasons = resp.GetQuality().GetReasons()
	} else {
		found, err := galleryOf(ctx).Verify(ctx, gallery.Claim{Embedding: embeddingOf(res), StudentID: req.GetStudentId(), FMR: req.GetFmr()})
		if errors.Is(err, gallery.ErrInvalidFPIR) {
			return nil, fieldError("INVALID_FPIR", "fmr", fmt.Sprintf("fmr is %g; it can be %g to %g, or 0 for the default", req.GetFmr(), gallery.MinFPIR, gallery.MaxFPIR))
		}
		if err != nil {
			return nil, err
		}
		resp.Verdict = verdicts[found.Verdict]
		resp.Similarity, resp.Threshold = found.Similarity, found.Threshold
		resp.Reasons = reasonsPB(found.Reasons)
		resp.Warnings = warningsPB(found.Warnings)
		resp.Fmr = fpirPB(found.FMR)
	}
	line := verifyLine(resp, res.Recipe, cmp.Or(req.GetFmr(), gallery.DefaultFMR))
	if resp.GetVerdict() == pb.Verdict_VERDICT_MATCH {
		line.StudentId = req.GetStudentId()
	}
	s.noteVerdict(ctx, line)
	return resp, nil
}
