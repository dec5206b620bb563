package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"rollcall/storage"
)

// sealKeyOptions are the flags of every command that opens a data folder.
type sealKeyOptions struct {
	file, command string
}

func (o *sealKeyOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.file, "seal-key-file", "", "file of the key that the data folder is sealed with; see \"rollcall seal help\"")
	set.StringVar(&o.command, "seal-key-command", "", "shell command that prints this key, such as one that asks a KMS")
}

// open opens a data folder with the key.
func (o *sealKeyOptions) open(ctx context.Context, folder string, opts storage.Options) (_ *storage.Store, err error) {
	if opts.SealKey, err = o.key(ctx); err != nil {
		return nil, err
	}
	return storage.Open(folder, opts)
}

// sealCommandTimeout is more than a KMS takes, also where it is called a second time.
const sealCommandTimeout = time.Minute

// key returns the key that the flags name; nil: they name none.
func (o *sealKeyOptions) key(ctx context.Context) (*storage.SealKey, error) {
	switch {
	case o.file != "" && o.command != "":
		return nil, usageError("--seal-key-file and --seal-key-command both give the key: give one of them")
	case o.file != "":
		return readSealKey(o.file)
	case o.command != "":
		return askSealKey(ctx, o.command)
	}
	return nil, nil
}

// readSealKey refuses a file that everybody may read, or that others than its owner may
// change. The group may read it: so containers hand over secrets.
func readSealKey(name string) (*storage.SealKey, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the seal key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("the seal key %s has the mode %#o, so that others than its owner and group can read it, or change it: chmod 600 %s", name, mode, name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the seal key: %w", err)
	}
	key, err := storage.ParseSealKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// askSealKey runs a command of the operator's. What it prints is never shown, but its
// errors are.
func askSealKey(ctx context.Context, line string) (*storage.SealKey, error) {
	ctx, cancel := context.WithTimeout(ctx, sealCommandTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", "-c", line)
	command.WaitDelay = time.Second // for what the shell has started
	var errs bytes.Buffer
	command.Stderr = &errs
	text, err := command.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("--seal-key-command gave no key: %w", ctx.Err())
	}
	if err != nil {
		return nil, fmt.Errorf("--seal-key-command gave no key (%w): %s", err, bytes.TrimSpace(errs.Bytes()))
	}
	key, err := storage.ParseSealKey(text)
	if err != nil {
		return nil, fmt.Errorf("--seal-key-command: %w", err)
	}
	return key, nil
}
