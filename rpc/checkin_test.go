package rpc_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// TestWhatACheckInLearns: at most three candidates and no ids of crops, and only about the
// students of its groups.
func TestWhatACheckInLearns(t *testing.T) {
	w := newWorld(t, setup{})
	for i := range 8 {
		enroll(t, w, int64(i), 0, fmt.Sprintf("c%d", i), fmt.Sprintf("s%d", i), []string{"3b", "3c"}[i%2])
	}
	w.admin()
	client := func(c access.Caller) rollcallv1connect.AttendanceServiceClient {
		return rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, bearer(w.token(c)))
	}
	free, bound := client(access.Caller{Role: access.CheckIn}), client(access.Caller{Role: access.CheckIn, Groups: []string{"3b", "größe"}})
	office := client(access.Caller{Role: access.Enroll})
	ctx, probe := t.Context(), onnxtest.Face(0, 1)

	seen, err := office.Identify(ctx, &pb.IdentifyRequest{Image: probe, MaxCandidates: 100})
	must(t, err)
	if len(seen.GetCandidates()) != 8 || seen.GetCandidates()[0].GetCropId() == "" {
		t.Errorf("the office sees %v", seen.GetCandidates())
	}
	for name, most := range map[string]int32{"all": 100, "the default": 0, "two": 2} {
		got, err := free.Identify(ctx, &pb.IdentifyRequest{Image: probe, MaxCandidates: most})
		must(t, err)
		want := min(3, len(got.GetCandidates()))
		if most == 2 {
			want = 2
		}
		if len(got.GetCandidates()) != want || want < 2 || got.GetVerdict() != seen.GetVerdict() || got.GetStudentId() != "s0" || got.GetStudentsInScope() != 8 {
			t.Errorf("asking for %s: %v", name, got)
		}
		for i, c := range got.GetCandidates() {
			if c.GetCropId() != "" || c.GetStudentId() != seen.GetCandidates()[i].GetStudentId() {
				t.Errorf("asking for %s: candidate %v", name, c)
			}
		}
	}
	roll, err := free.RollCall(ctx, &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: probe}}})
	must(t, err)
	if c := roll.GetSeats()[0].GetCandidates(); len(c) == 0 || len(c) > 3 || slices.ContainsFunc(c, func(c *pb.Candidate) bool { return c.GetCropId() != "" }) {
		t.Errorf("a roll call shows %v", c)
	}
	for _, c := range []rollcallv1connect.AttendanceServiceClient{free, bound} {
		if _, err := c.Identify(ctx, &pb.IdentifyRequest{CropId: "c0"}); reasonOf(err) != "CROP_NOT_ALLOWED" {
			t.Errorf("asking about a stored crop: %v", err)
		}
	}

	for _, c := range []struct {
		scope    *pb.Scope
		students int // in scope; 0: refused
	}{
		{nil, 4},
		{&pb.Scope{}, 4},
		{&pb.Scope{Groups: []string{"3b"}}, 4},
		{&pb.Scope{StudentIds: []string{"s0", "s2"}}, 2},
		{&pb.Scope{Groups: []string{"3b", "gro\u0308\u00dfe"}}, 4}, // another form of größe
		{&pb.Scope{Groups: []string{"3c"}}, 0},
		{&pb.Scope{Groups: []string{"3b", "3c"}}, 0},
		{&pb.Scope{Groups: []string{"nobody"}}, 0},
		{&pb.Scope{StudentIds: []string{"s0", "s1"}}, 0},
		{&pb.Scope{StudentIds: []string{"nobody"}}, 0},
		{&pb.Scope{Groups: []string{"3b"}, StudentIds: []string{"s3"}}, 0},
	} {
		got, err := bound.Identify(ctx, &pb.IdentifyRequest{Image: probe, Scope: c.scope})
		_, rollErr := bound.RollCall(ctx, &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: probe}}, Scope: c.scope})
		for _, err := range []error{err, rollErr} {
			if refused := reasonOf(err) == "SCOPE_NOT_ALLOWED" && connect.CodeOf(err) == connect.CodePermissionDenied; refused != (c.students == 0) || !refused && err != nil {
				t.Errorf("%v: %v", c.scope, err)
			}
		}
		if int(got.GetStudentsInScope()) != c.students {
			t.Errorf("%v: %d students in scope, want %d", c.scope, got.GetStudentsInScope(), c.students)
		}
	}
}

// TestDeletedGalleryAdmitsNobody: a token is made for a gallery that there is, and ends with
// it. Another one of the same name does not admit it.
func TestDeletedGalleryAdmitsNobody(t *testing.T) {
	w := newWorld(t, setup{})
	admin := bearer(w.admin())
	head := newBrowser(w).tokens(admin)
	galleries := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, w.url, admin)
	want := &pb.CreateTokenRequest{Name: "office", Role: pb.Role_ROLE_ENROLL, Galleries: []string{"elm"}}
	if _, err := head.CreateToken(t.Context(), want); reasonOf(err) != "GALLERY_NOT_FOUND" {
		t.Errorf("a token for no gallery: %v", err)
	}
	create := func() {
		_, err := galleries.CreateGallery(t.Context(), &pb.CreateGalleryRequest{GalleryId: "elm"})
		must(t, err)
	}
	create()
	made, err := head.CreateToken(t.Context(), want)
	must(t, err)
	office := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, w.url, bearer(made.GetSecret()))
	_, err = office.ListStudents(t.Context(), &pb.ListStudentsRequest{})
	must(t, err)
	_, err = galleries.DeleteGallery(t.Context(), &pb.DeleteGalleryRequest{GalleryId: "elm"})
	must(t, err)
	create()
	if _, err := office.ListStudents(t.Context(), &pb.ListStudentsRequest{}); reasonOf(err) != "REVOKED_TOKEN" {
		t.Errorf("the token of a deleted gallery: %v", err)
	}
}

// TestNoTokenIsMadeBesideADeletion: while a gallery is being deleted, which lasts as long as
// somebody uses it, nobody gets a token or a code that the next gallery of this name admits.
func TestNoTokenIsMadeBesideADeletion(t *testing.T) {
	w := newWorld(t, setup{})
	admin := w.admin()
	head := newBrowser(w).tokens(bearer(admin))
	galleries := rollcallv1connect.NewGalleryServiceClient(h2c(), w.url, connect.WithGRPC(), bearer(admin))
	_, err := galleries.CreateGallery(t.Context(), &pb.CreateGalleryRequest{GalleryId: "elm"})
	must(t, err)
	old := w.token(access.Caller{Role: access.CheckIn, Galleries: []string{"elm"}})
	stream, err := galleries.EnrollStream(inGallery(t, "elm"))
	must(t, err)
	must(t, stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: onnxtest.Blank(1)}})) // needs an id
	_, err = stream.Receive()
	must(t, err) // the stream uses the gallery
	deleted := make(chan error, 1)
	go func() {
		_, err := galleries.DeleteGallery(t.Context(), &pb.DeleteGalleryRequest{GalleryId: "elm"})
		deleted <- err
	}()
	eventually(t, "the deletion has begun", func() bool { _, _, err := w.tokens.Check(old); return errors.Is(err, access.ErrRevoked) })
	_, err = head.CreateToken(t.Context(), &pb.CreateTokenRequest{Name: "door", Role: pb.Role_ROLE_CHECKIN, Galleries: []string{"elm"}})
	if reasonOf(err) != "GALLERY_NOT_FOUND" {
		t.Errorf("a token beside the deletion: %v", err)
	}
	_, err = head.CreatePairingCode(t.Context(), &pb.CreatePairingCodeRequest{Name: "door", Role: pb.Role_ROLE_CHECKIN, Galleries: []string{"elm"}})
	if reasonOf(err) != "GALLERY_NOT_FOUND" {
		t.Errorf("a code beside the deletion: %v", err)
	}
	must(t, <-deleted)
}

// TestAdminOfOneGallery makes, sees and revokes tokens for it, and for no other.
func TestAdminOfOneGallery(t *testing.T) {
	w := newWorld(t, setup{})
	for _, id := range []string{"elm", "oak"} {
		_, err := w.gallery().CreateGallery(t.Context(), &pb.CreateGalleryRequest{GalleryId: id})
		must(t, err)
	}
	head := newBrowser(w).tokens(bearer(w.admin()))
	elm := newBrowser(w).tokens(bearer(w.token(access.Caller{Name: "elm", Role: access.Admin, Galleries: []string{"elm"}})))
	ctx := t.Context()
	own, err := elm.CreateToken(ctx, &pb.CreateTokenRequest{Name: "door", Role: pb.Role_ROLE_CHECKIN})
	must(t, err)
	if got := own.GetToken().GetGalleries(); !slices.Equal(got, []string{"elm"}) {
		t.Errorf("a token of the admin of elm is for %q", got)
	}
	if _, err := elm.CreateToken(ctx, &pb.CreateTokenRequest{Name: "door", Role: pb.Role_ROLE_CHECKIN, Galleries: []string{"elm", "oak"}}); reasonOf(err) != "GALLERY_NOT_FOUND" {
		t.Errorf("a token for oak: %v", err)
	}
	if _, err := elm.CreatePairingCode(ctx, &pb.CreatePairingCodeRequest{Name: "door", Role: pb.Role_ROLE_CHECKIN, Galleries: []string{"oak"}}); reasonOf(err) != "GALLERY_NOT_FOUND" {
		t.Errorf("a tablet for oak: %v", err)
	}
	if _, err := elm.CreateToken(ctx, &pb.CreateTokenRequest{Name: "metrics", Role: pb.Role_ROLE_METRICS}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("the metrics of all galleries: %v", err)
	}
	oak, err := head.CreateToken(ctx, &pb.CreateTokenRequest{Name: "oak", Role: pb.Role_ROLE_ENROLL, Galleries: []string{"oak"}})
	must(t, err)
	names := func(client rollcallv1connect.TokenServiceClient) (names []string) {
		list, err := client.ListTokens(ctx, &pb.ListTokensRequest{})
		must(t, err)
		for _, token := range list.GetTokens() {
			names = append(names, token.GetName())
		}
		return names
	}
	if got := names(elm); !slices.Equal(got, []string{"elm", "door"}) {
		t.Errorf("the admin of elm sees %q", got)
	}
	if got := names(head); len(got) != 4 {
		t.Errorf("the admin of all sees %q", got)
	}
	_, unknown := elm.RevokeToken(ctx, &pb.RevokeTokenRequest{TokenId: "nobody"})
	_, foreign := elm.RevokeToken(ctx, &pb.RevokeTokenRequest{TokenId: oak.GetToken().GetTokenId()})
	if reasonOf(unknown) != "TOKEN_NOT_FOUND" || foreign.Error() != unknown.Error() {
		t.Errorf("revoking another gallery's token: %v, and one that there is not: %v", foreign, unknown)
	}
	_, err = elm.RevokeToken(ctx, &pb.RevokeTokenRequest{TokenId: own.GetToken().GetTokenId()})
	must(t, err)
}
