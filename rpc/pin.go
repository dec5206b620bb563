package rpc

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"rollcall/gallery"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// galleryHeader names the gallery that a call is about.
const galleryHeader = "Rollcall-Gallery"

// journalCalls begins the paths of the calls about the journal.
const journalCalls = "/" + rollcallv1connect.JournalServiceName + "/"

type galleryKey struct{}

// pin keeps the gallery that the header names in memory until release is called.
// Handlers get it from the returned context. A call about the journal needs no gallery in
// memory: only its id is noted.
func (a *api) pin(ctx context.Context, procedure string, header http.Header) (_ context.Context, release func(), err error) {
	id, err := a.Galleries.Find(cmp.Or(header.Get(galleryHeader), gallery.DefaultGallery))
	if err != nil {
		return nil, nil, err
	}
	if !callerOf(ctx).MayUse(id) {
		return nil, nil, notFound(id)
	}
	recordOf(ctx).gallery = id
	if strings.HasPrefix(procedure, journalCalls) {
		return ctx, func() {}, nil
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
