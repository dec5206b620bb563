package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// journalService answers the calls about the journal; WatchVerdicts is in watch.go.
type journalService struct{ *api }

func (s journalService) RecordCheckIn(ctx context.Context, req *pb.RecordCheckInRequest) (*pb.RecordCheckInResponse, error) {
	student, err := gallery.StudentID(req.GetStudentId())
	if err != nil {
		return nil, fieldError("INVALID_ID", "student_id", err.Error())
	}
	request := req.GetRequestId()
	if req.GetCancels() > 0 {
		if err := s.mayCancel(ctx, req.GetCancels(), student); err != nil {
			return nil, err
		}
		request = fmt.Sprintf("\x00cancels %d", req.GetCancels()) // no client's key has a control character
	}
	line := &pb.Line{
		Kind: pb.LineKind_LINE_KIND_CHECK_IN, StudentId: student,
		Method: req.GetMethod(), Cancels: req.GetCancels(), By: req.GetBy(),
	}
	who(ctx, line)
	number, err := recordOf(ctx).journal.Record(line, request)
	if err == nil && request != "" {
		err = s.isLineOf(ctx, number, req, student)
	}
	if err != nil {
		return nil, err
	}
	return &pb.RecordCheckInResponse{Number: number}, nil
}

// isLineOf returns an error if a line is of another check-in with the same request id. A
// client that draws an id twice must not take its second check-in for recorded.
func (s journalService) isLineOf(ctx context.Context, number uint64, req *pb.RecordCheckInRequest, student string) error {
	line, err := lineAt(ctx, number)
	if err != nil || line.GetErased() {
		return err
	}
	if line.GetStudentId() == student && line.GetMethod() == req.GetMethod() {
		return nil
	}
	return newError(connect.CodeAlreadyExists, "REQUEST_ID_USED",
		fmt.Sprintf("line %d has this request_id, and is another check-in: nothing was recorded; draw a new request_id for each check-in", number), nil)
}

// lineAt returns the line with this number; nil: it is not written yet.
func lineAt(ctx context.Context, number uint64) (*pb.Line, error) {
	for line, err := range recordOf(ctx).journal.Lines(ctx, number-1) {
		return line, err
	}
	return nil, nil
}

// doorCancels is how long a check-in may take back its lines. Whoever stands at the door
// says at once that it was somebody else; a tablet that is stolen does not change the days
// before.
const doorCancels = time.Hour

// mayCancel returns why a caller may not take back a line, or nil.
func (s journalService) mayCancel(ctx context.Context, number uint64, student string) error {
	line, err := lineAt(ctx, number)
	if err != nil {
		return err
	}
	if line.GetStudentId() != student || !isCheckIn(line) || line.GetCancels() > 0 {
		return newError(connect.CodeFailedPrecondition, "CANNOT_CANCEL",
			fmt.Sprintf("line %d is no match or check-in of this student: look with ListLines which line to take back", number), nil)
	}
	caller := callerOf(ctx)
	if caller.Role == access.CheckIn && (line.GetTokenId() != caller.Token || time.Since(line.GetTime().AsTime()) > doorCancels) {
		return newError(connect.CodePermissionDenied, "LINE_NOT_ALLOWED",
			fmt.Sprintf("a checkin takes back its own lines, for an hour: the office can take back line %d", number), nil)
	}
	return nil
}

// isCheckIn says whether the register takes a line for a check-in of its student, or for
// one that is taken back.
func isCheckIn(line *pb.Line) bool {
	return line.GetKind() == pb.LineKind_LINE_KIND_CHECK_IN || line.GetKind() == pb.LineKind_LINE_KIND_VERDICT
}

const (
	defaultPage = 100

	// mostLooked bounds the lines that one call looks at: reading and verifying them takes
	// some 50 ms.
	mostLooked = 10_000
)

func (s journalService) ListLines(ctx context.Context, req *pb.ListLinesRequest) (*pb.ListLinesResponse, error) {
	from, err := s.journalOf(ctx, req.GetServer())
	if err != nil {
		return nil, err
	}
	wanted := linesWanted(req, callerOf(ctx).Role)
	page, err := readPage(ctx, from, req.GetAfter(), int(req.GetPageSize()), wanted)
	if err != nil {
		return nil, err
	}
	return &pb.ListLinesResponse{Lines: page.lines, NextAfter: page.next, End: page.end}, nil
}

// linesWanted returns which lines a request asks for. The register sees what it needs:
// who was refused is not its business.
func linesWanted(req *pb.ListLinesRequest, role access.Role) func(*pb.Line) bool {
	student, err := gallery.StudentID(req.GetStudentId())
	if err != nil {
		student = req.GetStudentId() // "", or what no line has
	}
	return func(line *pb.Line) bool {
		at := line.GetTime().AsTime()
		return (role != access.Register || isCheckIn(line)) &&
			(len(req.GetKinds()) == 0 || slices.Contains(req.GetKinds(), line.GetKind())) &&
			(student == "" || student == line.GetStudentId()) &&
			(req.GetVerdict() == pb.Verdict_VERDICT_UNSPECIFIED || req.GetVerdict() == line.GetVerdict()) &&
			(req.From == nil || !at.Before(req.GetFrom().AsTime())) &&
			(req.Until == nil || at.Before(req.GetUntil().AsTime()))
	}
}

// beginning returns the number before that of the journal's first line, and the day of
// this line; "": there is none.
func beginning(ctx context.Context, of *journal.Journal) (before uint64, date string, err error) {
	days, err := of.Days(ctx)
	if err != nil || len(days) == 0 {
		return 0, "", err
	}
	return days[0].First - 1, days[0].Date.Format(time.DateOnly), nil
}

// page is a part of a journal.
type page struct {
	lines []*pb.Line
	next  uint64 // the number of the last line that was looked at
	end   bool   // there was nothing more on disk
}

// readPage returns at most size wanted lines after a number; size 0: 100. It looks at
// mostLooked lines at most.
func readPage(ctx context.Context, from *journal.Journal, after uint64, size int, wanted func(*pb.Line) bool) (page, error) {
	if size == 0 {
		size = defaultPage
	}
	p := page{next: after, end: true}
	looked := 0
	for line, err := range from.Lines(ctx, after) {
		if err != nil {
			return page{}, err
		}
		if looked++; len(p.lines) == size || looked > mostLooked {
			p.end = false
			break
		}
		p.next = line.GetNumber()
		if wanted(line) {
			p.lines = append(p.lines, line)
		}
	}
	return p, nil
}

// journalOf returns whose journal a call asks for: its gallery's, or the server's.
func (s journalService) journalOf(ctx context.Context, server bool) (*journal.Journal, error) {
	if !server {
		return recordOf(ctx).journal, nil
	}
	if len(callerOf(ctx).Galleries) > 0 {
		return nil, newError(connect.CodePermissionDenied, "NOT_ALL_GALLERIES", "the journal of the server tells about all galleries: ask with a token that may use all of them", nil)
	}
	return s.Journals.Of(journal.Server)
}

func (s journalService) ListDays(ctx context.Context, req *pb.ListDaysRequest) (*pb.ListDaysResponse, error) {
	from, err := s.journalOf(ctx, req.GetServer())
	if err != nil {
		return nil, err
	}
	days, err := from.Days(ctx)
	if err != nil {
		return nil, err
	}
	resp := &pb.ListDaysResponse{Server: fmt.Sprintf("%016x", s.Journals.ServerNumber())}
	if !req.GetServer() {
		resp.Gallery = from.Gallery()
	}
	for _, d := range days {
		if date := d.Date.Format("2006-01-02"); date >= req.GetFrom() {
			resp.Days = append(resp.Days, &pb.Day{Date: date, First: d.First, Last: d.Last, Head: hex.EncodeToString(d.Head), Open: d.Open})
		}
	}
	return resp, nil
}
