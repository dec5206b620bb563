package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func changesCommand() command {
	return command{
		name:     "changes",
		short:    "list what was changed in a gallery, and by which number it is undone",
		long:     "Every change of a gallery has a number. \"rollcall undo NUMBER\" takes one back.",
		children: []command{changesList()},
	}
}

// changesOptions are the flags of "changes list".
type changesOptions struct {
	client        clientOptions
	student, crop string
	undoable      bool
	limit         int
}

func changesList() command {
	var o changesOptions
	return command{
		name:  "list",
		short: "list the changes, newest first",
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.student, "student", "", "only changes about this student")
			set.StringVar(&o.crop, "crop", "", "only changes of this crop")
			set.BoolVar(&o.undoable, "undoable", false, "only assignments, merges, changes of groups and undos, which can be undone")
			set.IntVar(&o.limit, "limit", 50, "list at most this many")
			o.client.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("changes list takes no arguments")
			}
			if o.limit < 1 {
				return usageError("--limit is %d; it can be 1 or more", o.limit)
			}
			return o.run(ctx, c)
		},
	}
}

func (o *changesOptions) run(ctx context.Context, c console) error {
	if err := o.client.validate(); err != nil {
		return err
	}
	all, client := new(pb.ListChangesResponse), o.client.galleries()
	req := &pb.ListChangesRequest{StudentId: o.student, CropId: o.crop, Undoable: o.undoable}
	for {
		req.PageSize = int32(min(o.limit-len(all.GetChanges()), 1000))
		page, err := client.ListChanges(ctx, req)
		if err != nil {
			return callError(o.client.server, err)
		}
		all.Changes = append(all.Changes, page.GetChanges()...)
		all.NextPageToken, req.PageToken = page.GetNextPageToken(), page.GetNextPageToken()
		if req.PageToken == "" || len(all.GetChanges()) >= o.limit {
			break
		}
	}
	if o.client.output.JSON() {
		return printMessage(c.out, all)
	}
	var rows [][]string
	for _, change := range all.GetChanges() {
		rows = append(rows, []string{
			fmt.Sprint(change.GetChange()), change.GetTime().AsTime().Local().Format(time.DateTime),
			change.GetCause(), describeRecords(change),
		})
	}
	return terminal.PrintTable(c.out, []string{"CHANGE", "TIME", "WHAT", "OF"}, rows)
}

// describeRecords names the first records of a change, with what they were.
func describeRecords(change *pb.Change) string {
	const most = 4
	var words []string
	for _, r := range change.GetRecords()[:min(most, len(change.GetRecords()))] {
		switch {
		case r.GetCropId() != "" && r.GetCreated():
			words = append(words, "new crop "+r.GetCropId())
		case r.GetCropId() != "":
			words = append(words, fmt.Sprintf("crop %s (was %s)", r.GetCropId(), ownerWord(r.GetPreviousStudentId())))
		case r.GetCreated():
			words = append(words, "new student "+r.GetStudentId())
		default:
			words = append(words, "student "+r.GetStudentId())
		}
	}
	if more := int(change.GetRecordCount()) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return orDash(strings.Join(words, ", "))
}

func ownerWord(student string) string {
	if student == "" {
		return "nobody's"
	}
	return "of " + student
}

func undoCommand() command {
	var o clientOptions
	return command{
		name:  "undo",
		args:  "CHANGE",
		short: "undo an assignment, a merge or a change of groups",
		long: `Takes back a change by its number, which "rollcall changes list" tells. It is refused if
something newer stands against it: undo that first. An undo is a change itself, so it can
be undone too. What was deleted does not come back.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("undo needs the number of one change")
			}
			number, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || number == 0 {
				return usageError("%q is not the number of a change: \"rollcall changes list\" tells them", args[0])
			}
			if err := o.validate(); err != nil {
				return err
			}
			resp, err := o.galleries().UndoChange(ctx, &pb.UndoChangeRequest{Change: number})
			if err != nil {
				return callError(o.server, err)
			}
			if o.output.JSON() {
				return printMessage(c.out, resp)
			}
			terminal.Printf(c.out, "change %d (%s) is undone, by change %d\n", number, resp.GetUndone().GetCause(), resp.GetChange())
			return nil
		},
	}
}
