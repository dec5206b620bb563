package rpc_test

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// A claim is judged by the student's crops alone.
func TestVerify(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	enroll(t, w, 1, 1, "ada/2", "ada")
	enroll(t, w, 2, 0, "ben/1", "ben")
	ctx := context.Background()
	for _, c := range []struct {
		seed    int64
		student string
		verdict pb.Verdict
	}{
		{1, "ada", pb.Verdict_VERDICT_MATCH},
		{2, "ben", pb.Verdict_VERDICT_MATCH},
		{2, "ada", pb.Verdict_VERDICT_UNKNOWN},
		{99, "ada", pb.Verdict_VERDICT_UNKNOWN},
	} {
		resp, err := w.attendance().Verify(ctx, &pb.VerifyRequest{StudentId: c.student, Image: onnxtest.Face(c.seed, 3)})
		must(t, err)
		within := identify(t, w, c.seed, 3, &pb.Scope{StudentIds: []string{c.student}})
		if resp.GetVerdict() != c.verdict || resp.GetSimilarity() != within.GetSimilarity() || resp.GetDimension() != 512 || resp.GetLiveness() != pb.Liveness_LIVENESS_NOT_CHECKED {
			t.Errorf("person %d as %s: %v, and Identify among this student alone says %v", c.seed, c.student, resp, within)
		}
		if (resp.GetVerdict() == pb.Verdict_VERDICT_UNKNOWN) != slices.Equal(resp.GetReasons(), []pb.Reason{pb.Reason_REASON_BELOW_THRESHOLD}) {
			t.Errorf("person %d as %s: reasons %v", c.seed, c.student, resp.GetReasons())
		}
	}
	blank, err := w.attendance().Verify(ctx, &pb.VerifyRequest{StudentId: "ada", Image: onnxtest.Blank(1)})
	must(t, err)
	if blank.GetVerdict() != pb.Verdict_VERDICT_UNUSABLE || !slices.Equal(blank.GetReasons(), []pb.Reason{pb.Reason_REASON_NO_FACE}) {
		t.Errorf("no face: %v", blank)
	}
	w.counts(`rollcall_verdicts_total{verdict="match"} 4`, `rollcall_verdicts_total{verdict="unusable"} 1`)
}

// Whoever may ask about some groups learns nothing of the others, not even who is in them.
func TestVerifyWithinGroups(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	enroll(t, w, 2, 0, "ben/1", "ben", "3c")
	w.admin()
	client := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, bearer(w.token(access.Caller{Role: access.CheckIn, Groups: []string{"3b"}})))
	verify := func(student string) error {
		_, err := client.Verify(context.Background(), &pb.VerifyRequest{StudentId: student, Image: onnxtest.Face(1, 1)})
		return err
	}
	must(t, verify("ada"))
	for _, student := range []string{"ben", "zed"} {
		if err := verify(student); reasonOf(err) != "SCOPE_NOT_ALLOWED" || !strings.Contains(err.Error(), ", and student_id names") {
			t.Errorf("%s: %v", student, err)
		}
	}
}

func frame(image []byte) *pb.BurstFrame { return &pb.BurstFrame{Image: image} }

// The frames of one person count together. What cannot be judged, or shows somebody else, does not.
func TestIdentifyBurst(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	enroll(t, w, 2, 0, "ben/1", "ben", "3b")
	const (
		none  = pb.Reason_REASON_NO_FACE
		other = pb.Reason_REASON_ANOTHER_PERSON
	)
	people := func(seeds ...int64) (frames []*pb.BurstFrame) {
		for i, s := range seeds {
			if s == 0 {
				frames = append(frames, frame(onnxtest.Blank(1)))
			} else {
				frames = append(frames, frame(onnxtest.Face(s, i+1)))
			}
		}
		return frames
	}
	for name, c := range map[string]struct {
		frames  []*pb.BurstFrame
		verdict pb.Verdict
		student string
		why     []pb.Reason // of each frame; 0: it counts
	}{
		"one frame":                {people(1), pb.Verdict_VERDICT_MATCH, "ada", []pb.Reason{0}},
		"three frames":             {people(1, 1, 1), pb.Verdict_VERDICT_MATCH, "ada", []pb.Reason{0, 0, 0}},
		"a stranger":               {people(99, 99), pb.Verdict_VERDICT_UNKNOWN, "", []pb.Reason{0, 0}},
		"one without a face":       {people(2, 0, 2), pb.Verdict_VERDICT_MATCH, "ben", []pb.Reason{0, none, 0}},
		"somebody else in between": {people(1, 1, 2, 1), pb.Verdict_VERDICT_MATCH, "ada", []pb.Reason{0, 0, other, 0}},
		"two people":               {people(1, 2), pb.Verdict_VERDICT_UNUSABLE, "", []pb.Reason{other, other}},
		"half and half":            {people(1, 2, 2, 1, 0), pb.Verdict_VERDICT_UNUSABLE, "", []pb.Reason{other, other, other, other, none}},
		"no face at all":           {people(0, 0), pb.Verdict_VERDICT_UNUSABLE, "", []pb.Reason{none, none}},
	} {
		resp, err := w.attendance().IdentifyBurst(context.Background(), &pb.IdentifyBurstRequest{Frames: c.frames, Scope: &pb.Scope{Groups: []string{"3b"}}})
		must(t, err)
		if resp.GetVerdict() != c.verdict || resp.GetStudentId() != c.student || len(resp.GetFrames()) != len(c.frames) || resp.GetLiveness() != pb.Liveness_LIVENESS_NOT_CHECKED {
			t.Errorf("%s: %v", name, resp)
			continue
		}
		for i, f := range resp.GetFrames() {
			if f.GetCounted() != (c.why[i] == 0) || !f.GetCounted() && !slices.Equal(f.GetReasons(), c.why[i:i+1]) {
				t.Errorf("%s, frame %d: %v, want %v", name, i, f, c.why[i])
			}
		}
		if (c.verdict == pb.Verdict_VERDICT_UNUSABLE) != (len(resp.GetReasons()) > 0 && len(resp.GetCandidates()) == 0) {
			t.Errorf("%s: reasons %v, candidates %v", name, resp.GetReasons(), resp.GetCandidates())
		}
	}
}

// A frame shows more than the face: the box, the landmarks or the detector says where it is.
func TestFramesWithTheirSurroundings(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	enroll(t, w, 2, 0, "ben/1", "ben")
	const side = onnxtest.FaceSize
	both := image.NewRGBA(image.Rect(0, 0, 2*side, side))
	for i := range 2 {
		face, err := jpeg.Decode(bytes.NewReader(onnxtest.Face(int64(i+1), 2)))
		must(t, err)
		draw.Draw(both, image.Rect(i*side, 0, (i+1)*side, side), face, image.Point{}, draw.Src)
	}
	data := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, both) })
	for i, want := range []string{"ada", "ben"} {
		box := &pb.Box{Left: float32(i*side + side/4), Top: side / 4, Width: side / 2, Height: side / 2}
		resp, err := w.attendance().IdentifyBurst(context.Background(), &pb.IdentifyBurstRequest{Frames: []*pb.BurstFrame{{Image: data, Box: box}}})
		must(t, err)
		if resp.GetStudentId() != want {
			t.Errorf("in box %d: %v", i, resp)
		}
		if q := resp.GetFrames()[0].GetQuality(); q.GetWidth() != 2*side || q.GetHeight() != side {
			t.Errorf("the frame has %d x %d pixels", q.GetWidth(), q.GetHeight())
		}
	}
}

// The seats of a photo are its faces, as Detect finds them.
func TestRollCallOfAPhoto(t *testing.T) {
	w := newWorld(t, setup{models: []onnxtest.Model{}, gallery: gallery.Options{New: gallery.Settings{Model: "rollcall-base-2"}}})
	photo := onnxtest.Photo(900, 700, onnxtest.PhotoFace{X: 250, Y: 300, Side: 200, Turn: 10}, onnxtest.PhotoFace{X: 620, Y: 350, Side: 300, Turn: -15})
	ctx := context.Background()
	found, err := w.attendance().Detect(ctx, &pb.DetectRequest{Image: photo})
	must(t, err)
	largest, err := w.attendance().Embed(ctx, &pb.EmbedRequest{Image: photo, CropId: "ada/1", StudentId: "ada", Groups: []string{"3b"}, Face: pb.Face_FACE_LARGEST})
	must(t, err)
	if !largest.GetEnrolled() || math.Abs(float64(largest.GetLandmarks()[0].GetX()-found.GetFaces()[0].GetLandmarks()[0].GetX())) > 0.01 {
		t.Errorf("the largest face: %v, want %v", largest, found.GetFaces()[0])
	}
	if _, err := w.attendance().Embed(ctx, &pb.EmbedRequest{Image: photo, CropId: "ada/2", StudentId: "ada", Face: pb.Face_FACE_ONLY}); reasonOf(err) != "SEVERAL_FACES" {
		t.Errorf("the only face of two: %v", err)
	}
	roll, err := w.attendance().RollCall(ctx, &pb.RollCallRequest{Photo: photo, Scope: &pb.Scope{Groups: []string{"3b"}}})
	must(t, err)
	if roll.GetWidth() != 900 || roll.GetHeight() != 700 || len(roll.GetSeats()) != 2 || len(roll.GetSeats()) != len(found.GetFaces()) {
		t.Fatalf("%v", roll)
	}
	for i, s := range roll.GetSeats() {
		if f := found.GetFaces()[i]; s.GetFace().GetBox().String() != f.GetBox().String() || s.GetFace().GetScore() != f.GetScore() {
			t.Errorf("seat %d is at %v, and Detect finds %v", i, s.GetFace(), f)
		}
	}
	// Both are the same drawn face, so one of them is ada.
	if len(roll.GetAbsent()) != 0 || len(roll.GetUnknown()) != 1 {
		t.Errorf("absent %v, unknown %v: %v", roll.GetAbsent(), roll.GetUnknown(), roll)
	}
	empty, err := w.attendance().RollCall(ctx, &pb.RollCallRequest{Photo: onnxtest.Photo(900, 700)})
	must(t, err)
	if len(empty.GetSeats()) != 0 || !slices.Equal(empty.GetAbsent(), []string{"ada"}) {
		t.Errorf("an empty classroom: %v", empty)
	}
}

// Each face of a photo counts as a crop does: with a photo nobody may ask about more faces.
func TestFacesOfAPhotoCountAsCrops(t *testing.T) {
	w := newWorld(t, setup{
		models:  []onnxtest.Model{},
		gallery: gallery.Options{New: gallery.Settings{Model: "rollcall-base-2"}},
		options: rpc.Options{Limits: access.LimitOptions{Crops: 2}},
	})
	client := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, bearer(w.admin()))
	photo := onnxtest.Photo(900, 700, onnxtest.PhotoFace{X: 250, Y: 300, Side: 200}, onnxtest.PhotoFace{X: 620, Y: 350, Side: 300})
	roll, err := client.RollCall(context.Background(), &pb.RollCallRequest{Photo: photo})
	must(t, err)
	if len(roll.GetSeats()) != 2 {
		t.Fatalf("%d faces", len(roll.GetSeats()))
	}
	if _, err := client.Identify(context.Background(), &pb.IdentifyRequest{Image: onnxtest.Face(1, 0)}); reasonOf(err) != "TOO_MANY_CROPS" {
		t.Errorf("a third crop: %v", err)
	}
}

// An error names the field as the request calls it, also in a list.
func TestErrorsNameTheField(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	ctx, client, face := context.Background(), w.attendance(), onnxtest.Face(1, 1)
	text := []byte("no image")
	_, photo := client.RollCall(ctx, &pb.RollCallRequest{Photo: text})
	_, probe := client.RollCall(ctx, &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: face}, {Image: text}}})
	_, box := client.IdentifyBurst(ctx, &pb.IdentifyBurstRequest{Frames: []*pb.BurstFrame{{Image: face, Box: &pb.Box{Left: 9000, Top: 9, Width: 9, Height: 9}}}})
	_, fmr := client.Verify(ctx, &pb.VerifyRequest{StudentId: "ada", Image: face, Fmr: 1e-12})
	for field, err := range map[string]error{"photo": photo, "probes[1].image": probe, "frames[0].box": box, "fmr": fmr} {
		got := detailOf[*errdetails.BadRequest](err).GetFieldViolations()
		if len(got) != 1 || got[0].GetField() != field {
			t.Errorf("%s: %v names %v", field, err, got)
		}
	}
}
