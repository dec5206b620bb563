package rpc

import (
	"context"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func (s galleryService) GetSettings(ctx context.Context, _ *pb.GetSettingsRequest) (*pb.GetSettingsResponse, error) {
	settings, err := galleryOf(ctx).Settings(ctx)
	if err != nil {
		return nil, err
	}
	coverage, err := galleryOf(ctx).Coverage(ctx, settings.Model)
	if err != nil {
		return nil, err
	}
	return &pb.GetSettingsResponse{Settings: settingsPB(settings), Coverage: s.coveragePB(coverage)}, nil
}

func (s galleryService) UpdateSettings(ctx context.Context, req *pb.UpdateSettingsRequest) (*pb.UpdateSettingsResponse, error) {
	settings, err := galleryOf(ctx).UpdateSettings(ctx, gallery.SettingsChange{
		Model: req.Model, FPIR: req.Fpir, Margin: req.Margin,
		KeepVerdicts: daysOf(req.KeepVerdicts), KeepChanges: daysOf(req.KeepChanges), RequireConsent: req.RequireConsent,
	})
	if err != nil {
		return nil, err
	}
	coverage, err := galleryOf(ctx).Coverage(ctx, settings.Model)
	if err != nil {
		return nil, err
	}
	return &pb.UpdateSettingsResponse{Settings: settingsPB(settings), Coverage: s.coveragePB(coverage)}, nil
}

func settingsPB(s gallery.Settings) *pb.Settings {
	return &pb.Settings{
		Model: s.Model, Fpir: s.FPIR, Margin: s.Margin,
		KeepVerdicts: int32(s.KeepVerdicts), KeepChanges: int32(s.KeepChanges), RequireConsent: s.RequireConsent,
	}
}

// daysOf returns a number of days that a request may leave out.
func daysOf(days *int32) *int {
	if days == nil {
		return nil
	}
	return new(int(*days))
}

// coveragePB adds to a coverage by which recipe this server uses the model, or why it
// cannot use it.
func (s galleryService) coveragePB(c gallery.Coverage) *pb.Coverage {
	out := &pb.Coverage{
		Crops:     int32(c.Crops),
		Without:   int32(c.Without),
		Otherwise: int32(c.Otherwise),
		Recipe:    c.Recipe,
	}
	if c.Model == "" {
		return out
	}
	var err error
	if out.ServerRecipe, err = s.Embedder.Recipe(c.Model); err != nil {
		out.ModelProblem = err.Error()
	}
	return out
}
