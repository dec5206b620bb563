package rpc_test

import (
	"context"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	pb "rollcall/proto/rollcall/v1"
)

// wantCode checks the code and the reason of an error, and returns what it tells besides.
func wantCode(t *testing.T, err error, code connect.Code, reason string) map[string]string {
	t.Helper()
	info := detailOf[*errdetails.ErrorInfo](err)
	if connect.CodeOf(err) != code || info.GetReason() != reason {
		t.Errorf("%v, reason %s; want %v, %s", err, info.GetReason(), code, reason)
	}
	return info.GetMetadata()
}

// TestMergeAndUndo: a merge and an assignment over the wire, their undo by number, and the
// reasons of what is refused.
func TestMergeAndUndo(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	enroll(t, w, 2, 0, "ben/1", "ben", "4a")
	g, ctx := w.gallery(), context.Background()

	merged, err := g.MergeStudents(ctx, &pb.MergeStudentsRequest{FromStudentId: "ben", IntoStudentId: "ada"})
	must(t, err)
	if merged.GetCropsMoved() != 1 || merged.GetStudent().GetCropCount() != 2 || len(merged.GetStudent().GetGroups()) != 2 {
		t.Errorf("merged: %v", merged)
	}
	wantVerdict(t, identify(t, w, 2, 3, nil), pb.Verdict_VERDICT_MATCH, "ada")
	undone, err := g.UndoChange(ctx, &pb.UndoChangeRequest{Change: merged.GetChange()})
	must(t, err)
	if undone.GetChange() != merged.GetChange()+1 || undone.GetUndone().GetCause() != "merge students" || undone.GetUndone().GetRecordCount() != 3 {
		t.Errorf("undone: %v", undone)
	}
	wantVerdict(t, identify(t, w, 2, 3, nil), pb.Verdict_VERDICT_MATCH, "ben")

	nobody, ben := "", "ben"
	_, err = g.AssignCrop(ctx, &pb.AssignCropRequest{CropId: "ben/1", StudentId: "bob", ExpectedStudentId: &nobody})
	if info := wantCode(t, err, connect.CodeFailedPrecondition, "STUDENT_CHANGED"); info["student_id"] != "ben" {
		t.Errorf("STUDENT_CHANGED tells %v", info)
	}
	assigned, err := g.AssignCrop(ctx, &pb.AssignCropRequest{CropId: "ben/1", StudentId: "bob", ExpectedStudentId: &ben})
	must(t, err)
	again, err := g.AssignCrop(ctx, &pb.AssignCropRequest{CropId: "ben/1"})
	must(t, err)
	_, err = g.UndoChange(ctx, &pb.UndoChangeRequest{Change: assigned.GetChange()})
	if info := wantCode(t, err, connect.CodeFailedPrecondition, "NEWER_CHANGE"); info["change"] != "7" || again.GetChange() != 7 || info["cause"] != "assign" {
		t.Errorf("NEWER_CHANGE tells %v of %d", info, again.GetChange())
	}
	_, err = g.UndoChange(ctx, &pb.UndoChangeRequest{Change: 1})
	wantCode(t, err, connect.CodeFailedPrecondition, "NOT_UNDOABLE")
	_, err = g.UndoChange(ctx, &pb.UndoChangeRequest{Change: 1000})
	wantCode(t, err, connect.CodeNotFound, "CHANGE_NOT_FOUND")
	_, err = g.MergeStudents(ctx, &pb.MergeStudentsRequest{FromStudentId: "ada", IntoStudentId: "ada"})
	wantCode(t, err, connect.CodeInvalidArgument, "SAME_STUDENT")

	page, err := g.ListChanges(ctx, &pb.ListChangesRequest{PageSize: 2, Undoable: true})
	must(t, err)
	if len(page.GetChanges()) != 2 || page.GetChanges()[0].GetChange() != 7 || page.GetNextPageToken() == "" {
		t.Errorf("changes: %v", page)
	}
	_, err = g.ListChanges(ctx, &pb.ListChangesRequest{PageToken: "x"})
	wantCode(t, err, connect.CodeInvalidArgument, "BAD_PAGE_TOKEN")
	_, err = g.ListLookalikes(ctx, &pb.ListLookalikesRequest{PageToken: "x"})
	wantCode(t, err, connect.CodeInvalidArgument, "BAD_PAGE_TOKEN")
}
