package rpc

import (
	"context"
	"encoding/base64"
	"time"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// galleryService answers the calls about who is enrolled; EnrollStream is in
// enrollstream.go.
type galleryService struct{ *api }

func (s galleryService) GetStudent(ctx context.Context, req *pb.GetStudentRequest) (*pb.GetStudentResponse, error) {
	student, err := galleryOf(ctx).Student(ctx, req.GetStudentId())
	if err != nil {
		return nil, err
	}
	return &pb.GetStudentResponse{Student: studentPB(student)}, nil
}

// ListStudents uses the last id of a page as the token of the next page. It is in base64
// so that no client depends on its form.
func (s galleryService) ListStudents(ctx context.Context, req *pb.ListStudentsRequest) (*pb.ListStudentsResponse, error) {
	after, err := pageAfter(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, next, total, err := galleryOf(ctx).Students(ctx, after, int(req.GetPageSize()), req.GetGroup())
	if err != nil {
		return nil, err
	}
	resp := &pb.ListStudentsResponse{
		NextPageToken: base64.RawURLEncoding.EncodeToString([]byte(next)),
		Total:         int32(total),
	}
	for _, student := range page {
		resp.Students = append(resp.Students, studentPB(student))
	}
	return resp, nil
}

// badPageToken refuses a page_token that is none of ours.
func badPageToken() error {
	return fieldError("BAD_PAGE_TOKEN", "page_token", "page_token is not a next_page_token of this server: start again without one")
}

// pageAfter returns the id that a page token holds.
func pageAfter(token string) (string, error) {
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", badPageToken()
	}
	return string(after), nil
}

func (s galleryService) UpdateStudent(ctx context.Context, req *pb.UpdateStudentRequest) (*pb.UpdateStudentResponse, error) {
	update := galleryOf(ctx).UpdateStudent
	if req.GetCreate() {
		update = galleryOf(ctx).PutStudent
	}
	student, err := update(ctx, req.GetStudentId(), req.GetGroups())
	if err != nil {
		return nil, err
	}
	return &pb.UpdateStudentResponse{Student: studentPB(student), Change: student.Seq}, nil
}

func (s galleryService) DeleteStudent(ctx context.Context, req *pb.DeleteStudentRequest) (*pb.DeleteStudentResponse, error) {
	erased, err := s.Eraser.Student(ctx, recordOf(ctx).journal.Gallery(), galleryOf(ctx), req.GetStudentId())
	if err != nil {
		return nil, err
	}
	return &pb.DeleteStudentResponse{Receipt: s.receipt(erased)}, nil
}

func (s galleryService) receipt(e gallery.Erasure) *pb.Receipt {
	receipt := &pb.Receipt{
		Change: e.Change, Time: timePB(e.Time), Finished: timePB(e.Finished),
		Crops: int32(e.ErasedCrops), Embeddings: int32(e.ErasedEmbeddings),
		LogLines: int32(e.LogLines), JournalLines: int32(e.JournalLines),
	}
	if s.Backups != nil {
		gone := e.Finished
		if gone.IsZero() {
			gone = time.Now() // a backup of now still holds it
		}
		receipt.BackupsUntil = timePB(s.Backups.HeldUntil(gone))
	}
	return receipt
}

func (s galleryService) GetCrop(ctx context.Context, req *pb.GetCropRequest) (*pb.GetCropResponse, error) {
	crop, err := galleryOf(ctx).Crop(ctx, req.GetCropId())
	if err != nil {
		return nil, err
	}
	return &pb.GetCropResponse{Crop: cropPB(crop)}, nil
}

func (s galleryService) AssignCrop(ctx context.Context, req *pb.AssignCropRequest) (*pb.AssignCropResponse, error) {
	var crop gallery.CropInfo
	var err error
	if req.ExpectedStudentId != nil {
		crop, err = galleryOf(ctx).ReassignCrop(ctx, req.GetCropId(), req.GetExpectedStudentId(), req.GetStudentId())
	} else {
		crop, err = galleryOf(ctx).AssignCrop(ctx, req.GetCropId(), req.GetStudentId())
	}
	if err != nil {
		return nil, err
	}
	return &pb.AssignCropResponse{Crop: cropPB(crop), Change: crop.Seq}, nil
}

func (s galleryService) DeleteCrop(ctx context.Context, req *pb.DeleteCropRequest) (*pb.DeleteCropResponse, error) {
	if err := galleryOf(ctx).DeleteCrop(ctx, req.GetCropId()); err != nil {
		return nil, err
	}
	s.Eraser.Finish(ctx, recordOf(ctx).journal.Gallery())
	return &pb.DeleteCropResponse{}, nil
}

func (s galleryService) CheckConsistency(ctx context.Context, _ *pb.CheckConsistencyRequest) (*pb.CheckConsistencyResponse, error) {
	report, err := galleryOf(ctx).CheckConsistency(ctx)
	if err != nil {
		return nil, err
	}
	resp := &pb.CheckConsistencyResponse{
		Consistent: report.Total == 0,
		Stored:     int32(report.Stored),
		Indexed:    int32(report.Indexed),
		Total:      int32(report.Total),
		Coverage:   s.coveragePB(report.Coverage),
	}
	if len(callerOf(ctx).Galleries) == 0 {
		if resp.LeftOver, err = s.Galleries.LeftOver(ctx); err != nil {
			return nil, err
		}
	}
	for _, d := range report.Differences {
		resp.Differences = append(resp.Differences, &pb.Difference{Kind: d.Kind, Model: d.Model, CropId: d.CropID, StudentId: d.StudentID})
	}
	return resp, nil
}
