package main

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/access"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

// createInFolder makes a token in a data folder. Nobody has to log in for that: who can
// write to the folder may do everything anyway.
func createInFolder(ctx context.Context, folder string, req *pb.CreateTokenRequest) (_ *pb.CreateTokenResponse, err error) {
	store, err := storage.Open(folder, storage.Options{})
	if errors.Is(err, storage.ErrLocked) {
		return nil, fmt.Errorf("a server has %s open: stop it, or leave --data (and ROLLCALL_DATA) out to ask the server", folder)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
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
