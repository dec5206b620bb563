package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	clientOptions
	face  faceChoice
	model string
	fmr   float64
}

func verifyCommand() command {
	var o verifyOptions
	return command{
		name:  "verify",
		args:  "STUDENT FILE...",
		short: "say whether a crop shows one student",
		long: `Asks the server whether each crop shows the student, and compares it with this
student's crops alone. The exit code is 3 if a crop does not show the student, or
cannot be judged. A file that cannot be used does not stop the others, but the exit
code is then 1.

With --output json each file is one line, with its name as "file".`,
		flags: func(set *pflag.FlagSet) {
			o.face.addFlag(set)
			set.StringVar(&o.model, "model", "", "the model; empty: the server's default")
			set.Float64Var(&o.fmr, "fmr", 0, "wanted share of other people who pass for the student; 0: one in 1,000")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) < 2 {
				return usageError("verify needs a student and at least one file: rollcall verify ada probe.jpg")
			}
			return runVerifyStudent(ctx, c, o, args[0], args[1:])
		},
	}
}

func runVerifyStudent(ctx context.Context, c console, o verifyOptions, student string, files []string) error {
	if o.fmr != 0 {
		if err := checkFPIR("--fmr", o.fmr); err != nil {
			return err
		}
	}
	if err := o.validate(); err != nil {
		return err
	}
	client := o.attendance()
	unmatched := false
	err := fileCalls[*pb.VerifyResponse]{
		ask: func(file string) (*pb.VerifyResponse, error) {
			image, err := o.face.read(ctx, file)
			if err != nil {
				return nil, err
			}
			resp, err := client.Verify(ctx, &pb.VerifyRequest{StudentId: student, Image: image, Face: o.face.face, Model: o.model, Fmr: o.fmr})
			unmatched = unmatched || err == nil && resp.GetVerdict() != pb.Verdict_VERDICT_MATCH
			return resp, err
		},
		show: func(file string, resp *pb.VerifyResponse) error {
			terminal.Printf(c.out, "%s  %s", file, strings.TrimPrefix(resp.GetVerdict().String(), "VERDICT_"))
			if resp.GetVerdict() != pb.Verdict_VERDICT_UNUSABLE {
				fmt.Fprintf(c.out, "  similarity %.3f, threshold %.3f", resp.GetSimilarity(), resp.GetThreshold())
			}
			printWhy(c.out, resp)
			printShortfalls(c.out, resp.GetQuality())
			return nil
		},
	}.each(ctx, c, &o.clientOptions, files)
	if err == nil && unmatched {
		return &exitError{code: exitNoMatch}
	}
	return err
}
