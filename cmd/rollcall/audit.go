package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func auditCommand() command {
	return command{
		name:  "audit",
		short: "read and verify the journal: verdicts, check-ins and refused calls",
		long: `The journal of a gallery says what was asked and answered. Each line has a number.
The lines of each day are chained by hashes: "audit days" prints the heads of the
chains, and "audit verify" compares a data folder with heads that you have kept.`,
		children: []command{auditList(), auditDays(), auditVerify()},
	}
}

// auditListOptions are the flags of audit list.
type auditListOptions struct {
	clientOptions
	req         pb.ListLinesRequest
	kinds       []string
	verdict     string
	from, until string
	follow      bool
}

func auditList() command {
	var o auditListOptions
	return command{
		name:  "list",
		short: "list the lines of the journal",
		long: `Lists the lines of the journal, the oldest first:

  rollcall audit list --student s1001 --from 2026-11-26
  rollcall audit list --kind refusal --follow

With --output json each line is one line.`,
		flags: func(set *pflag.FlagSet) {
			set.Uint64Var(&o.req.After, "after", 0, "only lines after the one with this number")
			set.StringSliceVar(&o.kinds, "kind", nil, "only lines of this kind: verdict, check-in, refusal or lost; may be repeated")
			set.StringVar(&o.req.StudentId, "student", "", "only lines about this student")
			set.StringVar(&o.verdict, "verdict", "", "only this verdict: match, ambiguous, unknown or unusable")
			set.StringVar(&o.from, "from", "", "only lines from this date or time on, such as 2026-11-26 or 2026-11-26T08:00:00Z")
			set.StringVar(&o.until, "until", "", "only lines before this date or time")
			set.BoolVar(&o.req.Server, "of-server", false, "the journal of the server itself: calls that were refused before they reached a gallery")
			set.BoolVar(&o.follow, "follow", false, "wait for more lines, until interrupted")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("audit list takes no arguments")
			}
			if err := o.fill(); err != nil {
				return err
			}
			return runAuditList(ctx, c, &o)
		},
	}
}

// fill makes the request of the flags, or returns a usage error.
func (o *auditListOptions) fill() (err error) {
	for _, kind := range o.kinds {
		value, known := pb.LineKind_value["LINE_KIND_"+enumName(kind)]
		if !known || value == 0 {
			return usageError("--kind is %q; it can be verdict, check-in, refusal or lost", kind)
		}
		o.req.Kinds = append(o.req.Kinds, pb.LineKind(value))
	}
	if o.verdict != "" {
		value, known := pb.Verdict_value["VERDICT_"+enumName(o.verdict)]
		if !known || value == 0 {
			return usageError("--verdict is %q; it can be match, ambiguous, unknown or unusable", o.verdict)
		}
		o.req.Verdict = pb.Verdict(value)
	}
	if o.req.From, err = timeFlag("--from", o.from); err != nil {
		return err
	}
	if o.req.Until, err = timeFlag("--until", o.until); err != nil {
		return err
	}
	o.req.PageSize = 1000
	return o.clientOptions.validate()
}

func enumName(word string) string { return strings.ToUpper(strings.ReplaceAll(word, "-", "_")) }

// timeFlag reads a date, which begins at midnight here, or a time.
func timeFlag(flag, text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, time.Local)
	if err != nil {
		at, err = time.Parse(time.RFC3339Nano, text)
	}
	if err != nil {
		return nil, usageError("%s is %q; it can be a date such as 2026-11-26, or a time such as 2026-11-26T08:00:00Z", flag, text)
	}
	return timestamppb.New(at), nil
}

// followPause is how long --follow waits for more lines.
const followPause = time.Second

func runAuditList(ctx context.Context, c console, o *auditListOptions) error {
	client := o.journal()
	for {
		page, err := client.ListLines(ctx, &o.req)
		if err != nil {
			return callError(o.server, err)
		}
		for _, line := range page.GetLines() {
			if err := o.print(c.out, line); err != nil {
				return err
			}
		}
		o.req.After = page.GetNextAfter()
		if page.GetEnd() && !o.follow {
			return nil
		}
		if !page.GetEnd() {
			continue
		}
		select {
		case <-time.After(followPause):
		case <-ctx.Done():
			return nil // so a person ends it
		}
	}
}

func (o *auditListOptions) print(out io.Writer, line *pb.Line) error {
	if o.output.JSON() {
		return printCompact(out, line)
	}
	return terminal.Printf(out, "%d  %s\n", line.GetNumber(), strings.Join(lineWords(line), "  "))
}

// lineWords says what a line holds.
func lineWords(l *pb.Line) []string {
	words := []string{l.GetTime().AsTime().Local().Format(time.DateTime), wordOf(l.GetKind().String(), "LINE_KIND_")}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	switch l.GetKind() {
	case pb.LineKind_LINE_KIND_VERDICT:
		add("%s", strings.TrimPrefix(l.GetVerdict().String(), "VERDICT_"))
	case pb.LineKind_LINE_KIND_CHECK_IN:
		add("%s", wordOf(l.GetMethod().String(), "METHOD_"))
	case pb.LineKind_LINE_KIND_REFUSAL:
		add("%s %s", l.GetCode(), l.GetReason())
	}
	switch {
	case l.GetErased():
		add("(student erased)")
	case l.GetStudentId() != "":
		add("%s", l.GetStudentId())
	}
	if l.GetThreshold() != 0 {
		add("similarity %.3f, threshold %.3f, %s in scope", l.GetSimilarity(), l.GetThreshold(), count(int(l.GetStudentsInScope()), "student"))
	}
	if len(l.GetReasons()) > 0 {
		add("(%s)", reasonsText(l.GetReasons()))
	}
	if l.GetCancels() > 0 {
		add("takes back line %d", l.GetCancels())
	}
	if l.GetOmitted() > 0 {
		add("%s missing before", count(int(l.GetOmitted()), "line"))
	}
	if l.GetBy() != "" {
		add("by %s", l.GetBy())
	}
	words = append(words, l.GetProcedure()[strings.LastIndexByte(l.GetProcedure(), '/')+1:], l.GetToken(), l.GetAddress())
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}
