package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func studentsCommand() command {
	return command{
		name:  "students",
		short: "list, show, change, merge and delete students",
		long:  "Crops belong to students.",
		children: []command{
			studentsList(), studentsDue(), studentsInactive(), studentsShow(), studentsGroups(), studentsLookalikes(), studentsMerge(), studentsConsent(), studentsDeleteAfter(), studentsExport(), studentsDelete(),
		},
	}
}

func studentsList() command {
	var o clientOptions
	var group string
	return command{
		name:  "list",
		short: "list the students",
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&group, "group", "", "only students of this group")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("students list takes no arguments")
			}
			return runStudentsList(ctx, c, o, group)
		},
	}
}

// runStudentsList fetches all pages.
func runStudentsList(ctx context.Context, c console, o clientOptions, group string) error {
	if err := o.validate(); err != nil {
		return err
	}
	client := o.galleries()
	all := new(pb.ListStudentsResponse)
	for token := ""; ; {
		page, err := client.ListStudents(ctx, &pb.ListStudentsRequest{PageSize: 1000, PageToken: token, Group: group})
		if err != nil {
			return callError(o.server, err)
		}
		all.Students = append(all.Students, page.GetStudents()...)
		all.Total = page.GetTotal()
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if o.output.JSON() {
		return printMessage(c.out, all)
	}
	var rows [][]string
	for _, s := range all.GetStudents() {
		rows = append(rows, []string{s.GetStudentId(), orDash(strings.Join(s.GetGroups(), ",")), fmt.Sprint(s.GetCropCount())})
	}
	return terminal.PrintTable(c.out, []string{"STUDENT", "GROUPS", "CROPS"}, rows)
}

func studentsShow() command {
	var o clientOptions
	return command{
		name:  "show",
		args:  "STUDENT",
		short: "show a student with its crops",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			return withOne(&o, args, "students show", "student", func(id string) (proto.Message, error) {
				resp, err := o.galleries().GetStudent(ctx, &pb.GetStudentRequest{StudentId: id})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				return nil, printStudent(c, resp.GetStudent())
			}, c)
		},
	}
}

func studentsGroups() command {
	var o clientOptions
	var groups []string
	var none bool
	return command{
		name:  "groups",
		args:  "STUDENT",
		short: "replace the groups of a student",
		long: `Replaces all groups of the student by those of --set:

  rollcall students groups s1001 --set 3b --set chess`,
		flags: func(set *pflag.FlagSet) {
			set.StringArrayVar(&groups, "set", nil, "a new group of the student; may be repeated")
			set.BoolVar(&none, "none", false, "take the student out of all groups")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if none == (len(groups) > 0) {
				return usageError("students groups needs --set GROUP for each new group of the student, or --none")
			}
			return withOne(&o, args, "students groups", "student", func(id string) (proto.Message, error) {
				resp, err := o.galleries().UpdateStudent(ctx, &pb.UpdateStudentRequest{StudentId: id, Groups: groups})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				return nil, printStudent(c, resp.GetStudent())
			}, c)
		},
	}
}

func studentsDelete() command {
	var o clientOptions
	return command{
		name:  "delete",
		args:  "STUDENT",
		short: "erase a student with all its crops",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			return withOne(&o, args, "students delete", "student", func(id string) (proto.Message, error) {
				resp, err := o.galleries().DeleteStudent(ctx, &pb.DeleteStudentRequest{StudentId: id})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				terminal.Printf(c.out, "%s deleted, with %s\n", id, count(int(resp.GetReceipt().GetCrops()), "crop"))
				return nil, printReceipt(c, resp.GetReceipt())
			}, c)
		},
	}
}

// withOne runs a call about the one student or crop that the arguments name. If the call
// returns a message, it is printed as JSON.
func withOne(o *clientOptions, args []string, command, what string, call func(id string) (proto.Message, error), c console) error {
	if len(args) != 1 {
		return usageError("%s needs one %s", command, what)
	}
	if err := o.validate(); err != nil {
		return err
	}
	message, err := call(args[0])
	if err != nil {
		return callError(o.server, err)
	}
	if message == nil {
		return nil
	}
	return printMessage(c.out, message)
}

func printStudent(c console, s *pb.Student) error {
	terminal.Printf(c.out, "student  %s\ngroups   %s\ncrops    %d\n", s.GetStudentId(), orDash(strings.Join(s.GetGroups(), ", ")), s.GetCropCount())
	if consent := s.GetConsent(); consent != nil {
		terminal.Printf(c.out, "consent  %s on %s%s\n", consentWord(consent.GetState()), consent.GetDate(), inBrackets(consent.GetReference()))
	}
	if day := s.GetDeleteAfter(); day != "" {
		terminal.Printf(c.out, "kept     until %s\n", day)
	}
	for _, crop := range s.GetCrops() {
		terminal.Printf(c.out, "  %s%s\n", crop.GetCropId(), correctedMark(crop))
	}
	return nil
}

func correctedMark(crop *pb.Crop) string {
	if crop.GetCorrected() {
		return "  (corrected)"
	}
	return ""
}
