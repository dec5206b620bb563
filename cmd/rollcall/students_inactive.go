package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

func studentsInactive() command {
	var o clientOptions
	var since string
	return command{
		name:  "inactive",
		short: "list the students who have not come for long",
		long: `Lists the students who had no match and no check-in since a day, by the journal:

  rollcall students inactive --since 2026-09-01

Students who came into the gallery later are left out. It changes nothing. Set a last day
for those who have left (rollcall students delete-after STUDENT DAY), or delete them.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&since, "since", "", "the date or time, such as 2026-09-01")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 || since == "" {
				return usageError("students inactive needs a day, and no arguments: rollcall students inactive --since 2026-09-01")
			}
			from, err := timeFlag("--since", since)
			if err != nil {
				return err
			}
			if err := o.validate(); err != nil {
				return err
			}
			return runStudentsInactive(ctx, c, &o, &pb.ListInactiveStudentsRequest{Since: from})
		},
	}
}

func runStudentsInactive(ctx context.Context, c console, o *clientOptions, req *pb.ListInactiveStudentsRequest) error {
	client := rollcallv1connect.NewGalleryServiceClient(&http.Client{Transport: o.transport(nil)}, o.server, connect.WithInterceptors(o.login))
	parts, err := client.ListInactiveStudents(ctx, req)
	if err != nil {
		return callError(o.server, err)
	}
	all := new(pb.ListInactiveStudentsResponse)
	for parts.Receive() {
		proto.Merge(all, parts.Msg())
	}
	if err := errors.Join(parts.Err(), parts.Close()); err != nil {
		return callError(o.server, err)
	}
	if o.output.JSON() {
		return printMessage(c.out, all)
	}
	if from := all.GetJournalFrom(); from == "" {
		fmt.Fprintln(c.err, "the journal has no lines yet: nobody is known to have come")
	} else if start, err := time.Parse(time.DateOnly, from); err == nil && req.GetSince().AsTime().Before(start) {
		fmt.Fprintf(c.err, "the journal begins on %s: who came before is not known\n", from)
	} else {
		fmt.Fprintf(c.err, "the journal begins on %s\n", from)
	}
	if len(all.GetStudents()) == 0 {
		_, err := fmt.Fprintln(c.out, "nobody is inactive")
		return err
	}
	var rows [][]string
	for _, s := range all.GetStudents() {
		last := "-"
		if s.GetLastSeen() != nil {
			last = s.GetLastSeen().AsTime().Local().Format(time.DateOnly)
		}
		rows = append(rows, []string{s.GetStudentId(), orDash(strings.Join(s.GetGroups(), ",")), s.GetCreated().AsTime().Local().Format(time.DateOnly), last})
	}
	return terminal.PrintTable(c.out, []string{"STUDENT", "GROUPS", "SINCE", "LAST SEEN"}, rows)
}
