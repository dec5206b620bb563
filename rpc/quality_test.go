package rpc_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
)

// landmarksFor returns the landmarks of a drawn face, with the eyes so far apart.
func landmarksFor(seed int64, apart float32) []*pb.Point {
	l := onnxtest.FaceLandmarks(seed, 0)
	shrink := apart / (l[1].X - l[0].X)
	var points []*pb.Point
	for _, p := range l {
		points = append(points, &pb.Point{X: 80 + (p.X-80)*shrink, Y: 80 + (p.Y-80)*shrink})
	}
	return points
}

// A crop that is too poor says what was measured and what the limit is, as a verdict and as an error; an
// enrolment asks for more than a probe.
func TestPoorCropsSayFigureAndLimit(t *testing.T) {
	w := newWorld(t, setup{})
	ctx := context.Background()
	for _, c := range []struct {
		apart        float32
		probe, enrol bool // is refused
	}{{9, true, true}, {15, false, true}, {38, false, false}} {
		points := landmarksFor(1, c.apart)
		seen, err := w.attendance().Identify(ctx, &pb.IdentifyRequest{Image: onnxtest.Face(1, 0), Landmarks: points})
		must(t, err)
		short := shortfall(seen.GetQuality(), pb.Reason_REASON_TOO_SMALL)
		if (short != nil) != c.probe || (seen.GetVerdict() == pb.Verdict_VERDICT_UNUSABLE) != c.probe {
			t.Errorf("eyes %v apart: %v, %v", c.apart, seen.GetVerdict(), seen.GetQuality())
		}
		if c.probe && (short.GetMeasured() != seen.GetQuality().GetEyeDistance() || short.GetLimit() <= short.GetMeasured() ||
			!strings.Contains(short.GetMessage(), fmt.Sprintf("%.1f pixels, at least %g", short.GetMeasured(), short.GetLimit()))) {
			t.Errorf("eyes %v apart: %v", c.apart, short)
		}
		if score := seen.GetQuality().GetScore(); !(score > 0 && score <= 1) {
			t.Errorf("eyes %v apart: score %v", c.apart, score)
		}

		_, err = w.attendance().Embed(ctx, &pb.EmbedRequest{Image: onnxtest.Face(1, 0), Landmarks: points, CropId: "c", StudentId: "s"})
		if (err != nil) != c.enrol {
			t.Errorf("enrolled with eyes %v apart: %v", c.apart, err)
		}
		if !c.enrol {
			continue
		}
		info := detailOf[*errdetails.ErrorInfo](err)
		measured, merr := strconv.ParseFloat(info.GetMetadata()["measured"], 32)
		limit, lerr := strconv.ParseFloat(info.GetMetadata()["limit"], 32)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || info.GetReason() != "TOO_SMALL" || merr != nil || lerr != nil ||
			measured >= limit || !strings.Contains(err.Error(), fmt.Sprintf("at least %g", limit)) {
			t.Errorf("enrolled with eyes %v apart: %v, %v", c.apart, err, info)
		}
	}
}

func shortfall(q *pb.Quality, reason pb.Reason) *pb.Shortfall {
	for _, s := range q.GetShortfalls() {
		if s.GetReason() == reason {
			return s
		}
	}
	return nil
}

// A crop of another child is refused, alone and in a stream, and can be enrolled all the same.
func TestUnlikeStudent(t *testing.T) {
	w := newWorld(t, setup{})
	ctx := context.Background()
	enroll(t, w, 1, 0, "ada/1", "ada")
	wrong := &pb.EmbedRequest{Image: onnxtest.Face(2, 0), CropId: "ada/2", StudentId: "ada"}
	_, err := w.attendance().Embed(ctx, wrong)
	info := detailOf[*errdetails.ErrorInfo](err)
	bad := detailOf[*errdetails.BadRequest](err)
	if connect.CodeOf(err) != connect.CodeInvalidArgument || info.GetReason() != "UNLIKE_STUDENT" || info.GetMetadata()["measured"] == "" ||
		info.GetMetadata()["limit"] == "" || info.GetMetadata()["student_id"] != "" || bad.GetFieldViolations()[0].GetField() != "student_id" {
		t.Errorf("alone: %v, %v", err, info)
	}
	responses := enrollStream(t, w, []*pb.EnrollStreamRequest{
		{Crop: wrong},
		{Crop: &pb.EmbedRequest{Image: onnxtest.Face(1, 1), CropId: "ada/3", StudentId: "ada"}},
		{Crop: &pb.EmbedRequest{Image: onnxtest.Face(3, 0), CropId: "ada/4", StudentId: "ada", AllowUnlike: true}},
	})
	if p := responses[0].GetProblem(); p.GetReason() != "UNLIKE_STUDENT" || p.GetMetadata()["measured"] == "" || !strings.Contains(p.GetMessage(), "allow_unlike") {
		t.Errorf("in a stream: %v", responses[0])
	}
	for i, why := range map[int32]string{1: "right", 2: "allowed"} {
		if !responses[i].GetEmbedded().GetEnrolled() {
			t.Errorf("%s: %v", why, responses[i])
		}
	}
}

// Who is due, page by page, and why.
func TestListDueStudents(t *testing.T) {
	w := newWorld(t, setup{})
	ctx := context.Background()
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	for i := range 3 {
		enroll(t, w, 2, i, fmt.Sprint("ben/", i), "ben", "3b")
	}
	enroll(t, w, 3, 0, "cem/1", "cem", "3c")
	enroll(t, w, 4, 0, "dan/1", "dan", "3b")
	_, err := w.gallery().DeleteCrop(ctx, &pb.DeleteCropRequest{CropId: "dan/1"})
	must(t, err)

	reasons := map[string]string{}
	req := &pb.ListDueStudentsRequest{PageSize: 1}
	for pages := 0; ; pages++ {
		page, err := w.gallery().ListDueStudents(ctx, req)
		must(t, err)
		if len(page.GetStudents()) > 1 || pages > 5 {
			t.Fatalf("page %d: %v", pages, page)
		}
		for _, s := range page.GetStudents() {
			reasons[s.GetStudentId()] = strings.Trim(fmt.Sprint(s.GetReasons()), "[]")
			if s.GetCrops() > 0 && (time.Since(s.GetNewest().AsTime()) > time.Hour || !(s.GetBestScore() > 0)) {
				t.Errorf("%v", s)
			}
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	for student, want := range map[string]string{"ada": "DUE_REASON_FEW_CROPS", "ben": "", "cem": "DUE_REASON_FEW_CROPS", "dan": "DUE_REASON_NO_CROP"} {
		got := strings.TrimPrefix(reasons[student], "DUE_REASON_POOR_CROPS ") // what drawn faces are worth is not the question
		if got = strings.TrimPrefix(got, "DUE_REASON_POOR_CROPS"); got != want {
			t.Errorf("%s: %q, want %q", student, reasons[student], want)
		}
	}
	of, err := w.gallery().ListDueStudents(ctx, &pb.ListDueStudentsRequest{Group: "3c"})
	must(t, err)
	if len(of.GetStudents()) != 1 || of.GetStudents()[0].GetStudentId() != "cem" || of.GetStudents()[0].GetGroups()[0] != "3c" {
		t.Errorf("of 3c: %v", of)
	}
	if _, err := w.gallery().ListDueStudents(ctx, &pb.ListDueStudentsRequest{PageToken: "***"}); reasonOf(err) != "BAD_PAGE_TOKEN" {
		t.Errorf("bad token: %v", err)
	}
}
