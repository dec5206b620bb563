package rpc

import (
	"context"
	"slices"

	"rollcall/embedder"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// IdentifyBurst fails as a whole if a frame is no image, and names this frame. A frame
// that cannot be judged does not count.
func (s attendanceService) IdentifyBurst(ctx context.Context, req *pb.IdentifyBurstRequest) (*pb.IdentifyBurstResponse, error) {
	within, err := scope(ctx, req.GetScope())
	if err != nil {
		return nil, err
	}
	name, err := s.modelName(ctx, req.GetModel())
	if err != nil {
		return nil, err
	}
	frames := make([]shown, len(req.GetFrames()))
	for i, f := range req.GetFrames() {
		frames[i] = shown{image: f.GetImage(), landmarks: f.GetLandmarks(), box: f.GetBox(), face: f.GetFace()}
	}
	results, err := s.embedAll(ctx, "frames", frames, name)
	if err != nil {
		return nil, err
	}
	resp := &pb.IdentifyBurstResponse{Model: name, Dimension: int32(results[0].Dimension), Liveness: pb.Liveness_LIVENESS_NOT_CHECKED}
	burst := gallery.Burst{Scope: within, FPIR: req.GetFpir(), Candidates: int(req.GetMaxCandidates())}
	var usable []*pb.FrameResult // of burst.Frames
	for _, res := range results {
		frame := &pb.FrameResult{Quality: qualityPB(res.Quality)}
		frame.Reasons = frame.GetQuality().GetReasons()
		resp.Frames = append(resp.Frames, frame)
		if len(frame.GetReasons()) == 0 {
			burst.Frames = append(burst.Frames, embeddingOf(res))
			usable = append(usable, frame)
		}
	}
	var asked float64
	if len(usable) == 0 {
		resp.Verdict, resp.Reasons = pb.Verdict_VERDICT_UNUSABLE, allReasons(results)
	} else if asked, err = judgeBurst(ctx, burst, resp, usable); err != nil {
		return nil, err
	}
	resp.Line, err = s.recordVerdict(ctx, burstLine(resp, results[0].Recipe, asked), req.GetAwaitLine())
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// judgeBurst fills in the verdict, and the results of the frames that could be judged. It
// returns the FPIR of the threshold.
func judgeBurst(ctx context.Context, burst gallery.Burst, resp *pb.IdentifyBurstResponse, usable []*pb.FrameResult) (float64, error) {
	found, frames, err := galleryOf(ctx).IdentifyBurst(ctx, burst)
	if err != nil {
		return 0, err
	}
	resp.Verdict = pb.Verdict_VERDICT_UNUSABLE // until a frame counts
	for i, f := range frames {
		usable[i].Counted, usable[i].Agreement = f.Counted, f.Agreement
		if f.Counted {
			resp.Verdict = verdicts[found.Verdict]
		} else {
			usable[i].Reasons = []pb.Reason{pb.Reason_REASON_ANOTHER_PERSON}
		}
	}
	resp.StudentId = found.StudentID
	resp.Similarity, resp.Threshold = found.Similarity, found.Threshold
	resp.Candidates = explained(ctx, found)
	resp.Reasons = reasonsPB(found.Reasons)
	resp.StudentsInScope = int32(found.Students)
	resp.Exact = &found.Exact
	resp.Warnings = warningsPB(found.Warnings)
	resp.Fpir = fpirPB(found.FPIR)
	return found.AskedFPIR, nil
}

// allReasons returns why crops are unusable, each reason once.
func allReasons(results []*embedder.Result) []pb.Reason {
	var all []embedder.Reason
	for _, res := range results {
		for _, r := range res.Quality.Reasons {
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return reasonsPB(all)
}
