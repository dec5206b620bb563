package rpc

import (
	"context"
	"math"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func (s galleryService) GetCalibration(ctx context.Context, req *pb.GetCalibrationRequest) (*pb.GetCalibrationResponse, error) {
	name, err := s.modelName(ctx, req.GetModel())
	if err != nil {
		return nil, err
	}
	state, err := galleryOf(ctx).Calibration(ctx, name)
	if err != nil {
		return nil, err
	}
	return &pb.GetCalibrationResponse{Calibration: calibrationPB(state)}, nil
}

func (s galleryService) UpdateCalibration(ctx context.Context, req *pb.UpdateCalibrationRequest) (*pb.UpdateCalibrationResponse, error) {
	name, err := s.modelName(ctx, req.GetModel())
	if err != nil {
		return nil, err
	}
	if req.Frozen != nil {
		err = galleryOf(ctx).FreezeCalibration(ctx, name, req.GetFrozen())
	} else {
		points := make([]gallery.Calibration, len(req.GetPoints()))
		for i, p := range req.GetPoints() {
			points[i] = gallery.Calibration{FMR: p.GetFmr(), Similarity: p.GetSimilarity()}
		}
		err = galleryOf(ctx).SetCalibration(ctx, name, points)
	}
	if err != nil {
		return nil, err
	}
	state, err := galleryOf(ctx).Calibration(ctx, name)
	if err != nil {
		return nil, err
	}
	return &pb.UpdateCalibrationResponse{Calibration: calibrationPB(state)}, nil
}

func calibrationPB(c gallery.CalibrationState) *pb.Calibration {
	out := &pb.Calibration{
		Model:       c.Model,
		Source:      pb.CalibrationSource(pb.CalibrationSource_value["CALIBRATION_SOURCE_"+string(c.Source)]),
		Frozen:      c.Frozen,
		Threshold:   c.Threshold,
		Students:    int32(c.Students),
		Comparisons: int64(c.Comparisons),
		LeftOut:     int64(c.LeftOut),
		Made:        timePB(c.Made),
	}
	for _, p := range c.Points {
		out.Points = append(out.Points, &pb.OperatingPoint{Fmr: p.FMR, Similarity: p.Similarity})
	}
	return out
}

// fpirPB returns nil for NaN: the model is not calibrated.
func fpirPB(fpir float64) *float64 {
	if math.IsNaN(fpir) {
		return nil
	}
	return &fpir
}

func cropSimilaritiesPB(crops []gallery.CropSimilarity) []*pb.CropSimilarity {
	out := make([]*pb.CropSimilarity, len(crops))
	for i, c := range crops {
		out[i] = &pb.CropSimilarity{CropId: c.CropID, Similarity: c.Similarity, Alone: c.Alone}
	}
	return out
}
