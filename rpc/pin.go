package rpc

import (
	"context"
	"fmt"
	"net/http"

	"rollcall/gallery"
)

// galleryHeader names the gallery that a call is about.
const galleryHeader = "Rollcall-Gallery"

type galleryKey struct{}

// pin keeps the gallery that the header names in memory until release is called.
// Handlers get it from the returned context.
func (a *api) pin(ctx context.Context, header http.Header) (_ context.Context, release func(), err error) {
	id := header.Get(galleryHeader)
	if id == "" {
		id = gallery.DefaultGallery
	}
	if !callerOf(ctx).MayUse(id) {
		return nil, nil, notFound(id)
	}
	g, release, err := a.Galleries.Use(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, galleryKey{}, g), release, nil
}

// notFound is what a caller gets for a gallery that it may not use: the same as for one
// that does not exist.
func notFound(id string) error { return fmt.Errorf("%w: %q", gallery.ErrGalleryNotFound, id) }

// galleryOf returns the gallery of a call.
// REQUIRES: the interceptor has pinned one.
func galleryOf(ctx context.Context) *gallery.Gallery {
	return ctx.Value(galleryKey{}).(*gallery.Gallery)
}
