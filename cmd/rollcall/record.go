package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// checkInMethods are the methods by their words on the command line.
var checkInMethods = map[string]pb.Method{
	"card": pb.Method_METHOD_CARD, "pin": pb.Method_METHOD_PIN, "by-hand": pb.Method_METHOD_BY_HAND,
	"exempt": pb.Method_METHOD_EXEMPT, "cancelled": pb.Method_METHOD_CANCELLED,
}

func recordCommand() command {
	var o clientOptions
	var method, request string
	req := new(pb.RecordCheckInRequest)
	return command{
		name:  "record",
		args:  "STUDENT",
		short: "record a check-in that was made without a face",
		long: `Records in the journal that a student checked in without a face, or takes back an
earlier line. Nobody has to be enrolled for it:

  rollcall record s1001 --by "Ms Gray"
  rollcall record s1001 --method cancelled --cancels 12`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&method, "method", "by-hand", oneOf(slices.Sorted(maps.Keys(checkInMethods))))
			set.Uint64Var(&req.Cancels, "cancels", 0, "with --method cancelled: the number of the line that is taken back")
			set.StringVar(&req.By, "by", "", "who does it")
			set.StringVar(&request, "request-id", "", "a key of your choice: the same call again records nothing new")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			known := false
			if req.Method, known = checkInMethods[method]; !known {
				return usageError("--method is %q; it can be %s", method, oneOf(slices.Sorted(maps.Keys(checkInMethods))))
			}
			return withOne(&o, args, "record", "student", func(id string) (proto.Message, error) {
				req.StudentId, req.RequestId = id, request
				resp, err := o.journal().RecordCheckIn(ctx, req)
				if err != nil || o.output.JSON() {
					return resp, err
				}
				terminal.Printf(c.out, "%s recorded as line %d\n", id, resp.GetNumber())
				return nil, nil
			}, c)
		},
	}
}

// wordOf writes the name of an enum's value as a word: "METHOD_BY_HAND" as "by hand".
func wordOf(name, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", " "))
}
