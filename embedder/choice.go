package embedder

import (
	"context"

	"rollcall/models"
)

// FaceChoice says which face of a photo is meant.
type FaceChoice string

// The choices.
const (
	FaceOnly    FaceChoice = "ONLY"    // the only one; if there are more, the result says [SeveralFaces]
	FaceLargest FaceChoice = "LARGEST" // the largest one
)

// embedChosen embeds one face of a photo.
func (e *Embedder) embedChosen(ctx context.Context, req Request) (*Result, error) {
	photo, results, err := e.EmbedFaces(ctx, FacesRequest{
		PhotoRequest: PhotoRequest{Image: req.Image, Caller: req.Caller},
		Model:        req.Model, Enrol: req.Enrol, Most: 1,
	})
	if err != nil {
		return nil, err
	}
	if len(results) == 0 {
		return e.noFace(ctx, req.Model, photo)
	}
	result := results[0]
	if req.Face == FaceOnly && len(photo.Faces) > 1 {
		result.Quality.Reasons = append(result.Quality.Reasons, SeveralFaces)
	}
	return result, nil
}

// noFace is the result for a photo without a face.
func (e *Embedder) noFace(ctx context.Context, model string, photo *Photo) (*Result, error) {
	m, err := e.registry.acquire(ctx, models.Embedder, model)
	if err != nil {
		return nil, err
	}
	defer e.registry.release(m)
	result, err := e.resultOf(m)
	if err != nil {
		return nil, err
	}
	result.Quality = Quality{Width: photo.Width, Height: photo.Height, Stretched: 1, Reasons: []Reason{NoFace}}
	return result, nil
}
