package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/storage"
	"rollcall/storage/backup"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	data   string
	key    sealKeyOptions
	output terminal.Output
}

func restoreCommand() command {
	var o restoreOptions
	return command{
		name:  "restore",
		args:  "FILE",
		short: "make a data folder out of a backup",
		long: `Reads the backup FILE, or standard input with -, and makes the data folder that
"rollcall serve --data" opens. The folder must be empty or missing. Nothing can be
opened there until every digest was compared, every record read, and the chains of
every log and journal verified; if that fails, the folder is as it was.

A backup of a sealed folder needs its key, and the folder is sealed with it again.

Restore on the machine of the lost server, or on any other. Tokens come back too, also
those that were revoked after the backup was made: revoke them again.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.data, "data", "rollcall-data", "the folder to make")
			o.key.addFlags(set)
			o.output.AddFlag(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("restore needs the name of one file: rollcall restore school.tar --data rollcall-data")
			}
			return runRestore(ctx, c, o, args[0])
		},
	}
}

func runRestore(ctx context.Context, c console, o restoreOptions, name string) (err error) {
	file, err := openBackup(c, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	key, err := o.key.key(ctx)
	if err != nil {
		return err
	}
	meter := terminal.NewMeter(c.err, "restoring", terminal.Bytes)
	m, err := backup.Restore(ctx, bufio.NewReaderSize(file, 1<<20), o.data, backup.Options{Storage: storage.Options{SealKey: key}, Progress: meter.Step})
	meter.End()
	switch {
	case errors.Is(err, storage.ErrOccupied):
		return fmt.Errorf("%s: %w: a restore never replaces a folder", o.data, err)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	return printBackup(c.out, o.output, "restored "+o.data, m)
}
