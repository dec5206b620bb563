package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
)

// crashOptions are the flags of "bench crash".
type crashOptions struct {
	models modelOptions
	source sourceOptions

	clients, kills int
	lasts          time.Duration
	data           string

	// Of the server that dies around a sync, which the bench starts itself.
	server string
	dieAt  int64
}

func crashBench() Bench {
	o := new(crashOptions)
	b := newBench("crash", "kill a server again and again: is what it acknowledged still there",
		`Starts "serve" as a process and lets clients change several galleries over the network: they
enrol, replace, assign, merge, regroup, undo and delete students and crops, record check-ins,
make and revoke tokens, and make, fill and delete galleries. Half of the servers are killed
(SIGKILL) at a random moment; the other half kill themselves just before or just after a sync of
a file, some of them while they start. After each start everything is compared with what the
clients were told: what was acknowledged is there, nothing is there that nobody asked for, and
a call without an answer has happened as a whole or not at all. Storage and index agree, the log
and the journal have no gaps and their chains hold, each check-in is there once, a revoked token
stays revoked, and each student is found by the picture of each own crop.

The folder is new after each 25 kills. If something is lost, the bench fails and keeps it.
The same seed makes the same plan; what the kills meet differs from run to run.`, o)
	measure := b.Run
	b.Run = func(ctx context.Context, out, progress io.Writer) error {
		if o.server != "" {
			return o.serve(ctx, out, progress)
		}
		return measure(ctx, out, progress)
	}
	return b
}

func (o *crashOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.kills, "kills", 25, "end after so many kills; 0: see --for")
	set.DurationVar(&o.lasts, "for", 0, "end after this time, such as 1h; 0: see --kills")
	set.IntVar(&o.clients, "clients", 9, "clients at once that change students and crops")
	set.StringVar(&o.data, "data", "", "folder on the disk to use, where folders of galleries are made and removed; empty: the system's folder for temporary files")
	o.source.addFlags(set)
	o.models.addFlags(set)
	set.StringVar(&o.server, "dying-server", "", "for the bench itself: be the server of this folder that dies around a sync")
	set.Int64Var(&o.dieAt, "die-at", 0, "for the bench itself: at which moment; 1 is before the first sync, 2 after it, and so on")
}

func (o *crashOptions) validate() error {
	switch {
	case o.server != "" && o.dieAt < 1:
		return errors.New("--dying-server needs --die-at, of 1 or more")
	case o.kills < 0 || o.lasts < 0 || o.kills == 0 && o.lasts == 0:
		return errors.New("--kills or --for must be more than 0")
	case o.clients < 1:
		return errors.New("--clients must be more than 0")
	}
	return nil
}

// errLost is what "bench crash" fails with.
var errLost = errors.New("the server lost what it had acknowledged, or has what nobody asked for")

func (o *crashOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	pictures, err := o.source.crops(ctx, o.clients*crashCrops*crashPictures)
	if err != nil {
		return nil, err
	}
	tally := newCrashTally()
	meter := terminal.NewMeter(progress, "killing servers", "kills")
	defer meter.End()
	start := time.Now()
	for life := uint64(0); !o.done(tally, start); life++ {
		r := &crashRun{options: o, bench: w, pictures: pictures, tally: tally, killed: func() { meter.Add(o.kills) }, start: start}
		if err := r.live(ctx, life); err != nil {
			return nil, fmt.Errorf("seed %d, folder %d, after %d kills: %w", o.source.seed, life, tally.result().Kills, err)
		}
	}
	res := tally.result()
	res.Model, res.Clients = w.describe(), o.clients
	return res, nil
}

// done says whether the bench has killed enough.
func (o *crashOptions) done(tally *crashTally, start time.Time) bool {
	return o.kills > 0 && tally.result().Kills >= o.kills || o.lasts > 0 && time.Since(start) >= o.lasts
}
