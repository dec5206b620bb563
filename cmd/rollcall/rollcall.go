package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// rollOptions are the flags of rollcall.
type rollOptions struct {
	clientOptions
	groups, students []string
	model            string
	fpir             float64
	leastSize        float32
	annotated        string
}

func rollCommand() command {
	var o rollOptions
	return command{
		name:  "rollcall",
		args:  "PHOTO",
		short: "say who is on a photo of a class, and who is absent",
		long: `Asks the server who of the students in scope is on a photo, and prints the register:
who is present, who has to be checked by a person, and who is absent. Faces are
numbered, the largest first. --annotated writes the photo with a box, the number and the
student's id on each face: a solid box for who is present, a broken one for who has to be
checked, a thin one without an id for a face that nobody in scope has.

PHOTO may be a pipe, such as /dev/stdin.`,
		flags: func(set *pflag.FlagSet) {
			set.StringArrayVar(&o.groups, "group", nil, "who should be there: the students of this group; may be repeated")
			set.StringArrayVar(&o.students, "student", nil, "who should be there: this student; may be repeated")
			set.StringVar(&o.model, "model", "", "the model; empty: the server's default")
			set.Float64Var(&o.fpir, "fpir", 0, "wanted false positive identification rate; 0: the server's")
			set.Float32Var(&o.leastSize, "least-size", 0,
				"size of the smallest face that has to be found, in pixels; smaller takes longer; 0: depends on the photo's size")
			set.StringVar(&o.annotated, "annotated", "", "write the photo with boxes and ids to this file (.jpg or .png)")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("rollcall needs one photo: rollcall rollcall class.jpg --group 3b")
			}
			return runRoll(ctx, c, o, args[0])
		},
	}
}

func runRoll(ctx context.Context, c console, o rollOptions, file string) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.annotated != "" && sameFile(o.annotated, file) {
		return usageError("--annotated would replace the photo %q: give another name", file)
	}
	photo, err := readPhoto(ctx, file)
	if err != nil {
		return fileError(file, err)
	}
	resp, err := o.attendance().RollCall(ctx, &pb.RollCallRequest{
		Photo: photo, LeastSize: o.leastSize, Model: o.model, Fpir: o.fpir,
		Scope: &pb.Scope{Groups: o.groups, StudentIds: o.students},
	})
	if err != nil {
		return fileError(file, callError(o.server, err))
	}
	if o.output.JSON() {
		err = printFileJSON(c.out, file, resp)
	} else {
		err = printRegister(c, file, resp)
	}
	if err != nil || o.annotated == "" {
		return err
	}
	if err := annotate(o.annotated, photo, resp.GetSeats()); err != nil {
		return fmt.Errorf("--annotated: %w", err)
	}
	return nil
}

// sameFile says whether both names are of one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// validate returns a usage error for values that the server would refuse.
func (o *rollOptions) validate() error {
	if o.fpir != 0 {
		if err := checkFPIR("--fpir", o.fpir); err != nil {
			return err
		}
	}
	if !within(o.leastSize, 0, maxLeastSize) {
		return usageError("--least-size is %v; it can be 0 (depends on the photo's size) to %d pixels", o.leastSize, maxLeastSize)
	}
	if o.annotated != "" && annotatedFormat(o.annotated) == nil {
		return usageError("--annotated is %q; its name can end in .jpg, .jpeg or .png", o.annotated)
	}
	return o.clientOptions.validate()
}

// printRegister prints a line for each student, sorted, and then one for each face of nobody in scope.
func printRegister(c console, file string, resp *pb.RollCallResponse) error {
	var rows [][]string
	present, checks := 0, 0
	for i, s := range resp.GetSeats() {
		row := []string{"    " + s.GetAssigned(), "present", fmt.Sprint(i + 1), fmt.Sprintf("%.3f", s.GetSimilarity()), ""}
		switch {
		case s.GetStudentId() != "":
			present++
		case s.GetAssigned() != "":
			checks++
			row[1], row[4] = "check", reasonsText(s.GetReasons())
		default:
			continue
		}
		rows = append(rows, row)
	}
	for _, id := range resp.GetAbsent() {
		rows = append(rows, []string{"    " + id, "absent", "-", "-", ""})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	for _, i := range resp.GetUnknown() {
		s := resp.GetSeats()[i]
		rows = append(rows, []string{"    -", strings.ToLower(strings.TrimPrefix(s.GetVerdict().String(), "VERDICT_")), fmt.Sprint(i + 1), fmt.Sprintf("%.3f", s.GetSimilarity()), reasonsText(s.GetReasons())})
	}
	terminal.Printf(c.out, "%s  %d x %d pixels, %s: %d present, %d to check, %d absent\n",
		file, resp.GetWidth(), resp.GetHeight(), count(len(resp.GetSeats()), "face"), present, checks, len(resp.GetAbsent()))
	printWarnings(c.out, resp.GetWarnings())
	if len(rows) == 0 {
		return nil
	}
	return terminal.PrintTable(c.out, []string{"    STUDENT", "IS", "FACE", "SIMILARITY", "WHY"}, rows)
}
