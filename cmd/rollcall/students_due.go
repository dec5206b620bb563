package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func studentsDue() command {
	var o clientOptions
	var group string
	var days int32
	return command{
		name:  "due",
		short: "list the students who should be photographed again",
		long: `Lists the students who should be photographed again, and says why:

  no crop     the gallery's model recognises them by nothing
  poor crops  every picture is poor: small, blurred, turned away, in bad light
  falling     matches are clearly less similar than a month ago (by the journal; each
              kind of call is compared with itself: identify, burst, verify, rollcall)
  old crops   the newest picture is older than --max-age-days
  few crops   there are fewer than three pictures

It changes nothing. Take a picture, and enrol it: rollcall enroll FILE --student STUDENT.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&group, "group", "", "only students of this group")
			set.Int32Var(&days, "max-age-days", 365, "from how many days on the newest picture is old; at least 1")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("students due takes no arguments")
			}
			if days < 1 || days > maxDueDays {
				return usageError("--max-age-days is %d; it can be 1 to %d", days, maxDueDays)
			}
			return runStudentsDue(ctx, c, o, &pb.ListDueStudentsRequest{PageSize: 1000, Group: group, MaxAgeDays: days})
		},
	}
}

// maxDueDays is what the contract allows.
const maxDueDays = 36500

// runStudentsDue fetches all pages.
func runStudentsDue(ctx context.Context, c console, o clientOptions, req *pb.ListDueStudentsRequest) error {
	if err := o.validate(); err != nil {
		return err
	}
	client := o.galleries()
	all := new(pb.ListDueStudentsResponse)
	for more := true; more; more = req.PageToken != "" {
		page, err := client.ListDueStudents(ctx, req)
		if err != nil {
			return callError(o.server, err)
		}
		all.Students = append(all.Students, page.GetStudents()...)
		req.PageToken = page.GetNextPageToken()
	}
	if o.output.JSON() {
		return printMessage(c.out, all)
	}
	if len(all.GetStudents()) == 0 {
		fmt.Fprintln(c.out, "nobody is due")
		return nil
	}
	var rows [][]string
	for _, s := range all.GetStudents() {
		newest, best := "-", "-"
		if s.GetCrops() > 0 {
			newest, best = s.GetNewest().AsTime().Local().Format(time.DateOnly), fmt.Sprintf("%.2f", s.GetBestScore())
		}
		rows = append(rows, []string{
			s.GetStudentId(), orDash(strings.Join(s.GetGroups(), ",")), fmt.Sprint(s.GetCrops()), newest, best, dueText(s.GetReasons()),
		})
	}
	return terminal.PrintTable(c.out, []string{"STUDENT", "GROUPS", "CROPS", "NEWEST", "BEST SCORE", "WHY"}, rows)
}

// dueText writes reasons as words: "poor crops, few crops".
func dueText(reasons []pb.DueReason) string {
	words := make([]string, len(reasons))
	for i, r := range reasons {
		words[i] = strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(r.String(), "DUE_REASON_"), "_", " "))
	}
	return strings.Join(words, ", ")
}
