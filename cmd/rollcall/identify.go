package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// identifyOptions are the flags of identify.
type identifyOptions struct {
	clientOptions
	groups, students []string
	model            string
	fpir             float64
	candidates       int32
	face             faceChoice
	burst            bool
}

func identifyCommand() command {
	var o identifyOptions
	return command{
		name:  "identify",
		args:  "FILE...",
		short: "say whose face is on a crop, or on several frames",
		long: `Asks the server whose face is on each crop, among all students or in a scope.
The exit code is 3 if a crop is no match: UNKNOWN (nobody in scope), AMBIGUOUS
(two students are too close) or UNUSABLE (take another picture). A file that
cannot be used does not stop the others, but the exit code is then 1.

With --burst the files are 1 to 10 frames of one person, and there is one verdict on all
of them together. Frames that cannot be judged, or show somebody else than most, are
named and do not count.

A FILE may be a pipe, such as /dev/stdin. With --output json each file is one line,
with its name as "file". If a file cannot be used, its line has "code" and "message"
in place of a verdict. A burst has one answer.`,
		flags: func(set *pflag.FlagSet) {
			set.StringArrayVar(&o.groups, "group", nil, "only students of this group; may be repeated")
			set.StringArrayVar(&o.students, "student", nil, "only this student; may be repeated")
			set.StringVar(&o.model, "model", "", "the model; empty: the server's default")
			set.Float64Var(&o.fpir, "fpir", 0, "wanted false positive identification rate; 0: the server's")
			set.Int32Var(&o.candidates, "candidates", 0, "how many candidates to list; 0: five")
			set.BoolVar(&o.burst, "burst", false, "the files are frames of one person: give one verdict on all of them")
			o.face.addFlag(set)
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) == 0 {
				return usageError("identify needs at least one file: rollcall identify probe.jpg")
			}
			return runIdentify(ctx, c, o, args)
		},
	}
}

func runIdentify(ctx context.Context, c console, o identifyOptions, files []string) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.burst {
		return runBurst(ctx, c, o, files)
	}
	client := o.attendance()
	unmatched := false
	calls := fileCalls[*pb.IdentifyResponse]{
		ask: func(file string) (*pb.IdentifyResponse, error) {
			image, err := o.face.read(ctx, file)
			if err != nil {
				return nil, err
			}
			resp, err := client.Identify(ctx, &pb.IdentifyRequest{
				Image:         image,
				Scope:         &pb.Scope{Groups: o.groups, StudentIds: o.students},
				Model:         o.model,
				Fpir:          o.fpir,
				MaxCandidates: o.candidates,
				Face:          o.face.face,
			})
			unmatched = unmatched || err == nil && resp.GetVerdict() != pb.Verdict_VERDICT_MATCH
			return resp, err
		},
		show: func(file string, resp *pb.IdentifyResponse) error { return printIdentification(c.out, file, resp) },
	}
	err := calls.each(ctx, c, &o.clientOptions, files)
	if err == nil && unmatched {
		return &exitError{code: exitNoMatch}
	}
	return err
}

// validate returns a usage error for values that the server would refuse for every file.
func (o *identifyOptions) validate() error {
	if o.fpir != 0 {
		if err := checkFPIR("--fpir", o.fpir); err != nil {
			return err
		}
	}
	if o.candidates < 0 || o.candidates > maxCandidates {
		return usageError("--candidates is %d; it can be 0 (five) to %d", o.candidates, maxCandidates)
	}
	return o.clientOptions.validate()
}

// maxCandidates is what the contract allows.
const maxCandidates = 100

func printIdentification(out io.Writer, file string, resp *pb.IdentifyResponse) error {
	verdict := strings.TrimPrefix(resp.GetVerdict().String(), "VERDICT_")
	terminal.Printf(out, "%s  %s", file, verdict)
	if resp.GetStudentId() != "" {
		terminal.Printf(out, "  %s", resp.GetStudentId())
	}
	if resp.GetVerdict() != pb.Verdict_VERDICT_UNUSABLE {
		fmt.Fprintf(out, "  similarity %.3f, threshold %.3f, %s in scope",
			resp.GetSimilarity(), resp.GetThreshold(), count(int(resp.GetStudentsInScope()), "student"))
	}
	printWhy(out, resp)
	printShortfalls(out, resp.GetQuality())
	return printCandidates(out, resp.GetCandidates())
}

// printShortfalls prints what a face is short of.
func printShortfalls(out io.Writer, q *pb.Quality) {
	for _, s := range q.GetShortfalls() {
		fmt.Fprintf(out, "    %s\n", s.GetMessage())
	}
}

// printWhy ends the line of a verdict with its reasons, and prints the warnings under it.
func printWhy(out io.Writer, resp interface {
	GetReasons() []pb.Reason
	GetWarnings() []pb.Warning
}) {
	if len(resp.GetReasons()) > 0 {
		fmt.Fprintf(out, "  (%s)", reasonsText(resp.GetReasons()))
	}
	fmt.Fprintln(out)
	printWarnings(out, resp.GetWarnings())
}

func printWarnings(out io.Writer, warnings []pb.Warning) {
	for _, w := range warnings {
		fmt.Fprintf(out, "    warning: %s\n", warningTexts[w])
	}
}

func printCandidates(out io.Writer, candidates []*pb.Candidate) error {
	var rows [][]string
	for _, candidate := range candidates {
		rows = append(rows, []string{
			"    " + candidate.GetStudentId(), fmt.Sprintf("%.3f", candidate.GetSimilarity()), candidate.GetCropId(),
		})
	}
	if len(rows) == 0 {
		return nil
	}
	return terminal.PrintTable(out, []string{"    CANDIDATE", "SIMILARITY", "CROP"}, rows)
}

// warningTexts say what is wrong and what to do.
var warningTexts = map[pb.Warning]string{
	pb.Warning_WARNING_OTHER_MODEL:    "this is not the gallery's model: only crops that this model embedded are compared (\"rollcall settings show\")",
	pb.Warning_WARNING_OTHER_RECIPE:   "the gallery's embeddings were made with another locator or alignment, and compare less well (\"rollcall settings show\")",
	pb.Warning_WARNING_NOT_CALIBRATED: "the model has no calibration, so the fpir has no effect: more strangers may get a name than the fpir says",
}

// reasonsText writes reasons as words: "no face, too dark".
func reasonsText(reasons []pb.Reason) string {
	words := make([]string, len(reasons))
	for i, r := range reasons {
		words[i] = strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(r.String(), "REASON_"), "_", " "))
	}
	return strings.Join(words, ", ")
}
