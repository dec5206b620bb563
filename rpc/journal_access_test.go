package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"rollcall/access"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// inGallery is the context of a call about a gallery.
func inGallery(t *testing.T, id string) context.Context {
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Rollcall-Gallery", id)
	return ctx
}

func (w *world) journalAs(token string) rollcallv1connect.JournalServiceClient {
	return rollcallv1connect.NewJournalServiceClient(http.DefaultClient, w.url, bearer(token))
}

func (w *world) galleriesAs(token string) rollcallv1connect.GalleryServiceClient {
	return rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, w.url, bearer(token))
}

// tokenID returns the id in the text of a token.
func tokenID(text string) string { return text[len("rollcall_"):][:16] }

// watchElm begins to watch the gallery elm in every protocol, and waits until each has
// answered. The server would be silent for a quarter of an hour: only the end of the watch
// ends the waiting of these tests.
func (w *world) watchElm(token string) map[string]*connect.ServerStreamForClient[pb.WatchVerdictsResponse] {
	w.t.Helper()
	watches := map[string]*connect.ServerStreamForClient[pb.WatchVerdictsResponse]{}
	for name, client := range w.watchers(bearer(token)) {
		watch, err := client.WatchVerdicts(inGallery(w.t, "elm"), &pb.WatchVerdictsRequest{})
		must(w.t, err)
		if !watch.Receive() {
			w.t.Fatal(name, watch.Err())
		}
		watches[name] = watch
	}
	return watches
}

// TestWatchEnds: a watch ends when its token is revoked, and when its gallery is deleted,
// though its token may go on. A gallery that is made again begins with an empty journal.
func TestWatchEnds(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{IdleTimeout: time.Hour}})
	admin := w.admin()
	_, err := w.galleriesAs(admin).CreateGallery(t.Context(), &pb.CreateGalleryRequest{GalleryId: "elm"})
	must(t, err)
	ends := func(watches map[string]*connect.ServerStreamForClient[pb.WatchVerdictsResponse], reason string) {
		t.Helper()
		for name, watch := range watches {
			for watch.Receive() {
			}
			if reasonOf(watch.Err()) != reason {
				t.Errorf("%s: %v, want %s", name, watch.Err(), reason)
			}
			_ = watch.Close()
		}
	}
	register := w.token(access.Caller{Role: access.Register, Galleries: []string{"elm"}})
	watches := w.watchElm(register)
	must(t, w.tokens.Revoke(t.Context(), tokenID(register), access.Anybody))
	ends(watches, "REVOKED_TOKEN")

	register = w.token(access.Caller{Role: access.Register})
	watches = w.watchElm(register)
	for range 3 {
		_, err = w.journalAs(admin).RecordCheckIn(inGallery(t, "elm"), &pb.RecordCheckInRequest{StudentId: "ada", Method: pb.Method_METHOD_CARD, RequestId: "once"})
		must(t, err)
	}
	_, err = w.galleriesAs(admin).DeleteGallery(t.Context(), &pb.DeleteGalleryRequest{GalleryId: "elm"})
	must(t, err)
	_, err = w.galleriesAs(admin).CreateGallery(t.Context(), &pb.CreateGalleryRequest{GalleryId: "elm"})
	must(t, err)
	ends(watches, "GALLERY_NOT_FOUND")
	first, err := w.journalAs(admin).RecordCheckIn(inGallery(t, "elm"), &pb.RecordCheckInRequest{StudentId: "bob", Method: pb.Method_METHOD_CARD, RequestId: "once"})
	must(t, err)
	list, err := w.journalAs(register).ListLines(inGallery(t, "elm"), &pb.ListLinesRequest{})
	must(t, err)
	if first.GetNumber() != 1 || len(list.GetLines()) != 1 || list.GetLines()[0].GetStudentId() != "bob" {
		t.Errorf("line %d of the gallery that was made again: %v", first.GetNumber(), list)
	}
}

// TestRefusalsNameTheirCaller: a refused call is in the journal with its caller if that is
// known, and without one if not, and never with the token. However many are refused, only
// some are written.
func TestRefusalsNameTheirCaller(t *testing.T) {
	w := newWorld(t, setup{})
	admin := w.admin()
	door := w.token(access.Caller{Name: "the door", Role: access.CheckIn, Galleries: []string{"default"}})
	ask := func(token, gallery string) outcome {
		header := http.Header{"Rollcall-Gallery": {gallery}}
		if token != "" {
			header["Authorization"] = []string{"Bearer " + token}
		}
		return ask(t, http.DefaultClient, w.url, galleryPath+"ListStudents", protocolsOfCalls[0], header)
	}
	ask("", "")
	ask(door[:len(door)-5], "")
	ask(door, "")
	ask(admin, "elm")
	server := func(atLeast int) (lines []*pb.Line) {
		t.Helper()
		eventually(t, fmt.Sprint("the server's journal has ", atLeast, " lines"), func() bool {
			resp, err := w.journalAs(admin).ListLines(t.Context(), &pb.ListLinesRequest{Server: true, PageSize: 1000})
			must(t, err)
			lines = resp.GetLines()
			return len(lines) >= atLeast
		})
		return lines
	}
	want := []struct{ reason, token, id string }{
		{"NO_TOKEN", "", ""}, {"INVALID_TOKEN", "", ""}, {"ROLE_NOT_ALLOWED", "the door", tokenID(door)}, {"GALLERY_NOT_FOUND", "", tokenID(admin)},
	}
	for i, l := range server(len(want)) {
		if l.GetReason() != want[i].reason || l.GetToken() != want[i].token || l.GetTokenId() != want[i].id ||
			l.GetAddress() != "127.0.0.1" || l.GetProcedure() != galleryPath+"ListStudents" || strings.Contains(l.String(), door[25:]) {
			t.Errorf("line %v, want %v", l, want[i])
		}
	}
	// A call that was refused in its gallery is in that gallery's journal, with its caller.
	if _, err := w.journalAs(door).RecordCheckIn(t.Context(), &pb.RecordCheckInRequest{StudentId: "ada", Method: pb.Method_METHOD_CANCELLED, Cancels: 7}); reasonOf(err) != "NO_SUCH_LINE" {
		t.Error(err)
	}
	eventually(t, "the gallery's journal has the refusal", func() bool {
		list, err := w.journalAs(admin).ListLines(t.Context(), &pb.ListLinesRequest{})
		must(t, err)
		return len(list.GetLines()) == 1 && list.GetLines()[0].GetReason() == "NO_SUCH_LINE" && list.GetLines()[0].GetTokenId() == tokenID(door)
	})
	for range 300 {
		if got := ask("wrong", ""); got.reason != "INVALID_TOKEN" {
			t.Fatal(got)
		}
	}
	time.Sleep(time.Second)
	if n := len(server(100)); n > 200 {
		t.Errorf("of 304 refusals %d are written", n)
	}
}

// TestRecordCheckInAtTheDoor records as curl does, with the token of a check-in. What is
// limited to some groups may record for everybody: whose face is not enrolled is in no group.
// The answers tell nothing of who is enrolled.
func TestRecordCheckInAtTheDoor(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "5a")
	enroll(t, w, 2, 0, "bob/1", "bob", "5b")
	admin := w.admin()
	for _, c := range []struct {
		name, token string
	}{
		{"a check-in", w.token(access.Caller{Name: "the door", Role: access.CheckIn})},
		{"a check-in of 5a", w.token(access.Caller{Name: "the door", Role: access.CheckIn, Groups: []string{"5a"}})},
		{"the register", w.token(access.Caller{Name: "the door", Role: access.Register})},
		{"the office", w.token(access.Caller{Name: "the door", Role: access.Enroll})},
	} {
		post := func(body string) (status int, answer struct{ Number, Code string }) {
			t.Helper()
			req, err := http.NewRequest(http.MethodPost, w.url+journalPath+"RecordCheckIn", bytes.NewReader([]byte(body)))
			must(t, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+c.token)
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			must(t, err)
			must(t, json.Unmarshal(raw, &answer))
			return resp.StatusCode, answer
		}
		var numbers []string
		methods := []string{"METHOD_CARD", "METHOD_PIN", "METHOD_BY_HAND", "METHOD_EXEMPT"}
		students := []string{"ada", "bob", "nobody-knows-me"}
		for _, method := range methods {
			for _, student := range students {
				status, answer := post(fmt.Sprintf(`{"studentId":%q,"method":%q,"by":"Ms Gray"}`, student, method))
				if status != http.StatusOK || answer.Number == "" {
					t.Fatalf("%s, %s, %s: %d %v", c.name, method, student, status, answer)
				}
				numbers = append(numbers, answer.Number)
			}
		}
		status, answer := post(fmt.Sprintf(`{"student_id":"bob","method":"METHOD_CANCELLED","cancels":%q}`, numbers[1]))
		if status != http.StatusOK {
			t.Fatalf("%s takes a line back: %d %v", c.name, status, answer)
		}
		if status, answer := post(fmt.Sprintf(`{"student_id":"bob","method":"METHOD_CANCELLED","cancels":%q}`, numbers[0])); status != http.StatusBadRequest || answer.Code != "failed_precondition" {
			t.Errorf("%s takes another student's line back: %d %v", c.name, status, answer)
		}
		var after uint64
		_, err := fmt.Sscan(numbers[0], &after)
		must(t, err)
		list, err := w.journalAs(admin).ListLines(t.Context(), &pb.ListLinesRequest{After: after - 1, Kinds: []pb.LineKind{pb.LineKind_LINE_KIND_CHECK_IN}})
		must(t, err)
		if len(list.GetLines()) != len(numbers)+1 {
			t.Fatalf("%s: %d lines", c.name, len(list.GetLines()))
		}
		for i, l := range list.GetLines() {
			method, student := pb.Method_METHOD_CANCELLED, "bob"
			if i < len(numbers) {
				method, student = pb.Method(pb.Method_value[methods[i/len(students)]]), students[i%len(students)]
			} else if fmt.Sprint(l.GetCancels()) != numbers[1] {
				t.Errorf("%s: %v", c.name, l)
			}
			if l.GetToken() != "the door" || l.GetTokenId() != tokenID(c.token) || l.GetMethod() != method || l.GetStudentId() != student {
				t.Errorf("%s: line %v, want %v of %s", c.name, l, method, student)
			}
		}
	}
}
