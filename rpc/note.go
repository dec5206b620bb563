package rpc

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	"rollcall/access/journal"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// identifyLine is the line of the journal for a verdict of Identify.
func identifyLine(resp *pb.IdentifyResponse, recipe string, fpir float64) *pb.Line {
	return &pb.Line{
		Verdict: resp.GetVerdict(), StudentId: resp.GetStudentId(), Reasons: resp.GetReasons(),
		Similarity: resp.GetSimilarity(), Threshold: resp.GetThreshold(), Fpir: fpir,
		Recipe: recipe, StudentsInScope: resp.GetStudentsInScope(),
	}
}

// verifyLine is the line for a verdict of Verify, whose fmr is that of a search for one
// student.
func verifyLine(resp *pb.VerifyResponse, recipe string, fmr float64) *pb.Line {
	line := &pb.Line{
		Verdict: resp.GetVerdict(), Reasons: resp.GetReasons(),
		Similarity: resp.GetSimilarity(), Threshold: resp.GetThreshold(), Recipe: recipe,
	}
	if resp.GetVerdict() != pb.Verdict_VERDICT_UNUSABLE {
		line.Fpir, line.StudentsInScope = fmr, 1
	}
	return line
}

// burstLine is the line for a verdict of IdentifyBurst.
func burstLine(resp *pb.IdentifyBurstResponse, recipe string, fpir float64) *pb.Line {
	return &pb.Line{
		Verdict: resp.GetVerdict(), StudentId: resp.GetStudentId(), Reasons: resp.GetReasons(),
		Similarity: resp.GetSimilarity(), Threshold: resp.GetThreshold(), Fpir: fpir,
		Recipe: recipe, StudentsInScope: resp.GetStudentsInScope(),
	}
}

// seatLine is the line for one seat of a roll call.
func seatLine(seat *pb.Seat, roll gallery.Roll, recipe string) *pb.Line {
	line := &pb.Line{
		Verdict: seat.GetVerdict(), StudentId: seat.GetStudentId(), Reasons: seat.GetReasons(),
		Similarity: seat.GetSimilarity(), Recipe: recipe,
	}
	if seat.GetVerdict() != pb.Verdict_VERDICT_UNUSABLE {
		line.Threshold, line.Fpir, line.StudentsInScope = seat.GetThreshold(), roll.AskedFPIR, int32(roll.Students)
	}
	return line
}

// noteVerdict counts a verdict and notes it in the journal of the call's gallery.
func (a *api) noteVerdict(ctx context.Context, line *pb.Line) {
	a.countVerdict(ctx, line)
	recordOf(ctx).journal.Note(line)
}

// recordVerdict does so too. If it is awaited, it returns the number of the line once that
// is on disk.
func (a *api) recordVerdict(ctx context.Context, line *pb.Line, await bool) (number uint64, err error) {
	if !await {
		a.noteVerdict(ctx, line)
		return 0, nil
	}
	a.countVerdict(ctx, line)
	return recordOf(ctx).journal.Record(line, "")
}

func (a *api) countVerdict(ctx context.Context, line *pb.Line) {
	a.server.opts.Metrics.verdict(line.GetVerdict())
	line.Kind = pb.LineKind_LINE_KIND_VERDICT
	who(ctx, line)
}

// noteRefusal notes a call that was refused: in the journal of its gallery, or in the
// server's if it has reached none. A caller that gave up is no refusal.
func (s *Server) noteRefusal(ctx context.Context, record *callRecord) {
	open := s.open.Load()
	if open == nil || record.code == "ok" || record.code == connect.CodeCanceled.String() || !strings.HasPrefix(record.procedure, "/rollcall.") {
		return
	}
	line := &pb.Line{Kind: pb.LineKind_LINE_KIND_REFUSAL, Code: record.code, Reason: record.reason}
	who(ctx, line)
	to := record.journal
	if to == nil {
		var err error
		if to, err = open.api.Journals.Of(journal.Server); err != nil {
			s.opts.Logger.Error("a refusal is not in the journal", "error", err)
			return
		}
	}
	to.Note(line)
}

// who adds to a line whose call it is about.
func who(ctx context.Context, line *pb.Line) {
	record, caller := recordOf(ctx), knownCaller(ctx)
	line.Procedure, line.Token, line.TokenId = record.procedure, caller.Name, caller.Token
	if record.address.IsValid() {
		line.Address = record.address.String()
	}
}
