package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/gallery"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// galleryHeader names the gallery that a call is about, escaped as in an address if it has
// other characters than a header may have.
const galleryHeader = "Rollcall-Gallery"

// journalCalls begins the paths of the calls about the journal.
const journalCalls = "/" + rollcallv1connect.JournalServiceName + "/"

type galleryKey struct{}

// pin keeps the gallery that the header names in memory until release is called.
// Handlers get it from the returned context. A call about the journal needs no gallery in
// memory: it needs the journal, which is noted for all calls.
func (a *api) pin(ctx context.Context, procedure string, header http.Header) (_ context.Context, release func(), err error) {
	id, ok := named(header.Get(galleryHeader), callerOf(ctx))
	if !ok {
		return nil, nil, errNotFound
	}
	written, err := a.Journals.Of(id)
	if errors.Is(err, journal.ErrNoGallery) {
		return nil, nil, errNotFound
	}
	if err != nil {
		return nil, nil, err
	}
	recordOf(ctx).journal = written
	if strings.HasPrefix(procedure, journalCalls) {
		return ctx, func() {}, nil
	}
	g, release, err := a.Galleries.Use(ctx, id)
	if errors.Is(err, gallery.ErrGalleryNotFound) {
		return nil, nil, errNotFound
	}
	if err != nil {
		return nil, nil, err
	}
	// The gallery may have been deleted, and made again, while the body came: its tokens
	// left it then. What is held now is asked for anew.
	if caller := callerOf(ctx); caller.Token != "" {
		if now, err := a.Tokens.Get(caller.Token); err != nil || !now.MayUse(id) {
			release()
			return nil, nil, errNotFound
		}
	}
	return context.WithValue(ctx, galleryKey{}, g), release, nil
}

// errNotFound is what a caller gets for a gallery that does not exist, and for one that it
// may not use: nobody learns which other galleries there are.
var errNotFound = fmt.Errorf("%w: you may use no gallery of this name: ListGalleries tells yours, and the header %s names one", gallery.ErrGalleryNotFound, galleryHeader)

// named returns the gallery that a header names, if the caller may use it. Without a name
// it is the caller's only gallery, or the default one.
func named(header string, caller access.Caller) (id string, ok bool) {
	id, err := url.PathUnescape(header)
	switch {
	case err == nil && id != "":
		id, err = gallery.ParseID(id)
	case len(caller.Galleries) == 1:
		id = caller.Galleries[0]
	default:
		id = gallery.DefaultGallery
	}
	return id, err == nil && caller.MayUse(id)
}

// galleryOf returns the gallery of a call.
// REQUIRES: the interceptor has pinned one.
func galleryOf(ctx context.Context) *gallery.Gallery {
	return ctx.Value(galleryKey{}).(*gallery.Gallery)
}
