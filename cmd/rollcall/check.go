package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// checkOptions are the flags of check.
type checkOptions struct {
	clientOptions
	data    string
	sealKey sealKeyOptions
}

func checkCommand() command {
	var o checkOptions
	return command{
		name:  "check",
		short: "compare what is on disk with what is searched, or check a data folder",
		long: `Asks the server to compare storage and index, and lists the differences.
There should be none; if there are, the exit code is 1. Searches go on meanwhile.

With --data it reads a data folder that no server has open, and changes nothing in it:
every file with its checksums, every record, the chains of the logs and journals, and
whether the records of each gallery fit each other. It says which file is damaged, what is
lost with it, and what to do. The exit code is 1 if anything is lost. It reads the folder
once, at the speed of the disk.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.data, "data", "", "check this data folder, while no server has it open")
			o.sealKey.addFlags(set)
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("check takes no arguments")
			}
			if o.data != "" {
				return runCheckFolder(ctx, c, o)
			}
			return runCheck(ctx, c, o.clientOptions)
		},
	}
}

func runCheck(ctx context.Context, c console, o clientOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	report, err := o.galleries().CheckConsistency(ctx, &pb.CheckConsistencyRequest{})
	if err != nil {
		return callError(o.server, err)
	}
	if o.output.JSON() {
		err = printMessage(c.out, report)
	} else {
		err = printCheck(c, report)
	}
	if left := report.GetLeftOver(); err == nil && len(left) > 0 {
		return &exitError{exitFailure, fmt.Errorf("on disk lie galleries that are not in the list, because acknowledged changes were lost: %q; take each into the list with \"rollcall galleries create NAME\", or erase it with \"rollcall galleries delete NAME\"", left)}
	}
	if err == nil && !report.GetConsistent() {
		return &exitError{exitFailure, fmt.Errorf("storage and index differ: restart the server, which builds the index again; if they differ again, report it")}
	}
	return err
}

func printCheck(c console, report *pb.CheckConsistencyResponse) error {
	if report.GetConsistent() {
		meanwhile := ""
		if report.GetStored() != report.GetIndexed() {
			meanwhile = " (the gallery was changed between the two counts)"
		}
		_, err := fmt.Fprintf(c.out, "consistent: %s on disk, %d searched%s\n", count(int(report.GetStored()), "enrolled embedding"), report.GetIndexed(), meanwhile)
		printCoverage(c.out, "the gallery's model", report.GetCoverage())
		return err
	}
	var rows [][]string
	for _, d := range report.GetDifferences() {
		rows = append(rows, []string{d.GetKind(), orDash(d.GetModel()), orDash(d.GetCropId()), orDash(d.GetStudentId())})
	}
	return terminal.PrintTable(c.out, []string{"DIFFERENCE", "MODEL", "CROP", "STUDENT"}, rows)
}
