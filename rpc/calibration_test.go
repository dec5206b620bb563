package rpc_test

import (
	"context"
	"slices"
	"testing"

	"rollcall/embedder/onnxtest"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// Where the model has no calibration, an FPIR that has no effect is named, and the
// default one, and one that has, are not.
func TestFPIRWithoutCalibration(t *testing.T) {
	bare := onnxtest.ArcFace(1)
	bare.Contract.Calibration, bare.Contract.CalibrationSource = nil, ""
	for name, c := range map[string]struct {
		model      onnxtest.Model
		set, asked float64
		warned     bool
	}{
		"asked":                         {bare, 0, 0.01, true},
		"set":                           {bare, 0.01, 0, true},
		"the default, asked":            {bare, 0.01, gallery.DefaultFPIR, false},
		"the default, set":              {bare, 0, 0, false},
		"asked of a calibrated model":   {onnxtest.ArcFace(1), 0, 0.01, false},
		"set, and the model calibrated": {onnxtest.ArcFace(1), 0.01, 0, false},
	} {
		w := newWorld(t, setup{models: []onnxtest.Model{c.model, onnxtest.Points()}, gallery: gallery.Options{New: gallery.Settings{FPIR: c.set, Model: "test-arcface"}}})
		enroll(t, w, 1, 0, "ada/1", "ada")
		ctx := context.Background()
		byImage, err := w.attendance().Identify(ctx, &pb.IdentifyRequest{Image: onnxtest.Face(1, 1), Fpir: c.asked})
		must(t, err)
		byCrop, err := w.attendance().Identify(ctx, &pb.IdentifyRequest{CropId: "ada/1", Fpir: c.asked})
		must(t, err)
		roll, err := w.attendance().RollCall(ctx, &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: onnxtest.Face(1, 1)}}, Fpir: c.asked})
		must(t, err)
		for call, warnings := range map[string][]pb.Warning{"Identify": byImage.GetWarnings(), "Identify of a crop": byCrop.GetWarnings(), "RollCall": roll.GetWarnings()} {
			if slices.Contains(warnings, pb.Warning_WARNING_NOT_CALIBRATED) != c.warned {
				t.Errorf("%s: %s: warnings %v, want one: %v", name, call, warnings, c.warned)
			}
		}
	}
}
