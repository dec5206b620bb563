package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/access"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/rpc"
	"rollcall/storage"
)

// createInFolder makes a token in a data folder. Nobody has to log in for that: who can
// write to the folder may do everything anyway.
func createInFolder(ctx context.Context, folder string, sealKey sealKeyOptions, req *pb.CreateTokenRequest) (_ *pb.CreateTokenResponse, err error) {
	if err := rpc.Validate(req); err != nil {
		return nil, usageError("%w", err)
	}
	store, err := sealKey.open(ctx, folder, storage.Options{})
	if errors.Is(err, storage.ErrLocked) {
		return nil, fmt.Errorf("a server has %s open: stop it, or leave --data (and ROLLCALL_DATA) out to ask the server", folder)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := haveGalleries(ctx, store, req.GetGalleries()); err != nil {
		return nil, err
	}
	tokens, err := access.OpenTokens(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tokens.Close()) }()
	want := access.Token{Caller: access.Caller{
		Name: req.GetName(), Role: access.Role(roleWord(req.GetRole())), Galleries: req.GetGalleries(), Groups: req.GetGroups(), Embeddings: req.GetEmbeddings(),
	}}
	if req.GetExpires() != nil {
		want.Expires = req.GetExpires().AsTime()
	}
	text, made, err := tokens.Create(ctx, want, access.Anybody)
	if err != nil {
		return nil, err
	}
	return &pb.CreateTokenResponse{Secret: text, Token: &pb.Token{
		TokenId: made.Token, Name: made.Name, Role: req.GetRole(), Galleries: made.Galleries, Groups: made.Groups,
		Embeddings: made.Embeddings, Created: timestamppb.New(made.Created), Expires: req.GetExpires(),
	}}, nil
}

// haveGalleries returns an error unless the folder has all of these galleries: one that is
// made later under such a name would be open to the token.
func haveGalleries(ctx context.Context, store *storage.Store, wanted []string) error {
	known, err := galleriesIn(ctx, store)
	if err != nil {
		return err
	}
	known = append(known, gallery.DefaultGallery) // the first start makes it
	for _, id := range wanted {
		parsed, err := gallery.ParseID(id)
		if err != nil {
			return usageError("--allow-gallery: %w", err)
		}
		if !slices.Contains(known, parsed) {
			return usageError("--allow-gallery is %q; the folder has no such gallery: make it first, with \"rollcall galleries create\" on a server", id)
		}
	}
	return nil
}
