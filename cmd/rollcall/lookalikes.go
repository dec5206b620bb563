package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func studentsLookalikes() command {
	var o clientOptions
	return command{
		name:  "lookalikes",
		short: "list pairs of students who look alike: enrolled twice, a wrong crop, siblings",
		long: `Compares every student with every other one, and lists the pairs of whom one could be
taken for the other, nearest first, with what to do. Look at both first: nothing is done
by itself.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("students lookalikes takes no arguments")
			}
			return runLookalikes(ctx, c, o)
		},
	}
}

// runLookalikes fetches all pages. Each is the nearest pairs of some students, so they are
// sorted together.
func runLookalikes(ctx context.Context, c console, o clientOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	client, all := o.galleries(), new(pb.ListLookalikesResponse)
	meter := terminal.NewMeter(c.err, "comparing", "students")
	for token, done := "", 0; ; {
		page, err := client.ListLookalikes(ctx, &pb.ListLookalikesRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			meter.End()
			return callError(o.server, err)
		}
		all.Lookalikes = append(all.Lookalikes, page.GetLookalikes()...)
		all.StudentsDone, all.StudentsTotal, all.Threshold = page.GetStudentsDone(), page.GetStudentsTotal(), page.GetThreshold()
		for ; done < int(page.GetStudentsDone()); done++ {
			meter.Add(int(page.GetStudentsTotal()))
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	meter.End()
	slices.SortStableFunc(all.Lookalikes, func(a, b *pb.Lookalike) int { return cmp.Compare(b.GetSimilarity(), a.GetSimilarity()) })
	if o.output.JSON() {
		return printMessage(c.out, all)
	}
	if len(all.GetLookalikes()) == 0 {
		terminal.Printf(c.out, "no two of %s are so alike that one could be taken for the other\n", count(int(all.GetStudentsTotal()), "student"))
		return nil
	}
	var rows [][]string
	for _, l := range all.GetLookalikes() {
		rows = append(rows, []string{
			fmt.Sprintf("%.3f", l.GetSimilarity()), rateWord(l.GetFmr()), l.GetFirst().GetStudentId(), l.GetFirst().GetCropId(),
			l.GetSecond().GetStudentId(), l.GetSecond().GetCropId(), adviceWord(l),
		})
	}
	header := []string{"SIMILARITY", "FMR", "STUDENT", "CROP", "STUDENT", "CROP", "IF THEY ARE ONE PERSON"}
	if err := terminal.PrintTable(c.out, header, rows); err != nil {
		return err
	}
	terminal.Printf(c.out, "A match needs %.3f. FMR is the share of the comparisons of two people that come so near.\n", all.GetThreshold())
	return nil
}

func rateWord(rate float64) string {
	if rate == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1e", rate)
}

// adviceWord says what to do about a pair, as a command where there is one.
func adviceWord(l *pb.Lookalike) string {
	first, second := l.GetFirst(), l.GetSecond()
	switch l.GetAdvice() {
	case pb.Advice_ADVICE_MERGE:
		return fmt.Sprintf("rollcall students merge %s %s", shellWord(second.GetStudentId()), shellWord(first.GetStudentId()))
	case pb.Advice_ADVICE_ASSIGN:
		return fmt.Sprintf("rollcall crops assign %s %s", shellWord(first.GetCropId()), shellWord(second.GetStudentId()))
	}
	return "siblings or chance: enrol more crops of both"
}

// shellWord returns an id as a shell takes it: ids may hold blanks and whatever a shell acts on.
func shellWord(id string) string {
	plain := func(r rune) bool {
		return r > unicode.MaxASCII || unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._:@%+-", r)
	}
	if strings.IndexFunc(id, func(r rune) bool { return !plain(r) }) < 0 {
		return id
	}
	return "'" + strings.ReplaceAll(id, "'", `'\''`) + "'"
}

func studentsMerge() command {
	var o clientOptions
	return command{
		name:  "merge",
		args:  "FROM INTO",
		short: "give all crops and groups of a student to another one, who is the same person",
		long: `Gives all crops and groups of FROM to INTO in one change, and takes FROM off the list.
"rollcall undo" takes it back.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 2 {
				return usageError("students merge needs two students: the one who goes, and the one who stays")
			}
			return withOne(&o, args[:1], "students merge", "student", func(from string) (proto.Message, error) {
				resp, err := o.galleries().MergeStudents(ctx, &pb.MergeStudentsRequest{FromStudentId: from, IntoStudentId: args[1]})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				terminal.Printf(c.out, "%s of %s moved; undo it with: rollcall undo %d\n", count(int(resp.GetCropsMoved()), "crop"), from, resp.GetChange())
				return nil, printStudent(c, resp.GetStudent())
			}, c)
		},
	}
}
