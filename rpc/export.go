package rpc

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// exportService answers the calls that move a gallery.
type exportService struct{ *api }

// exportBytes is about how large one response of an export is.
const exportBytes = 256 << 10

func (s exportService) ExportGallery(ctx context.Context, req *pb.ExportGalleryRequest, stream *connect.ServerStream[pb.ExportGalleryResponse]) error {
	if req.GetVectors() && !callerOf(ctx).Embeddings {
		return noVectors()
	}
	resp, size := new(pb.ExportGalleryResponse), 0
	for record, err := range galleryOf(ctx).Export(ctx, req.GetVectors()) {
		if err != nil {
			return err
		}
		if s.server.isDraining() {
			return s.server.unavailable()
		}
		r := recordPB(record)
		resp.Records = append(resp.Records, r)
		if size += proto.Size(r); size < exportBytes {
			continue
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
		resp, size = new(pb.ExportGalleryResponse), 0
	}
	return stream.Send(resp)
}

func noVectors() error {
	return newError(connect.CodePermissionDenied, "EMBEDDING_NOT_ALLOWED",
		"vectors go out only to a token that was made for embeddings: export without them, or use such a token", nil)
}

func (s exportService) ImportRecords(ctx context.Context, req *pb.ImportRecordsRequest) (*pb.ImportRecordsResponse, error) {
	records := make([]gallery.Record, len(req.GetRecords()))
	for i, r := range req.GetRecords() {
		records[i] = recordOfPB(r)
	}
	done, err := s.Galleries.Import(ctx, galleryOf(ctx), recordOf(ctx).journal.Gallery(), records, gallery.ImportOptions{
		Settings: req.GetSettings(), AllowDuplicate: req.GetAllowDuplicate(), AllowUnlike: req.GetAllowUnlike(), DryRun: req.GetDryRun(),
	})
	if err != nil {
		return nil, err
	}
	if done.Erased {
		s.Eraser.Finish(ctx, recordOf(ctx).journal.Gallery())
	}
	resp := &pb.ImportRecordsResponse{Stored: int32(done.Stored), Skipped: int32(done.Skipped)}
	for i, err := range done.Errors {
		if err != nil {
			resp.Problems = append(resp.Problems, &pb.ImportProblem{Index: int32(i), Problem: s.problem(ctx, err)})
		}
	}
	return resp, nil
}

func recordPB(r gallery.Record) *pb.Record {
	switch {
	case r.Settings != nil:
		return &pb.Record{Of: &pb.Record_Settings{Settings: settingsPB(*r.Settings)}}
	case r.Model != nil:
		return &pb.Record{Of: &pb.Record_Model{Model: &pb.ExportedModel{Name: r.Model.Name, Digest: r.Model.Digest, Dimension: int32(r.Model.Dimension)}}}
	case r.Student != nil:
		return &pb.Record{Of: &pb.Record_Student{Student: &pb.ExportedStudent{
			StudentId: r.Student.ID, Groups: r.Student.Groups, Consent: consentPB(r.Student.Consent),
			DeleteAfter: string(r.Student.DeleteAfter), Created: timePB(r.Student.Created),
		}}}
	}
	crop := &pb.ExportedCrop{CropId: r.Crop.ID, StudentId: r.Crop.StudentID, Corrected: r.Crop.Corrected, Pictured: timePB(r.Crop.Pictured)}
	for _, e := range r.Crop.Embeddings {
		crop.Embeddings = append(crop.Embeddings, &pb.ExportedEmbedding{
			Model: e.Model, Digest: e.Digest, Recipe: e.Recipe, Vector: e.Vector, Quality: storedQualityPB(e.Quality),
		})
	}
	return &pb.Record{Of: &pb.Record_Crop{Crop: crop}}
}

// recordOfPB is the other way round. A record of no kind is an empty one, which the gallery skips.
func recordOfPB(r *pb.Record) (out gallery.Record) {
	switch r := r.GetOf().(type) {
	case *pb.Record_Settings:
		s := r.Settings
		out.Settings = &gallery.Settings{
			Model: s.GetModel(), FPIR: s.GetFpir(), Margin: s.GetMargin(),
			KeepVerdicts: int(s.GetKeepVerdicts()), KeepChanges: int(s.GetKeepChanges()), RequireConsent: s.GetRequireConsent(),
		}
	case *pb.Record_Model:
		out.Model = &gallery.ModelRecord{Name: r.Model.GetName(), Digest: r.Model.GetDigest(), Dimension: int(r.Model.GetDimension())}
	case *pb.Record_Student:
		st := r.Student
		out.Student = &gallery.StudentRecord{
			ID: st.GetStudentId(), Groups: st.GetGroups(), DeleteAfter: gallery.Date(st.GetDeleteAfter()), Created: timeOf(st.GetCreated()),
		}
		if st.GetConsent() != nil {
			out.Student.Consent = consentOf(st.GetConsent())
		}
	case *pb.Record_Crop:
		out.Crop = cropOfPB(r.Crop)
	}
	return out
}

func cropOfPB(c *pb.ExportedCrop) *gallery.CropRecord {
	out := &gallery.CropRecord{Groups: c.GetGroups()}
	out.ID, out.StudentID, out.Corrected, out.Pictured = c.GetCropId(), c.GetStudentId(), c.GetCorrected(), timeOf(c.GetPictured())
	for _, e := range c.GetEmbeddings() {
		q := e.GetQuality()
		out.Embeddings = append(out.Embeddings, gallery.EmbeddingRecord{
			CropID: out.ID, Model: e.GetModel(), Digest: e.GetDigest(), Recipe: e.GetRecipe(), Vector: e.GetVector(),
			Quality: gallery.Quality{
				Score: q.GetScore(), LocatorScore: q.GetLocatorScore(), EyeDistance: q.GetEyeDistance(), Brightness: q.GetBrightness(),
				Contrast: q.GetContrast(), Sharpness: q.GetSharpness(), Yaw: q.GetYaw(), Pitch: q.GetPitch(), Roll: q.GetRoll(),
				Residual: q.GetResidual(), Width: int(q.GetWidth()), Height: int(q.GetHeight()),
			},
		})
	}
	return out
}

// timeOf returns the zero time for none, and for what is no time.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil || !t.IsValid() {
		return time.Time{}
	}
	return t.AsTime()
}
