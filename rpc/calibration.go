package rpc

import (
	"context"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// calibrationWarnings warns if the call, or else the gallery, has another FPIR than the
// default, and the model has no calibration that could turn it into a threshold.
func (a *api) calibrationWarnings(ctx context.Context, model string, asked float64) ([]pb.Warning, error) {
	fpir := asked
	if fpir == 0 {
		settings, err := galleryOf(ctx).Settings(ctx)
		if err != nil {
			return nil, err
		}
		fpir = settings.FPIR
	}
	if fpir == gallery.DefaultFPIR {
		return nil, nil
	}
	calibrated, known := a.calibrated.Load(model)
	if !known {
		m, err := a.Models.Model(model)
		if err != nil {
			return nil, err
		}
		calibrated = len(m.Contract.Calibration) > 0
		a.calibrated.Store(model, calibrated)
	}
	if calibrated.(bool) {
		return nil, nil
	}
	return []pb.Warning{pb.Warning_WARNING_NOT_CALIBRATED}, nil
}
