package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/storage"
)

func sealCommand() command {
	return command{
		name:  "seal",
		short: "encrypt a data folder with a key of yours",
		long: `A sealed data folder is encrypted: who steals the disk or a backup, and has no key, reads
no embedding, name or verdict. Ids stay readable (docs/sealing.md).

  rollcall seal new-key seal.key
  rollcall serve --seal-key-file seal.key

A new data folder is sealed from the start. "seal folder" seals one that is not. Keep a
copy of the key elsewhere: without it nobody can read the folder or its backups.`,
		children: []command{sealNewKey(), sealFolder(), sealRotate()},
	}
}

func sealNewKey() command {
	return command{
		name:  "new-key",
		args:  "FILE",
		short: "make a key",
		long: `Draws a key at random and writes it to FILE, which only its owner may read. It never
replaces a file.`,
		run: func(_ context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("seal new-key needs the name of a file: rollcall seal new-key seal.key")
			}
			key, err := writeSealKey(args[0])
			if err != nil {
				return fmt.Errorf("cannot write the new key: %w", err)
			}
			return terminal.Printf(c.out, "key %s is in %s\nKeep a copy elsewhere, apart from the backups: without it nobody can read what it seals.\n", key, args[0])
		},
	}
}

// writeSealKey makes a key, which is on disk when it returns.
func writeSealKey(name string) (_ *storage.SealKey, err error) {
	secret := make([]byte, storage.SealKeyBytes)
	_, _ = rand.Read(secret) // never fails, as documented
	text := base64.StdEncoding.EncodeToString(secret)
	key, err := storage.ParseSealKey([]byte(text))
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(file, text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(name))
	}
	return key, syncDir(filepath.Dir(name))
}

// syncDir brings the names in a folder to disk.
func syncDir(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// rotateOptions are the flags of seal rotate.
type rotateOptions struct {
	data    string
	old     sealKeyOptions
	file    string
	command string
	rewrite bool
}

func sealRotate() command {
	var o rotateOptions
	return command{
		name:  "rotate",
		short: "replace the key of a sealed data folder by another one",
		long: `Replaces the key of a data folder that no server has open:

  rollcall seal rotate --data rollcall-data --seal-key-file old.key --new-key-file new.key

Only the data keys, one for each gallery, are wrapped anew, in one step. Backups need the key
that they were made with: keep the old key as long as they are kept. Who has the old key and
an old copy of the folder still reads that copy, and can read what is written later with the
same data keys: if the old key has leaked, add --rewrite.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.data, "data", "rollcall-data", "the folder")
			o.old.addFlags(set)
			set.StringVar(&o.file, "new-key-file", "", "file of the new key")
			set.StringVar(&o.command, "new-key-command", "", "shell command that prints the new key")
			set.BoolVar(&o.rewrite, "rewrite", false, "seal everything anew with new data keys, through a copy beside the folder, as \"seal folder\" does")
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("seal rotate takes no arguments")
			}
			return runSealRotate(ctx, c, o)
		},
	}
}

func runSealRotate(ctx context.Context, c console, o rotateOptions) error {
	old, err := o.old.key(ctx)
	if err != nil {
		return err
	}
	fresh, err := (&sealKeyOptions{o.file, o.command}).key(ctx)
	if err != nil {
		return fmt.Errorf("the new key: %w", err)
	}
	if old == nil || fresh == nil {
		return usageError("seal rotate needs the old key and the new one: --seal-key-file OLD --new-key-file NEW")
	}
	if o.rewrite {
		return runSealFolder(ctx, c, o.data, old, fresh)
	}
	if err := folderExists(o.data); err != nil {
		return err
	}
	wrapped, err := storage.RotateSealKey(ctx, o.data, storage.Options{SealKey: old}, fresh)
	if err != nil {
		return err
	}
	return terminal.Printf(c.out, "%s is sealed with key %s from now on: %s wrapped anew\n", o.data, fresh, count(wrapped, "data key"))
}

// folderExists returns an error if there is no such folder, or nothing in it: opening it would
// make a store.
func folderExists(data string) error {
	names, err := os.ReadDir(data)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s is empty", data)
	}
	if err != nil {
		return fmt.Errorf("there is no data folder: %w; name the one of \"serve --data\"", err)
	}
	return nil
}
