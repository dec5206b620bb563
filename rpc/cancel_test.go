package rpc

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/access"
	"rollcall/access/journal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

// TestDoorsTakeBackTheirOwnLines: a check-in that knows the number and the student of a line
// of somebody else, or of an old one of its own, cannot take it back. All others can.
func TestDoorsTakeBackTheirOwnLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.OpenMemory(storage.Faults{})
		journals := journal.Open(store, slog.New(slog.DiscardHandler))
		defer func() {
			if err := errors.Join(journals.Close(), store.Close()); err != nil {
				t.Error(err)
			}
		}()
		j, err := journals.Of(journal.Server)
		if err != nil {
			t.Fatal(err)
		}
		record := func(by access.Caller, cancels uint64) (uint64, string) {
			ctx := withCaller(withRecord(context.Background(), &callRecord{journal: j}), by)
			method := pb.Method_METHOD_CARD
			if cancels > 0 {
				method = pb.Method_METHOD_CANCELLED
			}
			resp, err := journalService{}.RecordCheckIn(ctx, &pb.RecordCheckInRequest{StudentId: "ada", Method: method, Cancels: cancels})
			var refused *failure
			if errors.As(err, &refused) {
				return 0, refused.reason
			}
			if err != nil {
				t.Error(err)
			}
			return resp.GetNumber(), ""
		}
		door, gate := access.Caller{Token: "door", Role: access.CheckIn}, access.Caller{Token: "gate", Role: access.CheckIn}
		register, office := access.Caller{Token: "register", Role: access.Register}, access.Caller{Token: "office", Role: access.Enroll}
		for _, c := range []struct {
			of, by access.Caller
			later  time.Duration
			want   string
		}{
			{door, door, time.Hour, ""},
			{door, door, time.Hour + 1, "LINE_NOT_ALLOWED"},
			{gate, door, 0, "LINE_NOT_ALLOWED"},
			{office, door, 0, "LINE_NOT_ALLOWED"},
			{access.Anybody, door, 0, "LINE_NOT_ALLOWED"},
			{door, register, 48 * time.Hour, ""},
			{door, office, 48 * time.Hour, ""},
			{door, access.Anybody, 48 * time.Hour, ""},
		} {
			line, _ := record(c.of, 0)
			time.Sleep(c.later)
			if _, got := record(c.by, line); got != c.want {
				t.Errorf("%q takes back a line of %q after %v: %q, want %q", c.by.Token, c.of.Token, c.later, got, c.want)
			}
		}
	})
}
