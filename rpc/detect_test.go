package rpc_test

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/rpc"
)

// TestDetect finds two drawn faces by the built-in models, over the wire, and embeds one by its landmarks.
func TestDetect(t *testing.T) {
	w := newWorld(t, setup{})
	faces := []onnxtest.PhotoFace{{X: 500, Y: 400, Side: 400, Turn: 10}, {X: 1000, Y: 300, Side: 120}}
	photo := onnxtest.Photo(1200, 800, faces...)
	resp, err := w.attendance().Detect(context.Background(), &pb.DetectRequest{Image: photo})
	must(t, err)
	if resp.GetWidth() != 1200 || resp.GetHeight() != 800 || resp.GetModel() != "rollcall-faces-short" || len(resp.GetFaces()) != 2 {
		t.Fatalf("%v", resp)
	}
	for i, f := range resp.GetFaces() {
		left, right := faces[i].Eyes()
		for k, want := range []struct{ x, y float32 }{{left.X, left.Y}, {right.X, right.Y}} {
			got := f.GetLandmarks()[k]
			if math.Hypot(float64(got.GetX()-want.x), float64(got.GetY()-want.y)) > faces[i].Side/15 {
				t.Errorf("face %d: eye %d is at %v, not %v", i, k, got, want)
			}
		}
		b := f.GetBox()
		inside := b.GetLeft() < left.X && b.GetTop() < left.Y && b.GetLeft()+b.GetWidth() > right.X && b.GetTop()+b.GetHeight() > right.Y
		if !inside || f.GetScore() < 0.6 || f.GetSize() < f.GetQuality().GetEyeDistance() || len(f.GetReasons()) != len(f.GetQuality().GetReasons()) {
			t.Errorf("face %d: %v", i, f)
		}
	}
	if len(resp.GetFaces()[0].GetReasons()) != 0 {
		t.Errorf("the large face is %v", resp.GetFaces()[0].GetReasons())
	}
	embedded, err := w.attendance().Embed(context.Background(), &pb.EmbedRequest{Image: photo, Landmarks: resp.GetFaces()[1].GetLandmarks()})
	must(t, err)
	if embedded.GetLandmarkSource() != pb.LandmarkSource_LANDMARK_SOURCE_REQUEST {
		t.Errorf("%v", embedded)
	}
	a := w.post(detectPath, `{"image":"`+b64(onnxtest.Photo(100, 100))+`"}`)
	if a.status != 200 || a.body["faces"] != nil || a.body["width"] != float64(100) {
		t.Errorf("a photo without faces: %s", a.raw)
	}
	eventually(t, "the log line", func() bool { return strings.Contains(w.log.String(), "Detect") })
	if log := w.log.String(); bytes.Contains([]byte(log), photo[100:130]) {
		t.Error("the log has the photo, or no line of the call")
	}
}

// TestDetectQueueFull: a photo too many is told when to come back.
func TestDetectQueueFull(t *testing.T) {
	w := newWorld(t, setup{wrap: func(b rpc.Backend) rpc.Backend {
		b.Embedder = fullEmbedder{b.Embedder}
		return b
	}})
	a := w.post(detectPath, `{"image":"`+b64(onnxtest.Photo(10, 10))+`"}`)
	if a.body["code"] != "resource_exhausted" || a.reason() != "QUEUE_FULL" || a.header.Get("Retry-After") == "" {
		t.Errorf("%s", a.raw)
	}
}

type fullEmbedder struct{ rpc.Embedder }

func (fullEmbedder) Faces(context.Context, embedder.PhotoRequest) (*embedder.Photo, error) {
	return nil, &embedder.QueueFullError{RetryAfter: 300_000_000}
}
