package rpc_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "rollcall/proto/rollcall/v1"
)

// TestInactiveStudents: who has come since, by a face or without one, or was enrolled later,
// is not inactive. There are more students than one response holds.
func TestInactiveStudents(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	enroll(t, w, 2, 0, "ben/1", "ben")
	put := func(student string) {
		_, err := w.gallery().UpdateStudent(ctx, &pb.UpdateStudentRequest{StudentId: student, Create: true})
		must(t, err)
	}
	put("cleo")
	put("dora")
	for i := range 1100 {
		put(fmt.Sprintf("zz-%04d", i))
	}
	record := func(student string, cancels uint64) uint64 {
		method := pb.Method_METHOD_CARD
		if cancels > 0 {
			method = pb.Method_METHOD_CANCELLED
		}
		resp, err := w.journal().RecordCheckIn(ctx, &pb.RecordCheckInRequest{StudentId: student, Method: method, Cancels: cancels})
		must(t, err)
		return resp.GetNumber()
	}
	cleos := record("cleo", 0)
	wantVerdict(t, identify(t, w, 2, 1, nil), pb.Verdict_VERDICT_MATCH, "ben")
	list := func(since time.Time) (ids []string, seen map[string]bool, from string) {
		t.Helper()
		parts, err := w.gallery().ListInactiveStudents(ctx, &pb.ListInactiveStudentsRequest{Since: timestamppb.New(since)})
		must(t, err)
		seen = make(map[string]bool)
		for parts.Receive() {
			from = parts.Msg().GetJournalFrom()
			for _, s := range parts.Msg().GetStudents() {
				ids = append(ids, s.GetStudentId())
				seen[s.GetStudentId()] = s.GetLastSeen() != nil
			}
		}
		must(t, parts.Err())
		must(t, parts.Close())
		return ids, seen, from
	}
	since := time.Now()
	wantVerdict(t, identify(t, w, 1, 1, nil), pb.Verdict_VERDICT_MATCH, "ada")
	record("dora", 0)
	record("cleo", cleos) // taken back: no check-in
	put("later")
	eventually(t, "ada is not inactive", func() bool { // verdicts come to disk a moment later
		ids, _, _ := list(since)
		return !slices.Contains(ids, "ada")
	})
	ids, seen, from := list(since)
	if len(ids) != 1102 || !slices.Equal(ids[:3], []string{"ben", "cleo", "zz-0000"}) || !slices.IsSorted(ids) {
		t.Errorf("%d are inactive, %v first", len(ids), ids[:min(4, len(ids))])
	}
	if !seen["ben"] || !seen["cleo"] || seen["zz-0000"] {
		t.Errorf("seen: %v, %v, %v", seen["ben"], seen["cleo"], seen["zz-0000"])
	}
	if want := since.UTC().Format(time.DateOnly); from != want {
		t.Errorf("the journal begins on %q, want %s", from, want)
	}
	if ids, _, _ := list(since.Add(-time.Hour)); len(ids) > 0 {
		t.Errorf("inactive before they were enrolled: %v", ids)
	}
	if ids, _, _ := list(time.Now()); len(ids) != 1105 {
		t.Errorf("from now on %d are inactive, want all but none: 1105", len(ids))
	}
}
