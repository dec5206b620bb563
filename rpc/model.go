package rpc

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"connectrpc.com/connect"

	"rollcall/models"
	pb "rollcall/proto/rollcall/v1"
)

// modelService answers the calls about models.
type modelService struct{ *api }

func (s modelService) ListModels(ctx context.Context, req *pb.ListModelsRequest) (*pb.ListModelsResponse, error) {
	list, err := s.Models.List()
	if err != nil {
		return nil, err
	}
	resp := new(pb.ListModelsResponse)
	describe := s.describer(ctx)
	for _, m := range list {
		if m.Installed || !req.GetInstalledOnly() {
			resp.Models = append(resp.Models, describe(m))
		}
	}
	slices.SortFunc(resp.Models, func(a, b *pb.Model) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return resp, nil
}

func (s modelService) GetModel(ctx context.Context, req *pb.GetModelRequest) (*pb.GetModelResponse, error) {
	name, err := s.modelName(ctx, req.GetModel())
	if err != nil {
		return nil, err
	}
	m, err := s.Models.Model(name)
	if err != nil && !errors.Is(err, models.ErrNotInstalled) {
		if errors.Is(err, models.ErrUnknownModel) {
			return nil, newError(connect.CodeNotFound, "UNKNOWN_MODEL", err.Error(), nil)
		}
		return nil, err
	}
	return &pb.GetModelResponse{Model: s.describer(ctx)(m)}, nil
}

var kinds = map[models.Kind]pb.ModelKind{
	models.Embedder: pb.ModelKind_MODEL_KIND_EMBEDDER,
	models.Locator:  pb.ModelKind_MODEL_KIND_LOCATOR,
	models.Detector: pb.ModelKind_MODEL_KIND_DETECTOR,
}

// describer returns a function that describes models in their present state.
func (s modelService) describer(ctx context.Context) func(models.Model) *pb.Model {
	loaded := make(map[string]bool)
	for _, m := range s.Embedder.Stats().Models {
		loaded[m.Name] = true
	}
	embeddings := make(map[string]int32)
	for _, m := range galleryOf(ctx).Stats().Models {
		embeddings[m.Name] = int32(m.Vectors)
	}
	used, err := s.modelName(ctx, "")
	if err != nil {
		used = "" // none is installed, so none is the default
	}
	return func(m models.Model) *pb.Model {
		c := m.Contract
		return &pb.Model{
			Name:              c.Name,
			Kind:              kinds[c.Kind],
			Title:             c.Title,
			Installed:         m.Installed,
			Default:           c.Name == used,
			Loaded:            loaded[c.Name],
			Digest:            c.SHA256,
			Dimension:         int32(c.Output.Dimension),
			InputWidth:        int32(c.Input.Width),
			InputHeight:       int32(c.Input.Height),
			Threshold:         c.Threshold,
			CalibrationPoints: int32(len(c.Calibration)),
			Licence:           c.Licence.Name,
			Embeddings:        embeddings[c.Name],
			TrainingData:      c.TrainingData.String(),
		}
	}
}
