package rpc

import (
	"context"

	"rollcall/embedder"
	pb "rollcall/proto/rollcall/v1"
)

func (s attendanceService) Detect(ctx context.Context, req *pb.DetectRequest) (*pb.DetectResponse, error) {
	if err := s.countCrop(ctx); err != nil {
		return nil, err
	}
	photo, err := s.Embedder.Faces(ctx, embedder.PhotoRequest{
		Image: req.GetImage(), LeastFace: float64(req.GetLeastSize()), Caller: callerOf(ctx).Token,
	})
	if err != nil {
		return nil, err
	}
	resp := &pb.DetectResponse{Width: int32(photo.Width), Height: int32(photo.Height), Model: photo.Detector}
	for _, f := range photo.Faces {
		resp.Faces = append(resp.Faces, facePB(f))
	}
	s.server.opts.Metrics.facesFound(len(photo.Faces))
	return resp, nil
}

func facePB(f embedder.Face) *pb.FoundFace {
	quality := qualityPB(f.Quality)
	return &pb.FoundFace{
		Box:       &pb.Box{Left: f.Box[0], Top: f.Box[1], Width: f.Box[2], Height: f.Box[3]},
		Landmarks: pointsPB(&f.Landmarks),
		Size:      f.Size,
		Score:     f.Score,
		Quality:   quality,
		Reasons:   quality.GetReasons(),
	}
}
