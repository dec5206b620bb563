package rpc_test

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

func enroll(t *testing.T, w *world, seed int64, jitter int, crop, student string, groups ...string) *pb.EmbedResponse {
	t.Helper()
	resp, err := w.attendance().Embed(context.Background(), &pb.EmbedRequest{
		Image: onnxtest.Face(seed, jitter), CropId: crop, StudentId: student, Groups: groups,
	})
	must(t, err)
	return resp
}

func identify(t *testing.T, w *world, seed int64, jitter int, scope *pb.Scope) *pb.IdentifyResponse {
	t.Helper()
	resp, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{Image: onnxtest.Face(seed, jitter), Scope: scope})
	must(t, err)
	return resp
}

// wantVerdict fails unless the verdict and the student are these.
func wantVerdict(t *testing.T, got *pb.IdentifyResponse, verdict pb.Verdict, student string) {
	t.Helper()
	if got.GetVerdict() != verdict || got.GetStudentId() != student {
		t.Errorf("%v %q (similarity %v, threshold %v), want %v %q", got.GetVerdict(), got.GetStudentId(), got.GetSimilarity(), got.GetThreshold(), verdict, student)
	}
}

// The whole life of a gallery, over the wire and over a restart.
func TestEnrolIdentifyCorrectDeleteRestart(t *testing.T) {
	w := newWorld(t, setup{})
	for i, id := range []string{"ada", "ben", "cem"} {
		resp := enroll(t, w, int64(i+1), 0, id+"/1", id, "3b")
		if !resp.GetStored() || !resp.GetEnrolled() || resp.GetReplaced() || resp.GetDimension() != 512 || resp.GetModel() != "test-arcface" {
			t.Errorf("enrolling %s: %v", id, resp)
		}
		if resp.GetLandmarkSource() != pb.LandmarkSource_LANDMARK_SOURCE_LOCATOR || len(resp.GetLandmarks()) != 5 {
			t.Errorf("enrolling %s: landmarks %v from %v", id, resp.GetLandmarks(), resp.GetLandmarkSource())
		}
	}
	if resp := enroll(t, w, 1, 0, "ada/1", "ada", "3b"); !resp.GetReplaced() {
		t.Error("the same call again does not say that it replaced")
	}
	wantVerdict(t, identify(t, w, 1, 3, nil), pb.Verdict_VERDICT_MATCH, "ada")
	wantVerdict(t, identify(t, w, 2, 4, &pb.Scope{Groups: []string{"3b"}}), pb.Verdict_VERDICT_MATCH, "ben")
	wantVerdict(t, identify(t, w, 2, 4, &pb.Scope{StudentIds: []string{"ada", "cem"}}), pb.Verdict_VERDICT_UNKNOWN, "")
	wantVerdict(t, identify(t, w, 99, 0, nil), pb.Verdict_VERDICT_UNKNOWN, "")

	ctx := context.Background()
	assigned, err := w.gallery().AssignCrop(ctx, &pb.AssignCropRequest{CropId: "ben/1", StudentId: "bob"})
	must(t, err)
	if c := assigned.GetCrop(); c.GetStudentId() != "bob" || !c.GetCorrected() {
		t.Errorf("the corrected crop is %v", c)
	}
	if resp := enroll(t, w, 2, 0, "ben/1", "ben"); resp.GetStudentId() != "bob" || !resp.GetCorrected() {
		t.Errorf("enrolling again undid the correction: %v", resp)
	}
	wantVerdict(t, identify(t, w, 2, 4, nil), pb.Verdict_VERDICT_MATCH, "bob")
	deleted, err := w.gallery().DeleteStudent(ctx, &pb.DeleteStudentRequest{StudentId: "ada"})
	must(t, err)
	if r := deleted.GetReceipt(); r.GetCrops() != 1 || r.GetEmbeddings() != 1 || r.GetFinished() == nil {
		t.Errorf("the receipt of ada is %v", r)
	}
	wantVerdict(t, identify(t, w, 1, 3, nil), pb.Verdict_VERDICT_UNKNOWN, "")

	w.stop()
	must(t, <-w.done)
	w = newWorld(t, setup{data: w.data, library: w.library})
	wantVerdict(t, identify(t, w, 2, 4, nil), pb.Verdict_VERDICT_MATCH, "bob")
	wantVerdict(t, identify(t, w, 1, 3, nil), pb.Verdict_VERDICT_UNKNOWN, "")
	report, err := w.gallery().CheckConsistency(ctx, &pb.CheckConsistencyRequest{})
	must(t, err)
	if !report.GetConsistent() || report.GetStored() != 2 || report.GetIndexed() != 2 {
		t.Errorf("after the restart: %v", report)
	}
}

func TestStoredProbeIsNotComparedWithItself(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	enroll(t, w, 2, 0, "ben/1", "ben")
	alone, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{CropId: "ada/1"})
	must(t, err)
	wantVerdict(t, alone, pb.Verdict_VERDICT_UNKNOWN, "")
	enroll(t, w, 1, 2, "ada/2", "ada")
	both, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{CropId: "ada/1"})
	must(t, err)
	wantVerdict(t, both, pb.Verdict_VERDICT_MATCH, "ada")
}

func TestUnusableProbe(t *testing.T) {
	w := newWorld(t, setup{})
	resp, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{Image: onnxtest.Blank(1)})
	must(t, err)
	if resp.GetVerdict() != pb.Verdict_VERDICT_UNUSABLE || len(resp.GetReasons()) != 1 || resp.GetReasons()[0] != pb.Reason_REASON_NO_FACE {
		t.Errorf("a crop without a face: %v", resp)
	}
	measured, err := w.attendance().Embed(context.Background(), &pb.EmbedRequest{Image: onnxtest.Blank(1)})
	must(t, err)
	if measured.GetStored() || len(measured.GetQuality().GetReasons()) == 0 {
		t.Errorf("only measuring it: %v", measured)
	}
}

func TestEmbeddingOnlyWhereAllowed(t *testing.T) {
	ctx := context.Background()
	req := &pb.EmbedRequest{Image: onnxtest.Face(1, 0), ReturnEmbedding: true}
	w := newWorld(t, setup{})
	if _, err := w.attendance().Embed(ctx, req); reasonOf(err) != "EMBEDDING_NOT_ALLOWED" {
		t.Errorf("where nobody has to log in: %v", err)
	}
	client := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, bearer(w.admin()))
	resp, err := client.Embed(ctx, req)
	must(t, err)
	var sum float64
	for _, v := range resp.GetEmbedding() {
		sum += float64(v) * float64(v)
	}
	if len(resp.GetEmbedding()) != 512 || math.Abs(sum-1) > 1e-5 {
		t.Errorf("%d components, squares sum to %v; want 512 and 1", len(resp.GetEmbedding()), sum)
	}
	without := bearer(w.token(access.Caller{Role: access.Admin}))
	if _, err := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, without).Embed(ctx, req); reasonOf(err) != "EMBEDDING_NOT_ALLOWED" {
		t.Errorf("with a token that was not made for it: %v", err)
	}
	for token, may := range map[connect.ClientOption]bool{without: false, bearer(w.token(access.Caller{Role: access.Admin, Embeddings: true})): true} {
		_, err := rollcallv1connect.NewTokenServiceClient(http.DefaultClient, w.url, token).CreateToken(ctx, &pb.CreateTokenRequest{Name: "office", Role: pb.Role_ROLE_ENROLL, Embeddings: true})
		if reason := reasonOf(err); may && err != nil || !may && reason != "EMBEDDING_NOT_ALLOWED" {
			t.Errorf("an admin with embeddings %t makes a token with them: %v", may, err)
		}
	}
	plain, err := client.Embed(ctx, &pb.EmbedRequest{Image: onnxtest.Face(1, 0)})
	must(t, err)
	if len(plain.GetEmbedding()) != 0 {
		t.Error("an embedding was returned that nobody asked for")
	}
}

func TestLandmarksOfTheRequest(t *testing.T) {
	w := newWorld(t, setup{})
	var points []*pb.Point
	for _, p := range onnxtest.FaceLandmarks(1, 0) {
		points = append(points, &pb.Point{X: p.X, Y: p.Y})
	}
	resp, err := w.attendance().Embed(context.Background(), &pb.EmbedRequest{Image: onnxtest.Face(1, 0), Landmarks: points, CropId: "c", StudentId: "s"})
	must(t, err)
	if resp.GetLandmarkSource() != pb.LandmarkSource_LANDMARK_SOURCE_REQUEST {
		t.Errorf("landmarks are from %v", resp.GetLandmarkSource())
	}
	wantVerdict(t, identify(t, w, 1, 1, nil), pb.Verdict_VERDICT_MATCH, "s")
}

// Two models at once: each has its own index, and digests are kept apart.
func TestTwoModels(t *testing.T) {
	w := newWorld(t, setup{models: []onnxtest.Model{onnxtest.ArcFace(1), onnxtest.FaceNet(2), onnxtest.Points()}, gallery: gallery.Options{New: gallery.Settings{Model: "test-arcface"}}})
	ctx := context.Background()
	enroll(t, w, 1, 0, "ada/1", "ada")
	_, err := w.attendance().Embed(ctx, &pb.EmbedRequest{Image: onnxtest.Face(1, 0), CropId: "ada/1", Model: "test-facenet"})
	must(t, err)
	for model, dimension := range map[string]int32{"test-arcface": 512, "test-facenet": 128} {
		resp, err := w.attendance().Identify(ctx, &pb.IdentifyRequest{Image: onnxtest.Face(1, 2), Model: model})
		must(t, err)
		wantVerdict(t, resp, pb.Verdict_VERDICT_MATCH, "ada")
		if resp.GetDimension() != dimension || resp.GetModel() != model {
			t.Errorf("model %s: %v", model, resp)
		}
	}
	crop, err := w.gallery().GetCrop(ctx, &pb.GetCropRequest{CropId: "ada/1"})
	must(t, err)
	if got := len(crop.GetCrop().GetEmbeddings()); got != 2 {
		t.Errorf("the crop has %d embeddings, want 2", got)
	}
}

// The gallery was built with one file of a model; the server has another.
func TestOtherModelFileIsRefused(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	w.stop()
	must(t, <-w.done)
	w = newWorld(t, setup{data: w.data, models: []onnxtest.Model{onnxtest.ArcFace(2), onnxtest.Points()}})
	for _, call := range []struct{ procedure, body string }{
		{"/rollcall.v1.AttendanceService/Identify", `{"image":"` + b64(onnxtest.Face(1, 1)) + `"}`},
		{"/rollcall.v1.AttendanceService/Embed", `{"image":"` + b64(onnxtest.Face(2, 1)) + `","cropId":"ben/1","studentId":"ben"}`},
	} {
		a := w.post(call.procedure, call.body)
		if a.body["code"] != "failed_precondition" || a.reason() != "OTHER_MODEL_FILE" {
			t.Errorf("%s: %s", call.procedure, a.raw)
		}
	}
}

func TestRollCall(t *testing.T) {
	w := newWorld(t, setup{})
	for i, id := range []string{"ada", "ben", "cem", "dora"} {
		enroll(t, w, int64(i+1), 0, id+"/1", id, "3b")
	}
	req := &pb.RollCallRequest{Scope: &pb.Scope{Groups: []string{"3b"}}}
	for _, image := range [][]byte{onnxtest.Face(3, 1), onnxtest.Face(50, 0), onnxtest.Blank(9), onnxtest.Face(1, 1)} {
		req.Probes = append(req.Probes, &pb.RollCallProbe{Image: image})
	}
	resp, err := w.attendance().RollCall(context.Background(), req)
	must(t, err)
	want := []struct {
		verdict pb.Verdict
		student string
	}{{pb.Verdict_VERDICT_MATCH, "cem"}, {pb.Verdict_VERDICT_UNKNOWN, ""}, {pb.Verdict_VERDICT_UNUSABLE, ""}, {pb.Verdict_VERDICT_MATCH, "ada"}}
	for i, seat := range resp.GetSeats() {
		if seat.GetVerdict() != want[i].verdict || seat.GetStudentId() != want[i].student {
			t.Errorf("seat %d: %v %q, want %v %q", i, seat.GetVerdict(), seat.GetStudentId(), want[i].verdict, want[i].student)
		}
	}
	if got := strings.Join(resp.GetAbsent(), " "); got != "ben dora" {
		t.Errorf("absent: %q, want ben and dora", got)
	}
	if got := resp.GetUnknown(); len(got) != 2 || got[0] != 1 || got[1] != 2 {
		t.Errorf("unknown: %v, want [1 2]", got)
	}
	req.Probes[2].Image = []byte("not an image at all")
	_, err = w.attendance().RollCall(context.Background(), req)
	if err == nil || !strings.Contains(err.Error(), "probe 2") {
		t.Errorf("a broken probe: %v; want an error that names probe 2", err)
	}
}
