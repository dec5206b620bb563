package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/models"
	pb "rollcall/proto/rollcall/v1"
)

var verdicts = map[gallery.Verdict]pb.Verdict{
	gallery.Match:     pb.Verdict_VERDICT_MATCH,
	gallery.Ambiguous: pb.Verdict_VERDICT_AMBIGUOUS,
	gallery.Unknown:   pb.Verdict_VERDICT_UNKNOWN,
}

var landmarkSources = map[embedder.LandmarksFrom]pb.LandmarkSource{
	embedder.FromNone:    pb.LandmarkSource_LANDMARK_SOURCE_NONE,
	embedder.FromRequest: pb.LandmarkSource_LANDMARK_SOURCE_REQUEST,
	embedder.FromLocator: pb.LandmarkSource_LANDMARK_SOURCE_LOCATOR,
}

var faceChoices = map[pb.Face]embedder.FaceChoice{
	pb.Face_FACE_ONLY:    embedder.FaceOnly,
	pb.Face_FACE_LARGEST: embedder.FaceLargest,
}

// reasonsPB turns reasons of the embedder or the gallery into the contract's,
// which have the same names.
func reasonsPB[R ~string](reasons []R) []pb.Reason {
	out := make([]pb.Reason, len(reasons))
	for i, r := range reasons {
		out[i] = pb.Reason(pb.Reason_value["REASON_"+string(r)])
	}
	return out
}

// landmarksOf returns the five points of a request, or nil for none.
// REQUIRES: validate has accepted the request.
func landmarksOf(points []*pb.Point) *models.Landmarks {
	if len(points) == 0 {
		return nil
	}
	var out models.Landmarks
	for i := range out {
		out[i] = models.Point{X: points[i].GetX(), Y: points[i].GetY()}
	}
	return &out
}

func boxOf(b *pb.Box) *[4]float32 {
	if b == nil {
		return nil
	}
	return &[4]float32{b.GetLeft(), b.GetTop(), b.GetWidth(), b.GetHeight()}
}

func pointsPB(l *models.Landmarks) []*pb.Point {
	if l == nil {
		return nil
	}
	out := make([]*pb.Point, len(l))
	for i, p := range l {
		out[i] = &pb.Point{X: p.X, Y: p.Y}
	}
	return out
}

// embeddingOf is what the gallery uses of an embedder's result.
func embeddingOf(r *embedder.Result) gallery.Embedding {
	return gallery.Embedding{Model: r.Model, Digest: r.Digest, Recipe: r.Recipe, Vector: r.Embedding}
}

// warningsPB turns the gallery's warnings into the contract's, which have the same
// names.
func warningsPB(warnings []string) []pb.Warning {
	out := make([]pb.Warning, len(warnings))
	for i, w := range warnings {
		out[i] = pb.Warning(pb.Warning_value["WARNING_"+w])
	}
	return out
}

func scopeOf(s *pb.Scope) gallery.Scope {
	return gallery.Scope{Groups: s.GetGroups(), StudentIDs: s.GetStudentIds()}
}

func candidatesPB(candidates []gallery.Candidate) []*pb.Candidate {
	out := make([]*pb.Candidate, len(candidates))
	for i, c := range candidates {
		out[i] = &pb.Candidate{StudentId: c.StudentID, Similarity: c.Similarity, CropId: c.CropID}
	}
	return out
}

func studentPB(s gallery.StudentInfo) *pb.Student {
	out := &pb.Student{
		StudentId: s.ID,
		Groups:    s.Groups,
		CropCount: int32(s.CropCount),
		Created:   timePB(s.Created),
		Updated:   timePB(s.Updated),
		Consent:   consentPB(s.Consent),

		DeleteAfter: string(s.DeleteAfter),
	}
	for _, c := range s.Crops {
		out.Crops = append(out.Crops, cropPB(c))
	}
	return out
}

func cropPB(c gallery.CropInfo) *pb.Crop {
	out := &pb.Crop{
		CropId:    c.ID,
		StudentId: c.StudentID,
		Corrected: c.Corrected,
		Created:   timePB(c.Created),
		Updated:   timePB(c.Updated),
	}
	for _, e := range c.Embeddings {
		out.Embeddings = append(out.Embeddings, &pb.Embedding{
			Model:   e.Model,
			Digest:  e.Digest,
			Recipe:  e.Recipe,
			Quality: storedQualityPB(e.Quality),
			Created: timePB(e.Created),
		})
	}
	return out
}

func timePB(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
