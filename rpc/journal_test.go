package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

const journalPath = "/rollcall.v1.JournalService/"

// lines returns the first page of the journal once it has this many lines.
func (w *world) lines(atLeast int, req *pb.ListLinesRequest) []*pb.Line {
	w.t.Helper()
	var resp *pb.ListLinesResponse
	eventually(w.t, fmt.Sprint("the journal has ", atLeast, " lines"), func() bool {
		var err error
		resp, err = w.journal().ListLines(context.Background(), req)
		must(w.t, err)
		return len(resp.GetLines()) >= atLeast
	})
	return resp.GetLines()
}

// record records a check-in and returns its number.
func (w *world) record(student string, method pb.Method, cancels uint64, request string) uint64 {
	w.t.Helper()
	resp, err := w.journal().RecordCheckIn(context.Background(), &pb.RecordCheckInRequest{
		StudentId: student, Method: method, Cancels: cancels, By: "Ms Gray", RequestId: request,
	})
	must(w.t, err)
	return resp.GetNumber()
}

// A verdict whose line is awaited tells its number, by which it can be taken back at once.
func TestAwaitedVerdictsCanBeTakenBack(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	plain := identify(t, w, 1, 1, nil)
	one, err := w.attendance().Identify(t.Context(), &pb.IdentifyRequest{Image: onnxtest.Face(1, 1), AwaitLine: true})
	must(t, err)
	stored, err := w.attendance().Identify(t.Context(), &pb.IdentifyRequest{CropId: "ada/1", AwaitLine: true})
	must(t, err)
	burst, err := w.attendance().IdentifyBurst(t.Context(), &pb.IdentifyBurstRequest{Frames: []*pb.BurstFrame{{Image: onnxtest.Face(1, 2)}}, AwaitLine: true})
	must(t, err)
	if plain.GetLine() != 0 || one.GetLine() != 2 || stored.GetLine() != 3 || burst.GetLine() != 4 || burst.GetStudentId() != "ada" {
		t.Errorf("lines %d, %d, %d and %d", plain.GetLine(), one.GetLine(), stored.GetLine(), burst.GetLine())
	}
	for i, number := range []uint64{one.GetLine(), burst.GetLine()} {
		if got := w.record("ada", pb.Method_METHOD_CANCELLED, number, ""); got != uint64(5+i) {
			t.Errorf("taken back in line %d", got)
		}
	}
}

// Every verdict and every refusal is a line that says what was answered.
func TestVerdictsAndRefusalsAreWrittenDown(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	enroll(t, w, 2, 0, "bob/1", "bob")
	answers := []*pb.IdentifyResponse{identify(t, w, 1, 1, nil), identify(t, w, 9, 0, nil)}
	unusable, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{Image: onnxtest.Blank(1)})
	must(t, err)
	stored, err := w.attendance().Identify(context.Background(), &pb.IdentifyRequest{CropId: "ada/1", Fpir: 0.25})
	must(t, err)
	answers = append(answers, unusable, stored)
	roll, err := w.attendance().RollCall(context.Background(), &pb.RollCallRequest{
		Probes: []*pb.RollCallProbe{{Image: onnxtest.Face(2, 1)}, {Image: onnxtest.Face(1, 2)}},
	})
	must(t, err)
	if a := w.post(identifyPath, `{"image":"bm8gaW1hZ2U="}`); a.reason() != "NOT_AN_IMAGE" {
		t.Fatal(a.raw)
	}
	got := w.lines(7, &pb.ListLinesRequest{})
	for i, l := range got {
		if l.GetNumber() != uint64(i)+1 || time.Since(l.GetTime().AsTime()) > time.Hour || l.GetAddress() != "127.0.0.1" || l.GetToken() != "" {
			t.Errorf("line %d: %v", i, l)
		}
	}
	for i, answer := range answers {
		l := got[i]
		if l.GetKind() != pb.LineKind_LINE_KIND_VERDICT || l.GetProcedure() != identifyPath || l.GetVerdict() != answer.GetVerdict() ||
			l.GetStudentId() != answer.GetStudentId() || l.GetSimilarity() != answer.GetSimilarity() || l.GetThreshold() != answer.GetThreshold() ||
			l.GetStudentsInScope() != answer.GetStudentsInScope() || !slices.Equal(l.GetReasons(), answer.GetReasons()) || !strings.Contains(l.GetRecipe(), "test-arcface") {
			t.Errorf("answer %v\nline %v", answer, l)
		}
	}
	if got[0].GetFpir() != 0.001 || got[2].GetFpir() != 0 || got[3].GetFpir() != 0.25 {
		t.Errorf("rates %v, %v, %v", got[0].GetFpir(), got[2].GetFpir(), got[3].GetFpir())
	}
	for i, seat := range roll.GetSeats() {
		l := got[4+i]
		if !strings.HasSuffix(l.GetProcedure(), "/RollCall") || l.GetStudentId() != seat.GetStudentId() || l.GetStudentId() == "" ||
			l.GetSimilarity() != seat.GetSimilarity() || l.GetThreshold() != roll.GetThreshold() || l.GetStudentsInScope() != 2 {
			t.Errorf("seat %v\nline %v", seat, l)
		}
	}
	if l := got[6]; l.GetKind() != pb.LineKind_LINE_KIND_REFUSAL || l.GetCode() != "invalid_argument" || l.GetReason() != "NOT_AN_IMAGE" || l.GetProcedure() != identifyPath {
		t.Errorf("refusal %v", l)
	}
	// What reached no gallery is in the server's journal.
	resp, err := http.Post(w.url+identifyPath, "text/plain", strings.NewReader("x"))
	must(t, err)
	must(t, resp.Body.Close())
	if l := w.lines(1, &pb.ListLinesRequest{Server: true})[0]; l.GetReason() != "UNSUPPORTED_MEDIA_TYPE" {
		t.Errorf("the server's journal: %v", l)
	}
	w.counts("rollcall_journal_waiting 0", "rollcall_journal_lost_total 0")
}

// A check-in without a face is on disk when it is answered, once for each request id,
// and can be taken back once it is there.
func TestRecordCheckIn(t *testing.T) {
	w := newWorld(t, setup{})
	card := w.record("no-face", pb.Method_METHOD_CARD, 0, "a")
	again := w.record("no-face", pb.Method_METHOD_CARD, 0, "a")
	other := w.record("no-face", pb.Method_METHOD_BY_HAND, 0, "")
	if card != 1 || again != 1 || other != 2 {
		t.Errorf("numbers %d, %d, %d", card, again, other)
	}
	taken := w.record("no-face", pb.Method_METHOD_CANCELLED, card, "")
	for what, c := range map[string]struct{ body, reason string }{
		"of another student":                {`{"studentId":"ada","method":"METHOD_CANCELLED","cancels":"1"}`, "CANNOT_CANCEL"},
		"of a taking back":                  {fmt.Sprintf(`{"studentId":"no-face","method":"METHOD_CANCELLED","cancels":"%d"}`, taken), "CANNOT_CANCEL"},
		"of the next line":                  {`{"studentId":"no-face","method":"METHOD_CANCELLED","cancels":"4"}`, "CANNOT_CANCEL"},
		"of a far line":                     {`{"studentId":"no-face","method":"METHOD_CANCELLED","cancels":"400"}`, "NO_SUCH_LINE"},
		"of no line":                        {`{"studentId":"no-face","method":"METHOD_CANCELLED"}`, "INVALID_REQUEST"},
		"with a card":                       {`{"studentId":"no-face","method":"METHOD_CARD","cancels":"1"}`, "INVALID_REQUEST"},
		"by no method":                      {`{"studentId":"no-face"}`, "INVALID_REQUEST"},
		"by an unknown one":                 {`{"studentId":"no-face","method":"METHOD_SHOUT"}`, "INVALID_REQUEST"},
		"of nobody":                         {`{"method":"METHOD_CARD"}`, "INVALID_REQUEST"},
		"of an invisible one":               {`{"studentId":"\u200b","method":"METHOD_CARD"}`, "INVALID_ID"},
		"of another student with a used id": {`{"studentId":"ada","method":"METHOD_CARD","requestId":"a"}`, "REQUEST_ID_USED"},
		"by another method with a used id":  {`{"studentId":"no-face","method":"METHOD_PIN","requestId":"a"}`, "REQUEST_ID_USED"},
	} {
		if a := w.post(journalPath+"RecordCheckIn", c.body); a.reason() != c.reason {
			t.Errorf("%s: %s", what, a.raw)
		}
	}
	w.stop()
	must(t, <-w.done)
	w = newWorld(t, setup{data: w.data, library: w.library})
	got := w.lines(3, &pb.ListLinesRequest{Kinds: []pb.LineKind{pb.LineKind_LINE_KIND_CHECK_IN}})
	if l := got[0]; l.GetStudentId() != "no-face" || l.GetMethod() != pb.Method_METHOD_CARD || l.GetBy() != "Ms Gray" {
		t.Errorf("%v", l)
	}
	if l := got[2]; l.GetCancels() != 1 || l.GetNumber() != taken {
		t.Errorf("%v", l)
	}
	if n := w.record("no-face", pb.Method_METHOD_CARD, 0, "a"); n != 1 {
		t.Errorf("after a restart the same request is line %d", n)
	}
}

// A line is taken back once, whoever takes it back, and however many do at once. The request
// id of a taking back keeps no check-in from being recorded.
func TestLinesAreTakenBackOnce(t *testing.T) {
	w := newWorld(t, setup{})
	first := w.record("ada", pb.Method_METHOD_CARD, 0, "a")
	second := w.record("ada", pb.Method_METHOD_CARD, 0, "b")
	var together sync.WaitGroup
	var taken [8]uint64
	for i := range taken {
		together.Go(func() { taken[i] = w.record("ada", pb.Method_METHOD_CANCELLED, first, fmt.Sprint("t", i%3)) })
	}
	together.Wait()
	if taken != [8]uint64{3, 3, 3, 3, 3, 3, 3, 3} {
		t.Errorf("taken back in lines %d", taken)
	}
	if got := w.record("ada", pb.Method_METHOD_CANCELLED, second, "a"); got != 4 {
		t.Errorf("the other line is taken back in line %d", got)
	}
	if got := w.record("ada", pb.Method_METHOD_CARD, 0, "t0"); got != 5 {
		t.Errorf("the next check-in is line %d", got)
	}
	w.stop()
	must(t, <-w.done)
	w = newWorld(t, setup{data: w.data, library: w.library})
	if got := w.record("ada", pb.Method_METHOD_CANCELLED, first, ""); got != 3 {
		t.Errorf("after a restart it is taken back in line %d", got)
	}
}

// Deleting a student erases it from the journal, enrolled or not.
func TestDeletedStudentsLeaveTheJournal(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada")
	wantVerdict(t, identify(t, w, 1, 1, nil), pb.Verdict_VERDICT_MATCH, "ada") // waits in memory
	w.record("ada", pb.Method_METHOD_CARD, 0, "")
	w.record("guest", pb.Method_METHOD_CARD, 0, "")
	wantVerdict(t, identify(t, w, 1, 2, nil), pb.Verdict_VERDICT_MATCH, "ada")
	for student, lines := range map[string]int32{"ada": 3, "guest": 1} {
		resp, err := w.gallery().DeleteStudent(context.Background(), &pb.DeleteStudentRequest{StudentId: student})
		must(t, err)
		if r := resp.GetReceipt(); r.GetJournalLines() > lines || r.GetJournalLines() < 1 || r.GetFinished() == nil {
			t.Errorf("the receipt of %s is %v", student, r)
		}
		_, err = w.gallery().DeleteStudent(context.Background(), &pb.DeleteStudentRequest{StudentId: student})
		if connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("%s a second time: %v", student, err)
		}
	}
	for _, l := range w.lines(5, &pb.ListLinesRequest{}) {
		if l.GetStudentId() != "" || l.GetKind() == pb.LineKind_LINE_KIND_CHECK_IN && (!l.GetErased() || l.GetBy() != "Ms Gray") {
			t.Errorf("line %v", l)
		}
	}
}

// The filters of ListLines choose what a filter in the client would, and its pages hold
// each line once.
func TestListLines(t *testing.T) {
	w := newWorld(t, setup{})
	for i := range 30 {
		w.record(fmt.Sprint("student-", i%3), pb.Method(1+i%4), 0, "")
	}
	enroll(t, w, 1, 0, "ada/1", "ada")
	for i := range int64(3) {
		identify(t, w, 1+8*(i%2), 1, nil)
	}
	w.post(identifyPath, `{"image":"bm8gaW1hZ2U="}`)
	all := w.lines(34, &pb.ListLinesRequest{})
	middle := all[12].GetTime()
	for what, req := range map[string]*pb.ListLinesRequest{
		"all":     {},
		"student": {StudentId: "student-1"},
		"kinds":   {Kinds: []pb.LineKind{pb.LineKind_LINE_KIND_VERDICT, pb.LineKind_LINE_KIND_REFUSAL}},
		"verdict": {Verdict: pb.Verdict_VERDICT_UNKNOWN},
		"from":    {From: middle},
		"until":   {Until: middle},
		"several": {From: middle, StudentId: "student-2", Kinds: []pb.LineKind{pb.LineKind_LINE_KIND_CHECK_IN}},
		"nobody":  {StudentId: "nobody"},
	} {
		var want []*pb.Line
		for _, l := range all {
			at := l.GetTime().AsTime()
			if (req.GetStudentId() == "" || l.GetStudentId() == req.GetStudentId()) && (len(req.GetKinds()) == 0 || slices.Contains(req.GetKinds(), l.GetKind())) &&
				(req.GetVerdict() == 0 || l.GetVerdict() == req.GetVerdict()) &&
				(req.From == nil || at.Compare(middle.AsTime()) >= 0) && (req.Until == nil || at.Compare(middle.AsTime()) < 0) {
				want = append(want, l)
			}
		}
		for _, size := range []int32{0, 1, 7, 34} {
			var got []*pb.Line
			for end := false; !end; {
				req.PageSize = size
				resp, err := w.journal().ListLines(context.Background(), req)
				must(t, err)
				got = append(got, resp.GetLines()...)
				req.After, end = resp.GetNextAfter(), resp.GetEnd()
			}
			req.After = 0
			if !slices.EqualFunc(got, want, func(a, b *pb.Line) bool { return proto.Equal(a, b) }) {
				t.Errorf("%s by %d: %d lines, want %d", what, size, len(got), len(want))
			}
		}
	}
	a := w.post(journalPath+"ListLines", `{"after":"35"}`)
	if a.reason() != "NO_SUCH_LINE" || a.status != http.StatusBadRequest {
		t.Errorf("after the newest: %s", a.raw)
	}
}

// watchers are the ways to watch.
func (w *world) watchers(with ...connect.ClientOption) map[string]rollcallv1connect.JournalServiceClient {
	over := func(client *http.Client, also ...connect.ClientOption) rollcallv1connect.JournalServiceClient {
		return rollcallv1connect.NewJournalServiceClient(client, w.url, append(also, with...)...)
	}
	return map[string]rollcallv1connect.JournalServiceClient{
		"connect":     over(http.DefaultClient),
		"json":        over(http.DefaultClient, connect.WithProtoJSON()),
		"connect h2c": over(h2c()),
		"gzip":        over(http.DefaultClient, connect.WithSendGzip()),
		"grpc":        over(h2c(), connect.WithGRPC()),
		"grpc-web":    over(http.DefaultClient, connect.WithGRPCWeb()),
	}
}

// A watch sends verdicts and check-ins once and in order, those of before and those that
// come, from any number, in every protocol. It says something when nothing happens, and
// ends when the server stops.
func TestWatchVerdicts(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{IdleTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second}})
	for range 150 {
		w.record("ada", pb.Method_METHOD_CARD, 0, "")
	}
	w.post(identifyPath, `{"image":"bm8gaW1hZ2U="}`) // a refusal
	w.lines(1, &pb.ListLinesRequest{After: 150})
	type watch struct {
		name   string
		stream *connect.ServerStreamForClient[pb.WatchVerdictsResponse]
		got    []uint64
		silent int
	}
	var watches []*watch
	for name, client := range w.watchers() {
		stream, err := client.WatchVerdicts(context.Background(), &pb.WatchVerdictsRequest{After: 20})
		must(t, err)
		watches = append(watches, &watch{name: name, stream: stream})
	}
	// read reads until the watch has sent the line with this number and, after it, been
	// silent this often.
	read := func(wa *watch, until uint64, silent int) {
		t.Helper()
		for wa.silent < silent || len(wa.got) == 0 || wa.got[len(wa.got)-1] < until {
			if !wa.stream.Receive() {
				t.Fatalf("%s: the stream ended: %v", wa.name, wa.stream.Err())
			}
			if len(wa.stream.Msg().GetLines()) == 0 {
				wa.silent++
			}
			for _, l := range wa.stream.Msg().GetLines() {
				wa.silent = 0
				wa.got = append(wa.got, l.GetNumber())
				if newest := wa.stream.Msg().GetNewest(); newest < l.GetNumber() {
					t.Errorf("%s: newest is %d in a response with line %d", wa.name, newest, l.GetNumber())
				}
			}
		}
	}
	for _, wa := range watches {
		read(wa, 150, 6) // 6 x 0.5 s is longer than the server waits for a silent client
	}
	later := w.record("bob", pb.Method_METHOD_PIN, 0, "")
	want := []uint64{}
	for n := uint64(21); n <= 150; n++ {
		want = append(want, n)
	}
	want = append(want, later)
	for _, wa := range watches {
		read(wa, later, 0)
		if !slices.Equal(wa.got, want) {
			t.Errorf("%s: %v", wa.name, wa.got)
		}
	}
	stopped := make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	for _, wa := range watches {
		for wa.stream.Receive() {
		}
		if connect.CodeOf(wa.stream.Err()) != connect.CodeUnavailable {
			t.Errorf("%s: at the end of the server: %v", wa.name, wa.stream.Err())
		}
		_ = wa.stream.Close()
	}
	<-stopped
	must(t, <-w.done)
}

// A watch refuses what it cannot send, in the protocol of the request.
func TestWatchVerdictsRefuses(t *testing.T) {
	w := newWorld(t, setup{})
	w.record("ada", pb.Method_METHOD_CARD, 0, "")
	for name, client := range w.watchers() {
		stream, err := client.WatchVerdicts(context.Background(), &pb.WatchVerdictsRequest{After: 1000})
		must(t, err)
		for stream.Receive() {
		}
		if connect.CodeOf(stream.Err()) != connect.CodeOutOfRange {
			t.Errorf("%s: %v", name, stream.Err())
		}
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		stream, err = client.WatchVerdicts(ctx, &pb.WatchVerdictsRequest{})
		for err == nil && stream.Receive() {
		}
		if err == nil {
			err = stream.Err()
		}
		if connect.CodeOf(err) != connect.CodeDeadlineExceeded {
			t.Errorf("%s: the client's deadline: %v", name, err)
		}
		cancel()
	}
	for what, body := range map[string]string{"no envelope": "{}", "cut": "\x00\x00\x00\x00\x09{}", "too much": "\x00\x00\x00\x00\x02{}{}"} {
		resp, err := http.Post(w.url+journalPath+"WatchVerdicts", "application/connect+json", strings.NewReader(body))
		must(t, err)
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		must(t, errors.Join(err, resp.Body.Close()))
		if !strings.Contains(string(text), "BROKEN_ENVELOPE") {
			t.Errorf("%s: %q", what, text)
		}
	}
}

// ListDays tells the heads of what is there. No call about the journal takes a gallery into
// memory.
func TestListDays(t *testing.T) {
	w := newWorld(t, setup{})
	empty, err := w.journal().ListDays(context.Background(), &pb.ListDaysRequest{})
	must(t, err)
	w.record("ada", pb.Method_METHOD_CARD, 0, "")
	one, err := w.journal().ListDays(context.Background(), &pb.ListDaysRequest{})
	must(t, err)
	w.record("ada", pb.Method_METHOD_CARD, 0, "")
	two, err := w.journal().ListDays(context.Background(), &pb.ListDaysRequest{From: "2026-01-01"})
	must(t, err)
	late, err := w.journal().ListDays(context.Background(), &pb.ListDaysRequest{From: "9999-01-01"})
	must(t, err)
	d := two.GetDays()[0]
	if len(empty.GetDays()) != 0 || len(late.GetDays()) != 0 || len(two.GetServer()) != 16 || d.GetFirst() != 1 || d.GetLast() != 2 || !d.GetOpen() ||
		len(d.GetHead()) != 64 || d.GetHead() == one.GetDays()[0].GetHead() {
		t.Errorf("%v, %v, %v", empty, one, two)
	}
	stream, err := w.journal().WatchVerdicts(context.Background(), &pb.WatchVerdictsRequest{})
	must(t, err)
	defer stream.Close()
	if !stream.Receive() || len(stream.Msg().GetLines()) != 2 {
		t.Errorf("%v, %v", stream.Msg(), stream.Err())
	}
	w.counts("rollcall_galleries_loaded 0")
	identify(t, w, 1, 0, nil)
	w.counts("rollcall_galleries_loaded 1")
}
