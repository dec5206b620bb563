package rpc_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

func wantReady(t *testing.T, w *world, want string) {
	t.Helper()
	if got := get(t, w.url+"/readyz"); !strings.HasPrefix(got, want) {
		t.Errorf("/readyz: %q, want %s…", got, want)
	}
	if got := get(t, w.url+"/livez"); got != "200 ok\n" {
		t.Errorf("/livez: %q", got)
	}
}

func TestReadyWithoutTheModel(t *testing.T) {
	w := newWorld(t, setup{gallery: gallery.Options{New: gallery.Settings{Model: "sface"}}})
	wantReady(t, w, "503 MODEL_NOT_INSTALLED: ")
}

// A model that does not do what its contract says is found by trying it, before a call
// does.
func TestReadyWithABrokenModel(t *testing.T) {
	w := newWorld(t, setup{
		models:  []onnxtest.Model{onnxtest.Faulty(onnxtest.NaNOutput), onnxtest.Points()},
		gallery: gallery.Options{New: gallery.Settings{Model: "test-faulty"}},
	})
	for range 2 {
		wantReady(t, w, "503 MODEL_BROKEN: ")
	}
}

// A model that nobody has used for a while is unloaded, and /readyz does not load it
// again.
func TestReadyWhileTheModelIsUnloaded(t *testing.T) {
	w := newWorld(t, setup{embed: embedder.Options{TTL: 20 * time.Millisecond}})
	wantReady(t, w, "200 ok")
	loaded := func(line string) bool { return strings.Contains(get(t, w.url+"/metrics"), "\n"+line+"\n") }
	eventually(t, "all is unloaded", func() bool { return loaded("rollcall_model_loads_total 2") && loaded("rollcall_model_unloads_total 2") })
	for range 3 {
		wantReady(t, w, "200 ok")
	}
	if !loaded("rollcall_model_loads_total 2") {
		t.Error("/readyz loads the model again")
	}
}

func TestReadyWhileTheDiskIsFull(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	w.stop()
	w = newWorld(t, setup{data: w.data, library: w.library, storage: storage.Options{MinFreeBytes: 1 << 60}})
	wantReady(t, w, "503 READ_ONLY: ")
	wantVerdict(t, identify(t, w, 1, 1, nil), pb.Verdict_VERDICT_MATCH, "ada")
	if _, err := w.attendance().Embed(context.Background(), &pb.EmbedRequest{Image: onnxtest.Face(2, 0), CropId: "c"}); reasonOf(err) != "READ_ONLY" {
		t.Errorf("enrolling: %v", err)
	}
}
