package main

import (
	"context"
	"io"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/storage"
)

// sealFolderOptions are the flags of seal folder.
type sealFolderOptions struct {
	data   string
	key    sealKeyOptions
	unseal bool
}

func sealFolder() command {
	var o sealFolderOptions
	return command{
		name:  "folder",
		short: "seal a data folder that is not sealed, or unseal one",
		long: `Seals a data folder that no server has open, as the account that runs the server:

  rollcall seal folder --data rollcall-data --seal-key-file seal.key

It makes a sealed copy in a folder beside it (rollcall-data.new), compares it, and lets the
two change places. Until then nothing has changed, and interrupted it goes on when it is run
again. It needs free space for the copy, and says how much.

The old files stay in rollcall-data.old, and are not sealed: delete them when the server
has started with the key. A disk keeps deleted data until it is overwritten, and an SSD may keep
it longer: before such a disk leaves the house, erase it as a whole (docs/sealing.md). Backups
that were made before are not sealed either.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.data, "data", "rollcall-data", "the folder")
			o.key.addFlags(set)
			set.BoolVar(&o.unseal, "unseal", false, "unseal a folder that is sealed with this key")
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("seal folder takes no arguments")
			}
			key, err := o.key.key(ctx)
			if err != nil {
				return err
			}
			if key == nil {
				return usageError("seal folder needs the key: --seal-key-file seal.key; \"rollcall seal new-key\" makes one")
			}
			if o.unseal {
				return runSealFolder(ctx, c, o.data, key, nil)
			}
			return runSealFolder(ctx, c, o.data, nil, key)
		},
	}
}

// runSealFolder replaces a data folder that is sealed with from by one that is sealed with to.
// A nil key is that of a folder that is not sealed.
func runSealFolder(ctx context.Context, c console, data string, from, to *storage.SealKey) error {
	size, err := storage.FolderBytes(data)
	if err != nil {
		return err
	}
	if size > 0 {
		terminal.Printf(c.err, "the copy needs about %d MiB beside %s\n", size>>20+1, data)
	}
	progress, end := copyProgress(c.err, size)
	old, err := storage.SealFolder(ctx, data, storage.Options{SealKey: from}, to, progress)
	end()
	if err != nil {
		return err
	}
	if to == nil {
		terminal.Printf(c.out, "%s is not sealed any more: start the server without the key\n", data)
	} else {
		terminal.Printf(c.out, "%s is sealed with key %s: start the server with it\n", data, to)
	}
	terminal.Printf(c.out, "The old files are in %s. Once the server has started, delete them:\n  rm -r %s\n", old, old)
	if from == nil {
		terminal.Printf(c.out, "They are not sealed, nor are older backups. A disk keeps deleted data for a while, and an SSD longer:\nerase it as a whole before it leaves the house.\n")
	}
	return nil
}

// copyProgress shows how far a copy of so many bytes is.
func copyProgress(out io.Writer, size int64) (progress func(storage.Copied), end func()) {
	copying, comparing := terminal.NewMeter(out, "copying", terminal.Bytes), terminal.NewMeter(out, "comparing", "values")
	progress = func(done storage.Copied) {
		if done.Compared == 0 {
			copying.Step(done.Bytes, max(size, done.Bytes))
			return
		}
		copying.End()
		comparing.Step(done.Compared, max(done.Values, done.Compared))
	}
	return progress, func() { copying.End(); comparing.End() }
}
