package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/storage"
	"rollcall/storage/backup"
)

func backupCommand() command {
	var o clientOptions
	return command{
		name:  "backup",
		args:  "FILE",
		short: "copy everything that a running server keeps into a file",
		long: `Asks the server for a backup, and writes it to FILE; - writes to standard output. The
server goes on answering. FILE appears only when the backup is whole and its digests
were compared; until then a file that it replaces stays.

It needs an admin's token for all galleries that was made with --embeddings: a backup
holds every face vector, name and token hash that the server keeps. Store it as you
would store these. "rollcall backup verify FILE" looks whether it can be restored.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("backup needs the name of one file: rollcall backup school.tar")
			}
			if err := o.validate(); err != nil {
				return err
			}
			return runBackup(ctx, c, &o, args[0])
		},
		children: []command{backupVerify()},
	}
}

func runBackup(ctx context.Context, c console, o *clientOptions, name string) error {
	if name == "-" {
		return o.receiveBackup(ctx, c.err, c.out)
	}
	m, err := writeBeside(name, func(file *os.File) (backup.Manifest, error) {
		if err := o.receiveBackup(ctx, c.err, file); err != nil {
			return backup.Manifest{}, err
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return backup.Manifest{}, err
		}
		return backup.Check(ctx, bufio.NewReaderSize(file, 1<<20), nil)
	})
	if err != nil {
		return err
	}
	return printBackup(c.out, o.output, "backup "+name, m)
}

// receiveBackup writes what the server sends. It gives up when the server is silent for
// longer than --timeout.
func (o *clientOptions) receiveBackup(ctx context.Context, progress, to io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(o.timeout, func() {
		cancel(&exitError{exitUnavailable, fmt.Errorf("the server at %s has sent nothing for %s: try again, or give it more time with --timeout", o.server, o.timeout)})
	})
	defer silence.Stop()
	client := rollcallv1connect.NewBackupServiceClient(&http.Client{Transport: o.transport(nil)}, o.server, connect.WithInterceptors(o.login))
	parts, err := client.Backup(ctx, &pb.BackupRequest{})
	if err != nil {
		return callError(o.server, err)
	}
	meter := terminal.NewMeter(progress, "backing up", terminal.Bytes)
	defer meter.End()
	for parts.Receive() {
		silence.Reset(o.timeout)
		if _, err := to.Write(parts.Msg().GetContent()); err != nil {
			return errors.Join(fmt.Errorf("write the backup: %w", err), parts.Close())
		}
		meter.Step(parts.Msg().GetBytesDone(), parts.Msg().GetBytesTotal())
	}
	err = errors.Join(parts.Err(), parts.Close())
	if exit := new(exitError); errors.As(context.Cause(ctx), &exit) {
		return exit
	}
	return callError(o.server, err)
}

// writeBeside lets fill write a new file beside the one with this name, and then gives it the name.
// If fill fails, nothing changes.
func writeBeside[R any](name string, fill func(*os.File) (R, error)) (result R, err error) {
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".part-*") // for its owner alone
	if err != nil {
		return result, fmt.Errorf("cannot write beside %s: %w", name, err)
	}
	result, err = fill(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return result, errors.Join(err, os.Remove(file.Name()))
	}
	return result, syncDir(filepath.Dir(name))
}

// printBackup prints what a backup holds.
func printBackup(out io.Writer, output terminal.Output, what string, m backup.Manifest) error {
	if output.JSON() {
		return terminal.PrintJSON(out, m)
	}
	return terminal.Printf(out, "%s: %s of %s, %s, made %s\n", what, terminal.Size(m.Bytes()),
		galleries(len(m.Galleries)), count(int(m.Changes), "change"), m.Made.Local().Format(time.DateTime))
}

func galleries(n int) string {
	if n == 1 {
		return "1 gallery"
	}
	return fmt.Sprintf("%d galleries", n)
}

// openBackup opens a backup that is named on the command line; - is standard input.
func openBackup(c console, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.in), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the backup: %w", err)
	}
	return file, nil
}

// backupVerifyOptions are the flags of backup verify.
type backupVerifyOptions struct {
	temp   string
	key    sealKeyOptions
	output terminal.Output
}

func backupVerify() command {
	var o backupVerifyOptions
	return command{
		name:  "verify",
		args:  "FILE",
		short: "look whether a backup is whole and can be restored",
		long: `Restores the backup into a new folder beside FILE, as "rollcall restore" would, and
removes the folder again: it compares every digest, opens the store, reads all records,
and verifies the chains of every log and journal. It needs no server, and as much free
space as FILE has. A sealed backup needs its key. - reads standard input.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.temp, "temp", "", "folder to restore in; empty: that of FILE")
			o.key.addFlags(set)
			o.output.AddFlag(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("backup verify needs the name of one file: rollcall backup verify school.tar")
			}
			return runBackupVerify(ctx, c, o, args[0])
		},
	}
}

func runBackupVerify(ctx context.Context, c console, o backupVerifyOptions, name string) (err error) {
	file, err := openBackup(c, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	temp := o.temp
	if temp == "" {
		temp = filepath.Dir(name)
	}
	key, err := o.key.key(ctx)
	if err != nil {
		return err
	}
	meter := terminal.NewMeter(c.err, "verifying", terminal.Bytes)
	m, err := backup.Verify(ctx, bufio.NewReaderSize(file, 1<<20), temp, backup.Options{Storage: storage.Options{SealKey: key}, Progress: meter.Step})
	meter.End()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return printBackup(c.out, o.output, "good: "+name, m)
}
