package rpc

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/models"
	pb "rollcall/proto/rollcall/v1"
)

// api is what the services share.
type api struct {
	Backend
	server *Server
	logger *slog.Logger

	// granting is held by who makes a token or a code, and alone by who deletes a gallery: none
	// is made for a gallery that is being deleted.
	granting sync.RWMutex

	mu struct {
		sync.Mutex
		preferred string // embedder; "" until one is installed
		worked    string // the default gallery's embedder, once it was loaded; "" before
	}
}

// modelName returns the embedder that a call uses: the one that it asks for; else that
// of the gallery's settings; else the preferred one.
func (a *api) modelName(ctx context.Context, asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	settings, err := galleryOf(ctx).Settings(ctx)
	if err != nil || settings.Model != "" {
		return settings.Model, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.preferred == "" {
		m, err := a.Models.Default(models.Embedder)
		if err != nil {
			return "", err
		}
		// It stays the same from now on: the embedder keeps its choice too.
		a.mu.preferred = m.Contract.Name
	}
	return a.mu.preferred, nil
}

// shown is a face of a request: an image, and what says where the face is on it.
type shown struct {
	image     []byte
	landmarks []*pb.Point
	box       *pb.Box
	face      pb.Face
}

// embed runs the embedder on a face of a request. With enrol the crop is to be stored;
// without, it is a probe or is only measured.
func (a *api) embed(ctx context.Context, f shown, model string, enrol bool) (*embedder.Result, error) {
	name, err := a.modelName(ctx, model)
	if err != nil {
		return nil, err
	}
	if err := a.countCrop(ctx); err != nil {
		return nil, err
	}
	return a.Embedder.Embed(ctx, embedder.Request{
		Image: f.image, Landmarks: landmarksOf(f.landmarks), Box: boxOf(f.box), Face: faceChoices[f.face],
		Model: name, Enrol: enrol, Caller: callerOf(ctx).Token,
	})
}

// embedAndStore is Embed, for the unary call and for the stream. It stores when before has
// ended; nil: at once.
func (a *api) embedAndStore(ctx context.Context, req *pb.EmbedRequest, before <-chan struct{}) (*pb.EmbedResponse, error) {
	if req.GetReturnEmbedding() && !callerOf(ctx).Embeddings {
		return nil, newError(connect.CodePermissionDenied, "EMBEDDING_NOT_ALLOWED",
			"embeddings go out only to a token that was made for it: leave return_embedding out, or make one with \"rollcall tokens create --embeddings\"", nil)
	}
	res, err := a.embed(ctx, shown{image: req.GetImage(), landmarks: req.GetLandmarks(), face: req.GetFace()}, req.GetModel(), req.GetCropId() != "")
	if err != nil {
		return nil, err
	}
	resp := &pb.EmbedResponse{
		Quality:        qualityPB(res.Quality),
		Dimension:      int32(res.Dimension),
		Model:          res.Model,
		Digest:         res.Digest,
		Recipe:         res.Recipe,
		Landmarks:      pointsPB(res.Landmarks),
		LandmarkSource: landmarkSources[res.LandmarksFrom],
	}
	if before != nil {
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if req.GetCropId() != "" {
		if err := a.store(ctx, req, res, resp); err != nil {
			return nil, err
		}
	}
	if req.GetReturnEmbedding() {
		resp.Embedding = res.Embedding
	}
	return resp, nil
}

// store enrols what was embedded and completes resp.
func (a *api) store(ctx context.Context, req *pb.EmbedRequest, res *embedder.Result, resp *pb.EmbedResponse) error {
	if len(res.Quality.Reasons) > 0 {
		return unusable(res.Quality)
	}
	start := time.Now()
	enrolled, err := galleryOf(ctx).Enroll(ctx, gallery.Enrolment{
		CropID:         req.GetCropId(),
		StudentID:      req.GetStudentId(),
		Groups:         req.GetGroups(),
		Embedding:      embeddingOf(res),
		Quality:        storedQuality(res.Quality),
		AllowDuplicate: req.GetAllowDuplicate(),
		AllowUnlike:    req.GetAllowUnlike(),
	})
	a.server.opts.Metrics.enrolled(time.Since(start))
	if err != nil {
		return err
	}
	resp.CropId = enrolled.Crop.ID
	resp.StudentId = enrolled.Crop.StudentID
	resp.Stored = true
	resp.Enrolled = enrolled.Crop.StudentID != ""
	resp.Replaced = enrolled.Replaced
	resp.Corrected = enrolled.Corrected
	resp.StudentCrops = int32(enrolled.Crops)
	resp.Warnings = warningsPB(enrolled.Warnings)
	if enrolled.Resembles.StudentID != "" {
		resp.Resembles = candidatesPB([]gallery.Candidate{enrolled.Resembles})[0]
	}
	return nil
}
