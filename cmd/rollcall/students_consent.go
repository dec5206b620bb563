package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
)

func studentsConsent() command {
	var o clientOptions
	var reference, date string
	return command{
		name:  "consent",
		args:  "STUDENT given|refused|withdrawn",
		short: "note whether a student's face may be enrolled",
		long: `Notes what was said about enrolling a student's face, and where that is written down:

  rollcall students consent s1001 given --reference "form 12" --date 2026-09-01

It can be noted before the first picture. After refused or withdrawn nothing of the
student can be enrolled, and what was enrolled is erased, as "students delete" erases
it; only the id and what was said stay. The setting require_consent refuses everybody
whose consent was not given (rollcall settings set require_consent=true).`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&reference, "reference", "", "where it is written down, such as \"form 12\"")
			set.StringVar(&date, "date", "", "the day on which it was said, such as 2026-09-01 (default today, UTC)")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 2 {
				return usageError("students consent needs a student, and given, refused or withdrawn")
			}
			state, known := pb.ConsentState_value[consentPrefix+strings.ToUpper(args[1])]
			if !known || state == 0 {
				return usageError("%q is not given, refused or withdrawn", args[1])
			}
			if err := checkDay("--date", date); err != nil {
				return err
			}
			consent := &pb.Consent{State: pb.ConsentState(state), Reference: reference, Date: date}
			return withOne(&o, args[:1], "students consent", "student", func(id string) (proto.Message, error) {
				resp, err := o.galleries().SetConsent(ctx, &pb.SetConsentRequest{StudentId: id, Consent: consent})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				if err := printStudent(c, resp.GetStudent()); err != nil || resp.GetReceipt() == nil {
					return nil, err
				}
				return nil, printReceipt(c, resp.GetReceipt())
			}, c)
		},
	}
}

const consentPrefix = "CONSENT_STATE_"

func consentWord(s pb.ConsentState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), consentPrefix))
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// checkDay returns a usage error for a text that is neither empty nor a day.
func checkDay(name, day string) error {
	if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
		return usageError("%s is %q; write a day as 2026-07-31", name, day)
	}
	return nil
}

func studentsDeleteAfter() command {
	var o clientOptions
	return command{
		name:  "delete-after",
		args:  "STUDENT DAY|never",
		short: "set until when a student is kept",
		long: `Sets the last day (UTC) on which a student is kept, for example when it leaves the school:

  rollcall students delete-after s1001 2027-07-31

The server looks once a day, and erases those whose day is over, as "students delete"
erases them.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 2 || args[1] == "" {
				return usageError("students delete-after needs a student, and a day or never")
			}
			day := args[1]
			if day == "never" {
				day = ""
			}
			if err := checkDay("the day", day); err != nil {
				return err
			}
			return withOne(&o, args[:1], "students delete-after", "student", func(id string) (proto.Message, error) {
				resp, err := o.galleries().SetDeleteAfter(ctx, &pb.SetDeleteAfterRequest{StudentId: id, DeleteAfter: day})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				return nil, printStudent(c, resp.GetStudent())
			}, c)
		},
	}
}
