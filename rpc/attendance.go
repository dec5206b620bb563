package rpc

import (
	"context"

	"rollcall/access"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// attendanceService answers the calls about crops and photos.
type attendanceService struct{ *api }

func (s attendanceService) Embed(ctx context.Context, req *pb.EmbedRequest) (*pb.EmbedResponse, error) {
	return s.embedAndStore(ctx, req, nil)
}

func (s attendanceService) Identify(ctx context.Context, req *pb.IdentifyRequest) (*pb.IdentifyResponse, error) {
	within, err := scope(ctx, req.GetScope())
	if err != nil {
		return nil, err
	}
	probe := gallery.Probe{
		Scope:      within,
		FPIR:       req.GetFpir(),
		Candidates: int(req.GetMaxCandidates()),
	}
	if req.GetCropId() != "" {
		return s.identifyStored(ctx, req, probe)
	}
	res, err := s.embed(ctx, shown{image: req.GetImage(), landmarks: req.GetLandmarks(), face: req.GetFace()}, req.GetModel(), false)
	if err != nil {
		return nil, err
	}
	resp := &pb.IdentifyResponse{Model: res.Model, Dimension: int32(res.Dimension), Quality: qualityPB(res.Quality)}
	var found gallery.Identification
	if len(res.Quality.Reasons) > 0 {
		resp.Verdict = pb.Verdict_VERDICT_UNUSABLE
		resp.Reasons = resp.GetQuality().GetReasons()
	} else {
		probe.Embedding = embeddingOf(res)
		if found, err = galleryOf(ctx).Identify(ctx, probe); err != nil {
			return nil, err
		}
		fillIdentification(ctx, resp, found)
	}
	resp.Line, err = s.recordVerdict(ctx, identifyLine(resp, res.Recipe, found.AskedFPIR), req.GetAwaitLine())
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// identifyStored judges a crop that is in the gallery already.
func (s attendanceService) identifyStored(ctx context.Context, req *pb.IdentifyRequest, probe gallery.Probe) (*pb.IdentifyResponse, error) {
	if err := mayNameCrops(ctx); err != nil {
		return nil, err
	}
	name, err := s.modelName(ctx, req.GetModel())
	if err != nil {
		return nil, err
	}
	probe.Embedding.Model = name
	found, err := galleryOf(ctx).IdentifyCrop(ctx, req.GetCropId(), probe)
	if err != nil {
		return nil, err
	}
	resp := &pb.IdentifyResponse{Model: name, Dimension: int32(found.Dimension)}
	fillIdentification(ctx, resp, found)
	resp.Line, err = s.recordVerdict(ctx, identifyLine(resp, found.Recipe, found.AskedFPIR), req.GetAwaitLine())
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func fillIdentification(ctx context.Context, resp *pb.IdentifyResponse, found gallery.Identification) {
	resp.Verdict = verdicts[found.Verdict]
	resp.StudentId = found.StudentID
	resp.Similarity = found.Similarity
	resp.Threshold = found.Threshold
	resp.Candidates = explained(ctx, found)
	resp.Reasons = reasonsPB(found.Reasons)
	resp.StudentsInScope = int32(found.Students)
	resp.Exact = &found.Exact
	resp.Warnings = warningsPB(found.Warnings)
	resp.Fpir = fpirPB(found.FPIR)
}

// explained returns the candidates of an answer with their crops, as far as the caller may
// see them.
func explained(ctx context.Context, found gallery.Identification) []*pb.Candidate {
	out := candidates(ctx, found.Candidates)
	if callerOf(ctx).Role != access.CheckIn {
		for i, c := range out {
			c.Crops = cropSimilaritiesPB(found.Crops[i])
		}
	}
	return out
}
