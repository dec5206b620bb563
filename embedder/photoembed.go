package embedder

import (
	"context"
	"time"

	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// FacesRequest is a photo whose faces are to be embedded.
type FacesRequest struct {
	PhotoRequest
	Model string // as [Request.Model]
	Enrol bool   // as [Request.Enrol]
	Most  int    // how many faces are embedded at most, the largest first
}

// EmbedFaces is [Embedder.Faces], and runs a model on the faces. The results are those of the first faces of
// [Photo.Faces], at most [FacesRequest.Most]. All is done in one turn in the queue, and the photo is decoded
// once. A model that does not align gets the square around each face. The errors are those of
// [Embedder.Embed].
func (e *Embedder) EmbedFaces(ctx context.Context, req FacesRequest) (*Photo, []*Result, error) {
	if err := e.enter(); err != nil {
		return nil, nil, err
	}
	defer e.calls.Done()
	m, err := e.registry.acquire(ctx, models.Embedder, req.Model)
	if err != nil {
		return nil, nil, err
	}
	defer e.registry.release(m)
	var results []*Result
	photo, err := e.faces(ctx, req.PhotoRequest, func(c crew, pic *picture.Picture, p *Photo) error {
		results = make([]*Result, min(len(p.Faces), req.Most))
		return c.each(ctx, len(results), func(i int) (err error) {
			results[i], err = e.embedFace(ctx, m, pic, p.Faces[i], req.Enrol)
			return err
		})
	})
	if err != nil {
		return nil, nil, err
	}
	return photo, results, nil
}

// embedFace runs a model on one face of a photo. REQUIRES: the caller holds a place of the queue.
func (e *Embedder) embedFace(ctx context.Context, m *model, pic *picture.Picture, face Face, enrol bool) (*Result, error) {
	watch := &stopwatch{last: time.Now()}
	defer watch.report(e.options.Observe)
	result, err := e.resultOf(m)
	if err != nil {
		return nil, err
	}
	result.Quality = face.Quality
	if enrol {
		seen := finding{
			face: locate.Face{Score: face.Quality.LocatorScore}, certainty: float64(face.Quality.Certainty),
			found: true, view: asShown,
		}
		result.Quality = assess(pic, &face.Landmarks, seen, enrolmentLimits)
	}
	if m.contract.Input.Fit == models.FitAlign {
		result.Landmarks, result.LandmarksFrom = &face.Landmarks, FromLocator
	} else {
		square, err := cutSquare(pic, face.Landmarks)
		if err != nil {
			return nil, err
		}
		defer square.Release()
		pic = square
	}
	result.Embedding, err = infer(ctx, m, pic, result.Landmarks, asShown, enrol, watch)
	result.Timings = watch.timings
	return result, err
}
