package rpc_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func settings(t *testing.T, w *world) (*pb.Settings, *pb.Coverage) {
	t.Helper()
	resp, err := w.gallery().GetSettings(context.Background(), &pb.GetSettingsRequest{})
	must(t, err)
	return resp.GetSettings(), resp.GetCoverage()
}

func TestSettings(t *testing.T) {
	w := newWorld(t, setup{gallery: gallery.Options{New: gallery.Settings{FPIR: 0.01}}})
	got, coverage := settings(t, w)
	if got.GetModel() != "" || got.GetFpir() != 0.01 || got.GetMargin() != gallery.DefaultMargin || coverage.GetRecipe() != "" {
		t.Errorf("a new gallery: %v, %v", got, coverage)
	}
	enroll(t, w, 1, 0, "ada/1", "ada")
	got, coverage = settings(t, w)
	if got.GetModel() != "test-arcface" || coverage.GetCrops() != 1 || coverage.GetWithout() != 0 || coverage.GetRecipe() == "" || coverage.GetRecipe() != coverage.GetServerRecipe() {
		t.Errorf("the first crop chooses the model: %v, %v", got, coverage)
	}
	_, err := w.gallery().UpdateSettings(context.Background(), &pb.UpdateSettingsRequest{Fpir: proto.Float64(0.02), Margin: proto.Float32(0), KeepVerdicts: proto.Int32(7)})
	must(t, err)
	for name, body := range map[string]string{
		"rate":    `{"fpir":0.9}`,
		"tiny":    `{"fpir":5e-324}`,
		"margin":  `{"margin":-1}`,
		"days":    `{"keepVerdicts":0}`,
		"model":   `{"model":"no-such-model"}`,
		"locator": `{"model":"test-points"}`,
	} {
		if a := w.post(galleryPath+"UpdateSettings", body); a.status == http.StatusOK || a.reason() == "INTERNAL" {
			t.Errorf("a wrong %s: %s", name, a.raw)
		}
	}
	w.stop()
	must(t, <-w.done)
	// What is stored counts, not what a new gallery would start with.
	w = newWorld(t, setup{data: w.data, library: w.library, gallery: gallery.Options{New: gallery.Settings{FPIR: 0.3}}})
	if got, _ := settings(t, w); got.GetModel() != "test-arcface" || got.GetFpir() != 0.02 || got.GetMargin() != 0 ||
		got.GetKeepVerdicts() != 7 || got.GetKeepChanges() != gallery.DefaultKeepChanges {
		t.Errorf("after a restart: %v", got)
	}
}

// A model that comes to be preferred, or goes, does not empty the register.
func TestModelChangesDoNotEmptyTheRegister(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	w.stop()
	must(t, <-w.done)

	// A model that would be preferred is added.
	better := onnxtest.FaceNet(2)
	better.Contract.Preference = 1
	w = newWorld(t, setup{data: w.data, models: []onnxtest.Model{onnxtest.ArcFace(1), better, onnxtest.Points()}})
	resp := identify(t, w, 1, 1, nil)
	wantVerdict(t, resp, pb.Verdict_VERDICT_MATCH, "ada")
	if resp.GetModel() != "test-arcface" || len(resp.GetWarnings()) != 0 || !resp.GetExact() {
		t.Errorf("the gallery's model stays in use: %v", resp)
	}
	// Asked for by name, it knows nobody, and the answer says why.
	other, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{Image: onnxtest.Face(1, 1), Model: "test-facenet"})
	must(t, err)
	if !slices.Contains(other.GetWarnings(), pb.Warning_WARNING_OTHER_MODEL) {
		t.Errorf("another model: %v", other)
	}
	// Chosen for the gallery, its crops are counted.
	used, err := w.gallery().UpdateSettings(context.Background(), &pb.UpdateSettingsRequest{Model: proto.String("test-facenet")})
	must(t, err)
	if used.GetCoverage().GetWithout() != 1 || used.GetSettings().GetModel() != "test-facenet" {
		t.Errorf("%v", used)
	}
	_, err = w.gallery().UpdateSettings(context.Background(), &pb.UpdateSettingsRequest{Model: proto.String("test-arcface")})
	must(t, err)
	w.stop()
	must(t, <-w.done)

	// The gallery's model is gone: no other takes its place.
	w = newWorld(t, setup{data: w.data, models: []onnxtest.Model{better, onnxtest.Points()}})
	a := w.post("/rollcall.v1.AttendanceService/Identify", `{"image":"`+b64(onnxtest.Face(1, 1))+`"}`)
	if a.body["code"] != "failed_precondition" || !strings.Contains(a.raw, "test-arcface") {
		t.Errorf("without the gallery's model: %s", a.raw)
	}
	if _, coverage := settings(t, w); !strings.Contains(coverage.GetModelProblem(), "test-arcface") {
		t.Errorf("the settings do not say that the model is missing: %v", coverage)
	}
}

// Another locator makes embeddings in another way: answers say so until the recipe is
// taken over.
func TestAnotherRecipeIsNamed(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	w.stop()
	must(t, <-w.done)
	w = newWorld(t, setup{data: w.data, library: w.library, embed: embedder.Options{Locator: embedder.LocatorNone}})
	resp := identify(t, w, 1, 0, nil)
	if !slices.Contains(resp.GetWarnings(), pb.Warning_WARNING_OTHER_RECIPE) {
		t.Errorf("identified without the locator, without a word: %v", resp)
	}
	check, err := w.gallery().CheckConsistency(context.Background(), &pb.CheckConsistencyRequest{})
	must(t, err)
	if c := check.GetCoverage(); c.GetRecipe() == c.GetServerRecipe() || !check.GetConsistent() {
		t.Errorf("the check does not name the recipes: %v", check)
	}
	used, err := w.gallery().UpdateSettings(context.Background(), &pb.UpdateSettingsRequest{Model: proto.String("test-arcface")})
	must(t, err)
	if used.GetCoverage().GetOtherwise() != 1 {
		t.Errorf("taken over: %v", used.GetCoverage())
	}
	if resp := identify(t, w, 1, 0, nil); len(resp.GetWarnings()) != 0 {
		t.Errorf("after it was taken over: %v", resp.GetWarnings())
	}
}

func TestGalleryHeader(t *testing.T) {
	w := newWorld(t, setup{})
	for id, want := range map[string]connect.Code{"default": 0, "": 0, "other": connect.CodeNotFound, "\x7f": connect.CodeNotFound, "\x00server": connect.CodeNotFound} {
		req, err := http.NewRequest(http.MethodPost, w.url+galleryPath+"ListStudents", strings.NewReader("{}"))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		if id != "" {
			req.Header["Rollcall-Gallery"] = []string{id}
		}
		rec := newRecorder()
		w.server.Handler().ServeHTTP(rec, req)
		if ok := rec.status == http.StatusOK; ok != (want == 0) || !ok && !strings.Contains(rec.body.String(), "GALLERY_NOT_FOUND") {
			t.Errorf("gallery %q: %d %s", id, rec.status, rec.body.String())
		}
	}
}
