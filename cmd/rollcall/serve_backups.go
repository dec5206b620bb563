package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"rollcall/rpc"
	"rollcall/storage/backup"
)

// backupsOptions are the flags of serve about the backups that it writes by itself.
type backupsOptions struct {
	dir   string
	every time.Duration
	keep  int
}

// maxBackups is one a day for ten years.
const maxBackups = 3660

func (o *backupsOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.dir, "backup-dir", "", "write backups, and the list of erasures, into this folder; empty: write none")
	set.DurationVar(&o.every, "backup-every", 24*time.Hour, "from one backup to the next")
	set.IntVar(&o.keep, "backup-keep", 14, "good backups that stay")
}

// start writes backups until the parts are closed; nil: none is wanted.
func (o *backupsOptions) start(ctx context.Context, p *serveParts, logger *slog.Logger) (rpc.Backups, error) {
	if o.dir == "" {
		return nil, nil
	}
	keeper, err := backup.NewKeeper(p.store, backup.KeepOptions{Dir: o.dir, Every: o.every, Keep: o.keep, Logger: logger})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		keeper.Run(ctx)
	}()
	p.stopBackups = func() { stop(); <-done }
	return keeper, nil
}
