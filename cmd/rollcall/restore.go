package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/storage"
	"rollcall/storage/backup"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	data     string
	erasures string
	key      sealKeyOptions
	output   terminal.Output
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

Give --erasures with the list that lies beside the backups, the newest copy of it: who was
erased after the backup was made is erased from the restored folder too. Without the
list they come back.

A backup of a sealed folder needs its key, and the folder is sealed with it again.
Tokens come back too, also those that were revoked after the backup was made: revoke
them again.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.data, "data", "rollcall-data", "the folder to make")
			set.StringVar(&o.erasures, "erasures", "", "list of erasures to apply")
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

// restored is what restore prints as JSON.
type restored struct {
	backup.Manifest
	Erased erased `json:"erased"` // by the list of erasures
}

// erased is storage.Applied.
type erased struct {
	Galleries  int `json:"galleries"`
	Students   int `json:"students"`
	Crops      int `json:"crops"`
	Embeddings int `json:"embeddings"`
}

func runRestore(ctx context.Context, c console, o restoreOptions, name string) (err error) {
	key, err := o.key.key(ctx)
	if err != nil {
		return err
	}
	opts := backup.Options{Storage: storage.Options{
		SealKey: key,
		Logger:  slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelError})),
	}}
	var result restored
	if o.erasures == "" {
		fmt.Fprintln(c.err, "no list of erasures is given: students that were erased after the backup was made come back; give the list that lies beside the backups with --erasures")
	} else {
		list, err := readErasures(o.erasures)
		if err != nil {
			return err
		}
		opts.Then = func(ctx context.Context, store *storage.Store) error {
			applied, err := store.Apply(ctx, list)
			result.Erased = erased(applied)
			return err
		}
	}
	file, err := openBackup(c, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	meter := terminal.NewMeter(c.err, "restoring", terminal.Bytes)
	opts.Progress = meter.Step
	result.Manifest, err = backup.Restore(ctx, bufio.NewReaderSize(file, 1<<20), o.data, opts)
	meter.End()
	switch {
	case errors.Is(err, storage.ErrOccupied):
		return fmt.Errorf("%s: %w: a restore never replaces a folder", o.data, err)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	return o.print(c.out, result)
}

func readErasures(name string) (_ *storage.Erasures, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of erasures: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	list, err := storage.ReadErasures(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

func (o *restoreOptions) print(out io.Writer, r restored) error {
	if o.output.JSON() {
		return terminal.PrintJSON(out, r)
	}
	if err := printBackup(out, o.output, "restored "+o.data, r.Manifest); err != nil || o.erasures == "" {
		return err
	}
	return terminal.Printf(out, "erased by the list: %s, %s, %s\n",
		galleries(r.Erased.Galleries), count(r.Erased.Students, "student"), count(r.Erased.Crops, "crop"))
}
