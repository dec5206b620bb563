package rpc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func (s galleryService) MergeStudents(ctx context.Context, req *pb.MergeStudentsRequest) (*pb.MergeStudentsResponse, error) {
	student, moved, err := galleryOf(ctx).MergeStudents(ctx, req.GetFromStudentId(), req.GetIntoStudentId())
	if err != nil {
		return nil, err
	}
	return &pb.MergeStudentsResponse{Student: studentPB(student), CropsMoved: int32(moved), Change: student.Seq}, nil
}

// recordsListed is how many records of a change are listed: a merge may have thousands.
const recordsListed = 100

// ListChanges uses the number of a change as the token of a page: that before which the
// page begins.
func (s galleryService) ListChanges(ctx context.Context, req *pb.ListChangesRequest) (*pb.ListChangesResponse, error) {
	before := uint64(0)
	if token := req.GetPageToken(); token != "" {
		var err error
		if before, err = strconv.ParseUint(token, 10, 64); err != nil || before == 0 {
			return nil, badPageToken()
		}
	}
	filter := gallery.ChangeFilter{StudentID: req.GetStudentId(), CropID: req.GetCropId(), Undoable: req.GetUndoable()}
	page, next, err := galleryOf(ctx).Changes(ctx, before, int(req.GetPageSize()), filter)
	if err != nil {
		return nil, err
	}
	resp := new(pb.ListChangesResponse)
	if next > 0 {
		resp.NextPageToken = strconv.FormatUint(next, 10)
	}
	for _, c := range page {
		resp.Changes = append(resp.Changes, changePB(c))
	}
	return resp, nil
}

func (s galleryService) UndoChange(ctx context.Context, req *pb.UndoChangeRequest) (*pb.UndoChangeResponse, error) {
	undone, change, err := galleryOf(ctx).Undo(ctx, req.GetChange())
	if err != nil {
		return nil, err
	}
	return &pb.UndoChangeResponse{Change: change, Undone: changePB(undone)}, nil
}

func changePB(c gallery.ChangeInfo) *pb.Change {
	out := &pb.Change{Change: c.Seq, Time: timePB(c.Time), Cause: c.Cause, Undoable: c.Undoable, RecordCount: int32(len(c.Records)), TokenId: c.By}
	for _, r := range c.Records[:min(recordsListed, len(c.Records))] {
		out.Records = append(out.Records, &pb.ChangedRecord{
			StudentId: r.StudentID, CropId: r.CropID, Created: r.Created,
			PreviousStudentId: r.PreviousStudentID, PreviousGroups: r.PreviousGroups,
		})
	}
	return out
}

var advices = map[gallery.Advice]pb.Advice{
	gallery.AdviceMerge:     pb.Advice_ADVICE_MERGE,
	gallery.AdviceAssign:    pb.Advice_ADVICE_ASSIGN,
	gallery.AdviceEnrolMore: pb.Advice_ADVICE_ENROL_MORE,
}

// ListLookalikes uses the place of a page, as JSON in base64, as the token of the page.
func (s galleryService) ListLookalikes(ctx context.Context, req *pb.ListLookalikesRequest) (*pb.ListLookalikesResponse, error) {
	var from gallery.LookalikePage
	if token := req.GetPageToken(); token != "" {
		place, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(place, &from) != nil {
			return nil, badPageToken()
		}
	}
	found, err := galleryOf(ctx).Lookalikes(ctx, from, int(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	resp := &pb.ListLookalikesResponse{StudentsDone: int32(found.Done), StudentsTotal: int32(found.Students), Threshold: found.Threshold}
	if found.Next != nil {
		place, err := json.Marshal(found.Next)
		if err != nil {
			return nil, err
		}
		resp.NextPageToken = base64.RawURLEncoding.EncodeToString(place)
	}
	for _, l := range found.Pairs {
		resp.Lookalikes = append(resp.Lookalikes, &pb.Lookalike{
			First: lookalikeCropPB(l.First), Second: lookalikeCropPB(l.Second),
			Similarity: l.Similarity, Fmr: l.FMR, Advice: advices[l.Advice],
		})
	}
	return resp, nil
}

func lookalikeCropPB(s gallery.LookalikeSide) *pb.LookalikeCrop {
	return &pb.LookalikeCrop{StudentId: s.StudentID, CropId: s.CropID, OwnSimilarity: s.Own}
}
