package rpc_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// exportStudent returns all that an export of a student sends.
func exportStudent(t *testing.T, w *world, token, student string, vectors bool) (*pb.ExportStudentResponse, error) {
	t.Helper()
	client := rollcallv1connect.NewExportServiceClient(http.DefaultClient, w.url, bearer(token))
	parts, err := client.ExportStudent(t.Context(), &pb.ExportStudentRequest{StudentId: student, Vectors: vectors})
	must(t, err)
	all := new(pb.ExportStudentResponse)
	for parts.Receive() {
		proto.Merge(all, parts.Msg())
	}
	must(t, parts.Close())
	return all, parts.Err()
}

// TestExportStudent merges two ids of a person and moves crops between people: the export has
// all that is of the person, and nothing that is of others.
func TestExportStudent(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, setup{})
	admin := w.admin()
	office, _, err := w.tokens.Create(ctx, access.Token{Caller: access.Caller{Role: access.Enroll}}, access.Anybody)
	must(t, err)
	list, err := rollcallv1connect.NewTokenServiceClient(http.DefaultClient, w.url, bearer(admin)).ListTokens(ctx, &pb.ListTokensRequest{})
	must(t, err)
	officeID := ""
	for _, token := range list.GetTokens() {
		if token.GetRole() == pb.Role_ROLE_ENROLL {
			officeID = token.GetTokenId()
		}
	}
	embed := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, bearer(office))
	gallery := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, w.url, bearer(office))
	journal := rollcallv1connect.NewJournalServiceClient(http.DefaultClient, w.url, bearer(office))
	for i, c := range []struct{ crop, student string }{
		{"c-1", "new-id"}, {"c-2", "old-id"}, {"c-3", "other"}, {"c-4", "other"}, {"c-5", "new-id"},
	} {
		_, err := embed.Embed(ctx, &pb.EmbedRequest{
			Image: onnxtest.Face(int64(i+1), 0), CropId: c.crop, StudentId: c.student, AllowDuplicate: true, AllowUnlike: true,
		})
		must(t, err)
	}
	check := func(student string) {
		_, err := journal.RecordCheckIn(ctx, &pb.RecordCheckInRequest{StudentId: student, Method: pb.Method_METHOD_CARD})
		must(t, err)
	}
	check("old-id")
	_, err = gallery.MergeStudents(ctx, &pb.MergeStudentsRequest{FromStudentId: "old-id", IntoStudentId: "new-id"})
	must(t, err)
	check("new-id")
	check("other")
	for crop, student := range map[string]string{"c-4": "new-id", "c-5": "other"} {
		_, err := gallery.AssignCrop(ctx, &pb.AssignCropRequest{CropId: crop, StudentId: student})
		must(t, err)
	}
	_, err = gallery.SetDeleteAfter(ctx, &pb.SetDeleteAfterRequest{StudentId: "new-id", DeleteAfter: "2090-07-31"})
	must(t, err)

	got, err := exportStudent(t, w, admin, "new-id", true)
	must(t, err)
	if !slices.Equal(got.GetStudentIds(), []string{"new-id", "old-id"}) || got.GetStudent().GetDeleteAfter() != "2090-07-31" {
		t.Errorf("the ids are %v, and the record %v", got.GetStudentIds(), got.GetStudent())
	}
	var crops, vectors, lines []string
	for _, c := range got.GetStudent().GetCrops() {
		crops = append(crops, c.GetCropId())
		if c.GetCreated() == nil || len(c.GetEmbeddings()) != 1 || c.GetEmbeddings()[0].GetRecipe() == "" || c.GetEmbeddings()[0].GetQuality() == nil {
			t.Errorf("the crop is %v", c)
		}
	}
	for _, v := range got.GetVectors() {
		vectors = append(vectors, v.GetCropId())
		if len(v.GetVector()) == 0 || v.GetModel() == "" {
			t.Errorf("the vector of %s is empty", v.GetCropId())
		}
	}
	for _, l := range got.GetLines() {
		lines = append(lines, l.GetStudentId())
	}
	want := []string{"c-1", "c-2", "c-4"}
	if !slices.Equal(crops, want) || !slices.Equal(vectors, want) {
		t.Errorf("crops %v, vectors %v, want %v", crops, vectors, want)
	}
	if !slices.Equal(lines, []string{"old-id", "new-id"}) {
		t.Errorf("the journal's lines are of %v", lines)
	}
	causes := map[string]int{}
	for _, c := range got.GetChanges() {
		causes[c.GetCause()]++
		if c.GetTokenId() != officeID || c.GetTime() == nil {
			t.Errorf("the change is %v, want it by %s", c, officeID)
		}
	}
	// Enrolled: c-1, c-2, c-5, and c-4 as another's, which is the person's now.
	if causes["enrol"] != 4 || causes["merge students"] != 1 || causes["assign"] != 2 || len(got.GetChanges()) != 8 {
		t.Errorf("the changes are %v", causes)
	}
	text, err := protojson.Marshal(got)
	must(t, err)
	if strings.Contains(string(text), "other") || strings.Contains(string(text), "c-3") {
		t.Errorf("there is something of another student: %s", text)
	}

	// The merged id is in the log and the journal alone.
	got, err = exportStudent(t, w, admin, "old-id", true)
	must(t, err)
	if got.GetStudent() != nil || len(got.GetChanges()) == 0 || len(got.GetLines()) != 1 || len(got.GetVectors()) != 0 {
		t.Errorf("of the merged id: %v", got)
	}
	_, err = exportStudent(t, w, admin, "nobody", false)
	wantCode(t, err, connect.CodeNotFound, "STUDENT_NOT_FOUND")
	plain := w.token(access.Caller{Role: access.Admin})
	_, err = exportStudent(t, w, plain, "new-id", true)
	wantCode(t, err, connect.CodePermissionDenied, "EMBEDDING_NOT_ALLOWED")
	got, err = exportStudent(t, w, plain, "new-id", false)
	must(t, err)
	if len(got.GetVectors()) != 0 || len(got.GetStudent().GetCrops()) != 3 {
		t.Errorf("without vectors: %v", got)
	}
}
