package rpc

import (
	"context"
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
	g, release, err := a.Galleries.Use(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, galleryKey{}, g), release, nil
}

// galleryOf returns the gallery of a call.
// REQUIRES: the interceptor has pinned one.
func galleryOf(ctx context.Context) *gallery.Gallery {
	return ctx.Value(galleryKey{}).(*gallery.Gallery)
}
