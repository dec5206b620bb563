package rpc

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func (s galleryService) ListGalleries(ctx context.Context, _ *pb.ListGalleriesRequest) (*pb.ListGalleriesResponse, error) {
	caller := callerOf(ctx)
	resp := new(pb.ListGalleriesResponse)
	for _, id := range s.Galleries.List() {
		if caller.MayUse(id) {
			resp.Galleries = append(resp.Galleries, &pb.Gallery{GalleryId: id})
		}
	}
	return resp, nil
}

func (s galleryService) CreateGallery(ctx context.Context, req *pb.CreateGalleryRequest) (*pb.CreateGalleryResponse, error) {
	if err := mayChangeList(ctx); err != nil {
		return nil, err
	}
	id, err := gallery.ParseID(req.GetGalleryId())
	if err != nil {
		return nil, err
	}
	if err := s.Galleries.Create(ctx, id); err != nil {
		return nil, err
	}
	return &pb.CreateGalleryResponse{Gallery: &pb.Gallery{GalleryId: id}}, nil
}

func (s galleryService) DeleteGallery(ctx context.Context, req *pb.DeleteGalleryRequest) (*pb.DeleteGalleryResponse, error) {
	if err := mayChangeList(ctx); err != nil {
		return nil, err
	}
	id, err := gallery.ParseID(req.GetGalleryId())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", gallery.ErrGalleryNotFound, err)
	}
	if err := s.deleteGallery(ctx, id); err != nil {
		return nil, err
	}
	s.Eraser.FinishGalleries(ctx)
	return &pb.DeleteGalleryResponse{}, nil
}

func (s galleryService) deleteGallery(ctx context.Context, id string) error {
	s.granting.Lock()
	defer s.granting.Unlock()
	if _, err := s.Galleries.Find(id); err == nil && id != gallery.DefaultGallery {
		// Before the gallery: if the server stops between, the caller deletes it again.
		if err := s.Tokens.Leave(ctx, id, callerOf(ctx)); err != nil {
			return err
		}
	}
	return s.Journals.Delete(id, func() error { return s.Galleries.Delete(ctx, id) })
}

// mayChangeList refuses a caller that may use some galleries only: it would learn from the
// answer which others there are.
func mayChangeList(ctx context.Context) error {
	if len(callerOf(ctx).Galleries) == 0 {
		return nil
	}
	return newError(connect.CodePermissionDenied, "ALL_GALLERIES_ONLY",
		"galleries are made and deleted by callers who may use all of them: use such a token", nil)
}
