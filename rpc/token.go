package rpc

import (
	"context"
	"errors"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/access"
	pb "rollcall/proto/rollcall/v1"
)

// tokenService answers the calls about who may do what. An admin of some galleries gets
// to know only of tokens for these.
type tokenService struct{ *api }

var roles = map[pb.Role]access.Role{
	pb.Role_ROLE_CHECKIN:  access.CheckIn,
	pb.Role_ROLE_REGISTER: access.Register,
	pb.Role_ROLE_ENROLL:   access.Enroll,
	pb.Role_ROLE_ADMIN:    access.Admin,
	pb.Role_ROLE_METRICS:  access.Metrics,
}

func (s tokenService) CreateToken(ctx context.Context, req *pb.CreateTokenRequest) (*pb.CreateTokenResponse, error) {
	s.granting.RLock()
	defer s.granting.RUnlock()
	want, err := s.wanted(ctx, req.GetName(), req.GetRole(), req.GetGalleries(), req.GetGroups())
	if err != nil {
		return nil, err
	}
	if want.Embeddings = req.GetEmbeddings(); want.Embeddings && s.Tokens.Any() && !callerOf(ctx).Embeddings {
		return nil, newError(connect.CodePermissionDenied, "EMBEDDING_NOT_ALLOWED",
			"your token was made without embeddings, so it makes none with them: use one that has them, or \"rollcall tokens create --data\" where the server's folder is", nil)
	}
	if req.GetExpires() != nil {
		if err := req.GetExpires().CheckValid(); err != nil {
			return nil, fieldError("INVALID_REQUEST", "expires", "expires is not a time")
		}
		want.Expires = req.GetExpires().AsTime()
	}
	text, made, err := s.Tokens.Create(ctx, want, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	return &pb.CreateTokenResponse{Secret: text, Token: tokenPB(made)}, nil
}

// wanted returns what a token shall be able to do: in no more galleries than the caller.
// REQUIRES: granting is held.
func (s tokenService) wanted(ctx context.Context, name string, role pb.Role, galleries, groups []string) (access.Token, error) {
	caller := callerOf(ctx)
	if len(galleries) == 0 {
		galleries = caller.Galleries
	}
	galleries = slices.Clone(galleries)
	for i, id := range galleries {
		found, err := s.Galleries.Find(id)
		if err != nil || !caller.MayUse(found) {
			// A gallery that the caller may not use does not exist for it.
			return access.Token{}, errNotFound
		}
		galleries[i] = found
	}
	return access.Token{Caller: access.Caller{Name: name, Role: roles[role], Galleries: galleries, Groups: groups}}, nil
}

func (s tokenService) ListTokens(ctx context.Context, _ *pb.ListTokensRequest) (*pb.ListTokensResponse, error) {
	resp := new(pb.ListTokensResponse)
	for _, t := range s.Tokens.List() {
		if callerOf(ctx).MayManage(t.Galleries) {
			resp.Tokens = append(resp.Tokens, tokenPB(t))
		}
	}
	return resp, nil
}

func (s tokenService) RevokeToken(ctx context.Context, req *pb.RevokeTokenRequest) (*pb.RevokeTokenResponse, error) {
	token, err := s.Tokens.Get(req.GetTokenId())
	if err == nil && !callerOf(ctx).MayManage(token.Galleries) {
		err = access.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if err := s.Tokens.Revoke(ctx, token.Token, callerOf(ctx)); err != nil {
		return nil, err
	}
	return new(pb.RevokeTokenResponse), nil
}

func (s tokenService) CreatePairingCode(ctx context.Context, req *pb.CreatePairingCodeRequest) (*pb.CreatePairingCodeResponse, error) {
	if !s.Tokens.Any() {
		return nil, newError(connect.CodeFailedPrecondition, "NO_LOGIN",
			"nobody has to log in on this server, so there is nothing to pair with: make an admin's token first, with \"rollcall tokens create\"", nil)
	}
	s.granting.RLock()
	defer s.granting.RUnlock()
	want, err := s.wanted(ctx, req.GetName(), req.GetRole(), req.GetGalleries(), req.GetGroups())
	if err != nil {
		return nil, err
	}
	code, expires, err := s.Tokens.NewCode(want, callerOf(ctx))
	if errors.Is(err, access.ErrTooMany) {
		return nil, newError(connect.CodeResourceExhausted, "TOO_MANY_CODES", "too many pairing codes wait to be used: use one, or wait ten minutes", nil)
	}
	if err != nil {
		return nil, err
	}
	return &pb.CreatePairingCodeResponse{Code: code, Expires: timestamppb.New(expires)}, nil
}

func tokenPB(t access.Token) *pb.Token {
	out := &pb.Token{
		TokenId: t.Token, Name: t.Name, Galleries: t.Galleries, Groups: t.Groups, Embeddings: t.Embeddings, ParentId: t.Parent,
		Created: timePB(t.Created), Expires: timePB(t.Expires), Revoked: timePB(t.Revoked), LastUsed: timePB(t.Used),
	}
	for role, name := range roles {
		if name == t.Role {
			out.Role = role
		}
	}
	return out
}
