package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"rollcall/cmd/roster"
	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

func rosterCommand() command {
	return command{
		name:     "roster",
		short:    "make the students and groups those of the school's roster",
		long:     "The roster is who is at the school, as its administration exports it.",
		children: []command{rosterSync()},
	}
}

// rosterOptions are the flags of roster sync.
type rosterOptions struct {
	clientOptions
	id          string
	deleteAfter string
	dryRun      bool
	yes, force  bool

	keep time.Duration // of deleteAfter
}

func rosterSync() command {
	var o rosterOptions
	return command{
		name:  "sync",
		args:  "FILE...",
		short: "make the students and groups those of the files",
		long: `Makes the students of the gallery, and their groups, those of the files together. A file is

  a CSV table with the columns id and groups:   id,groups
                                                s1001,3b;chess
  or a folder or ZIP file with the CSV files of OneRoster 1.1 or 1.2.

Students who are not in the gallery are put there, without crops. Groups are replaced. Students
who are in no file leave: they are in no group any more, and are deleted after --delete-after.
Those who are back in time stay. Students whose consent was refused or withdrawn get no groups.
Other columns, such as names, are not read.

It shows what will change, and asks. If more than a fifth of the students would leave, the
files are probably not the whole school: then it needs --force.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.id, "id", roster.IDColumns[0], "column of OneRoster's users.csv that has the students' ids: "+oneOf(roster.IDColumns))
			set.StringVar(&o.deleteAfter, "delete-after", "90d", "how long who leaves is kept, in days")
			set.BoolVar(&o.dryRun, "dry-run", false, "only show what would change")
			set.BoolVar(&o.yes, "yes", false, "do not ask")
			set.BoolVar(&o.force, "force", false, "even if more than a fifth of the students leave")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) == 0 {
				return usageError("roster sync needs at least one file: rollcall roster sync students.csv")
			}
			return runRosterSync(ctx, c, o, args)
		},
	}
}

// mostLeavers is the share of the students that may leave without --force. More of them leave in a
// year's last days perhaps; else a class or a grade is missing in the file.
const mostLeavers = 0.2

// rosterResult is what roster sync prints.
type rosterResult struct {
	roster.Difference
	DeleteAfter  string   `json:"delete_after"` // the last day of those who leave now
	WithoutCrops []string `json:"without_crops,omitempty"`
	DryRun       bool     `json:"dry_run,omitempty"`
	Done         int      `json:"done"` // students who were changed
}

func runRosterSync(ctx context.Context, c console, o rosterOptions, files []string) error {
	if err := o.validate(); err != nil {
		return err
	}
	if err := o.readTimes(); err != nil {
		return err
	}
	today := time.Now().UTC()
	wanted, err := roster.Read(files, roster.Options{ID: o.id, Today: today.Format(time.DateOnly)})
	if err != nil {
		return err
	}
	client := o.galleries()
	known, without, err := fetchKnown(ctx, client, wanted)
	if err != nil {
		return callError(o.server, err)
	}
	result := rosterResult{
		Difference: roster.Compare(wanted, known), DryRun: o.dryRun, WithoutCrops: without,
		DeleteAfter: today.Add(o.keep).Format(time.DateOnly),
	}
	if !o.output.JSON() {
		result.printDifference(c.out)
	}
	failed := result.check(o)
	if failed == nil && !o.dryRun && !result.Nothing() {
		if failed = confirmRoster(ctx, c, o); failed == nil {
			failed = result.apply(ctx, c, o, client)
		}
	}
	if o.output.JSON() {
		if err := terminal.PrintJSON(c.out, result); err != nil {
			return err
		}
	} else if failed == nil {
		result.printEnd(c.out)
	}
	return failed
}

// readTimes reads --delete-after, and checks --id.
func (o *rosterOptions) readTimes() error {
	var days int
	if n, err := fmt.Sscanf(o.deleteAfter, "%dd", &days); err != nil || n != 1 || o.deleteAfter != fmt.Sprintf("%dd", days) || days < 1 || days > maxDueDays {
		return usageError("--delete-after is %q; it can be 1d to %dd", o.deleteAfter, maxDueDays)
	}
	o.keep = time.Duration(days) * 24 * time.Hour
	if !slices.Contains(roster.IDColumns, o.id) {
		return usageError("--id is %q; it can be %s", o.id, oneOf(roster.IDColumns))
	}
	return nil
}

// fetchKnown fetches all students, and says who of the roster has no crop.
func fetchKnown(ctx context.Context, client rollcallv1connect.GalleryServiceClient, wanted roster.Roster) (known []roster.Known, without []string, err error) {
	crops := make(map[string]bool)
	for token, more := "", true; more; more = token != "" {
		page, err := client.ListStudents(ctx, &pb.ListStudentsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return nil, nil, err
		}
		for _, s := range page.GetStudents() {
			state := s.GetConsent().GetState()
			k := roster.Known{
				ID: s.GetStudentId(), Groups: s.GetGroups(), Leaves: s.GetDeleteAfter() != "",
				Refused: state == pb.ConsentState_CONSENT_STATE_REFUSED || state == pb.ConsentState_CONSENT_STATE_WITHDRAWN,
			}
			known = append(known, k)
			crops[k.ID] = s.GetCropCount() > 0 || k.Refused
		}
		token = page.GetNextPageToken()
	}
	return known, wanted.Without(crops), nil
}

// check refuses what looks like a wrong file.
func (r *rosterResult) check(o rosterOptions) error {
	if n := len(r.Leavers); !o.force && float64(n) > mostLeavers*float64(r.Present) {
		return fmt.Errorf("%s of %s would leave, which is more than a fifth: the files are probably not the whole school; give them all, or say --force", count(n, "student"), fmt.Sprint(r.Present))
	}
	return nil
}

// confirmRoster asks a person, and fails unless the answer is yes.
func confirmRoster(ctx context.Context, c console, o rosterOptions) error {
	if o.yes {
		return nil
	}
	out, err := openTerminal(c)
	if err != nil {
		return usageError("roster sync asks before it changes anything, and %w: give --yes, or --dry-run", err)
	}
	defer out.Close()
	yes, err := ask(ctx, c.in, out, "Change this?")
	if err == nil && !yes {
		err = usageError("nothing was changed")
	}
	return err
}

// syncsAtOnce is how many students are changed side by side: the server stores them with one sync of
// the disk.
const syncsAtOnce = 8

// apply makes the changes. Each is about one student, and comes to the same if it is made again. So after
// an interrupt the same command does what is left.
func (r *rosterResult) apply(ctx context.Context, c console, o rosterOptions, client rollcallv1connect.GalleryServiceClient) error {
	watcher := c.err
	if o.output.JSON() && !terminal.Attended(c.err) {
		watcher = io.Discard
	}
	progress := terminal.NewMeter(watcher, "changing", "students")
	defer progress.End()
	steps := r.steps(client)
	var done atomic.Int64
	group, going := errgroup.WithContext(ctx)
	group.SetLimit(syncsAtOnce)
	for _, step := range steps {
		group.Go(func() error {
			if err := going.Err(); err != nil {
				return err
			}
			// After a failure the calls under way still end, so that their changes are counted.
			if err := step(ctx); err != nil {
				return err
			}
			done.Add(1)
			progress.Add(len(steps))
			return nil
		})
	}
	err := group.Wait()
	r.Done = int(done.Load())
	if err == nil {
		return nil
	}
	code, failed := exitFailure, callError(o.server, err)
	var known *exitError
	switch {
	case ctx.Err() != nil:
		code = exitInterrupted
	case errors.As(failed, &known):
		code = known.code
	}
	return &exitError{code, fmt.Errorf("%d of %s were changed, and the same command changes the others: %w", r.Done, count(len(steps), "student"), failed)}
}

// steps are the changes, one for each student.
func (r *rosterResult) steps(client rollcallv1connect.GalleryServiceClient) (steps []func(context.Context) error) {
	regroup := func(change roster.Change, create bool) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.UpdateStudent(ctx, &pb.UpdateStudentRequest{StudentId: change.ID, Groups: change.After, Create: create})
			return err
		}
	}
	keepUntil := func(id, day string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.SetDeleteAfter(ctx, &pb.SetDeleteAfterRequest{StudentId: id, DeleteAfter: day})
			return err
		}
	}
	for _, change := range r.New {
		steps = append(steps, regroup(change, true))
	}
	moved := make(map[string]func(context.Context) error)
	for _, change := range r.Moved {
		moved[change.ID] = regroup(change, false)
	}
	for _, id := range r.Returned {
		steps = append(steps, inOrder(moved[id], keepUntil(id, "")))
		delete(moved, id)
	}
	for _, change := range r.Moved {
		if move := moved[change.ID]; move != nil {
			steps = append(steps, move)
		}
	}
	for _, change := range r.Leavers {
		// The day comes last: who has it is done.
		steps = append(steps, inOrder(regroup(change, false), keepUntil(change.ID, r.DeleteAfter)))
	}
	return steps
}

// inOrder does what is there of two things.
func inOrder(first, second func(context.Context) error) func(context.Context) error {
	if first == nil {
		return second
	}
	return func(ctx context.Context) error {
		if err := first(ctx); err != nil {
			return err
		}
		return second(ctx)
	}
}

// printDifference prints what is to be done, one line for each student.
func (r *rosterResult) printDifference(out io.Writer) {
	line := func(what, id string, before, after []string) {
		groups := orDash(strings.Join(after, ", "))
		if before != nil {
			groups = orDash(strings.Join(before, ", ")) + " -> " + groups
		}
		terminal.Printf(out, "%-9s %s  %s\n", what, id, groups)
	}
	for _, change := range r.New {
		line("new", change.ID, nil, change.After)
	}
	for _, change := range r.Moved {
		line("moved", change.ID, append([]string{}, change.Before...), change.After)
	}
	for _, id := range r.Returned {
		terminal.Printf(out, "%-9s %s  is not deleted\n", "returned", id)
	}
	for _, change := range r.Leavers {
		line("leaves", change.ID, append([]string{}, change.Before...), nil)
	}
	fmt.Fprintf(out, "%d new, %d moved, %d returned, %d leaving, %d unchanged\n", len(r.New), len(r.Moved), len(r.Returned), len(r.Leavers), r.Unchanged)
	if len(r.Leavers) > 0 {
		fmt.Fprintf(out, "  those who leave are deleted after %s\n", r.DeleteAfter)
	}
	if r.Gone > 0 {
		fmt.Fprintf(out, "  %s left before, and will be deleted\n", count(r.Gone, "student"))
	}
	if n := len(r.WithoutCrops); n > 0 {
		fmt.Fprintf(out, "  %s of the roster without a crop: nobody recognises them; \"rollcall students due\" lists them\n", count(n, "student"))
	}
}

// printEnd says what was done.
func (r *rosterResult) printEnd(out io.Writer) {
	switch {
	case r.Nothing():
		fmt.Fprintln(out, "nothing to do")
	case r.DryRun:
		fmt.Fprintln(out, "nothing was changed: this was a dry run")
	default:
		fmt.Fprintf(out, "%s changed\n", count(r.Done, "student"))
	}
}
