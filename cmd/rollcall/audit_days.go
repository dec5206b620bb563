package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func auditDays() command {
	var o clientOptions
	req := new(pb.ListDaysRequest)
	return command{
		name:  "days",
		short: "print the heads of the days of the journal, to be kept elsewhere",
		long: `Prints the head of each day. A head proves all lines of its day up to the last one
that it names: whoever changes one of them cannot hide it from somebody who has kept
the head. Keep them where the server's administrator cannot change them, for
example every evening:

  rollcall audit days --output json >> heads.json

and compare later with "rollcall audit verify --heads heads.json".`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&req.From, "from", "", "only days from this date (UTC) on, such as 2026-11-26")
			set.BoolVar(&req.Server, "of-server", false, "of the journal of the server itself")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("audit days takes no arguments")
			}
			if err := o.validate(); err != nil {
				return err
			}
			resp, err := o.journal().ListDays(ctx, req)
			if err != nil {
				return callError(o.server, err)
			}
			if o.output.JSON() {
				return printCompact(c.out, resp)
			}
			var rows [][]string
			for _, d := range resp.GetDays() {
				rows = append(rows, []string{d.GetDate(), fmt.Sprint(d.GetFirst()), fmt.Sprint(d.GetLast()), d.GetHead()})
			}
			return terminal.PrintTable(c.out, []string{"DAY", "FIRST", "LAST", "HEAD"}, rows)
		},
	}
}
