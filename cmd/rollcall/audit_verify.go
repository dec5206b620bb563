package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/encoding/protojson"

	"rollcall/cmd/terminal"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

func auditVerify() command {
	var data, heads string
	var sealKey sealKeyOptions
	return command{
		name:  "verify",
		short: "verify the log and the journal of a data folder",
		long: `Reads the log of changes and the journal of every gallery in a data folder, and
verifies that no line was changed, removed or put in. It needs the folder, not the
server: a server that lies cannot vouch for itself. No server may have the folder
open: stop it, or verify a copy or a backup. It prints the heads of the days.

With --heads it also compares with what "rollcall audit days --output json" printed
earlier. Only that shows a journal that was written anew as a whole. Heads of a gallery
that was deleted later, up to that day, cannot be compared: verify says so.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&data, "data", "rollcall-data", "the folder")
			sealKey.addFlags(set)
			set.StringVar(&heads, "heads", "", "file of heads that were kept; - reads standard input")
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("audit verify takes no arguments")
			}
			kept, err := readHeads(c.in, heads)
			if err != nil {
				return err
			}
			return runAuditVerify(ctx, c.out, data, sealKey, kept)
		},
	}
}

// keptHeads are heads that were kept, by gallery, and the number of the server that
// printed them.
type keptHeads struct {
	days   map[string][]storage.Day
	server string
}

func readHeads(stdin io.Reader, name string) (kept keptHeads, err error) {
	if name == "" {
		return kept, nil
	}
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return kept, fmt.Errorf("cannot read the heads: %w", err)
		}
		defer file.Close()
		stdin = file
	}
	kept.days = make(map[string][]storage.Day)
	texts := json.NewDecoder(stdin)
	for {
		var text json.RawMessage
		if err := texts.Decode(&text); errors.Is(err, io.EOF) {
			return kept, nil
		} else if err != nil {
			return kept, notHeads(err)
		}
		if err := kept.add(text); err != nil {
			return kept, notHeads(err)
		}
	}
}

func notHeads(err error) error {
	return fmt.Errorf("the file of heads is not what \"rollcall audit days --output json\" printed: %w", err)
}

// add takes in what one call of audit days printed.
func (k *keptHeads) add(text []byte) error {
	var said pb.ListDaysResponse
	if err := protojson.Unmarshal(text, &said); err != nil {
		return err
	}
	if k.server != "" && k.server != said.GetServer() {
		return fmt.Errorf("it has heads of the servers %s and %s: give one file for each", k.server, said.GetServer())
	}
	k.server = said.GetServer()
	id := said.GetGallery()
	if id == "" {
		id = storage.ServerPartition
	}
	for _, d := range said.GetDays() {
		date, err := time.Parse(time.DateOnly, d.GetDate())
		if err != nil {
			return err
		}
		head, err := hex.DecodeString(d.GetHead())
		if err != nil {
			return err
		}
		k.days[id] = append(k.days[id], storage.Day{Date: date, First: d.GetFirst(), Last: d.GetLast(), Head: head, Open: d.GetOpen()})
	}
	return nil
}

func runAuditVerify(ctx context.Context, out io.Writer, data string, sealKey sealKeyOptions, kept keptHeads) (err error) {
	if err := folderExists(data); err != nil {
		return err
	}
	store, err := sealKey.open(ctx, data, storage.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if server := fmt.Sprintf("%016x", store.Server()); kept.server != "" && kept.server != server {
		return fmt.Errorf("the heads are of the server %s, and the folder is of the server %s", kept.server, server)
	}
	ids, err := galleriesIn(ctx, store)
	if err != nil {
		return err
	}
	for _, id := range ids {
		partition, err := store.Partition(id)
		if err != nil {
			return err
		}
		name := "gallery " + id
		if id == storage.ServerPartition {
			name = "the server"
		}
		v, err := partition.Verify(ctx, kept.days[id]...)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		printVerified(out, name, v, len(kept.days[id]))
		delete(kept.days, id)
		if id == storage.ServerPartition { // which is the first
			if err := kept.dropDeleted(ctx, out, partition, v.FirstChange-1); err != nil {
				return err
			}
		}
	}
	for id := range kept.days {
		return fmt.Errorf("there is a head of gallery %q, and the folder has no such gallery", id)
	}
	return nil
}

// dropDeleted takes out the heads of galleries that were deleted later: their journals went
// with them. The server's log says when, and is verified.
func (k *keptHeads) dropDeleted(ctx context.Context, out io.Writer, server *storage.Partition, after uint64) error {
	for c, err := range server.Changes(ctx, after) {
		if err != nil {
			return err
		}
		for _, w := range c.Writes {
			id, kept := w.Ref.ID, k.days[w.Ref.ID]
			later := slices.DeleteFunc(slices.Clone(kept), func(d storage.Day) bool { return !d.Date.After(c.Time) })
			if c.Cause != gallery.DeleteCause || len(later) == len(kept) {
				continue
			}
			terminal.Printf(out, "gallery %s: deleted at %s, so that %s cannot be compared\n", id, c.Time.Format(time.RFC3339), count(len(kept)-len(later), "head"))
			if k.days[id] = later; len(later) == 0 {
				delete(k.days, id)
			}
		}
	}
	return nil
}

// galleriesIn returns the ids of the server's partition and of all galleries.
func galleriesIn(ctx context.Context, store *storage.Store) ([]string, error) {
	ids := []string{storage.ServerPartition}
	own, err := store.Partition(storage.ServerPartition)
	if err != nil {
		return nil, err
	}
	for r, err := range own.Load(ctx) {
		if err != nil {
			return nil, err
		}
		if g, ok := r.(storage.Gallery); ok {
			ids = append(ids, g.ID)
		}
	}
	return ids, nil
}

func printVerified(out io.Writer, name string, v storage.Verified, kept int) {
	terminal.Printf(out, "%s: %s and %s are as they were written", name,
		numbered("change", v.FirstChange, v.LastChange), numbered("line", v.FirstLine, v.LastLine))
	if kept > 0 {
		terminal.Printf(out, ", and agree with %s", count(kept, "head"))
	}
	terminal.Printf(out, "\n")
	for _, d := range v.Days {
		open := ""
		if d.Open {
			open = "  (may grow)"
		}
		terminal.Printf(out, "  %s  %d to %d  %x%s\n", d.Date.Format(time.DateOnly), d.First, d.Last, d.Head, open)
	}
}

// numbered says which of the things there are: "3 changes (5 to 7)".
func numbered(thing string, first, last uint64) string {
	if last < first {
		return "no " + thing + "s"
	}
	return fmt.Sprintf("%s (%d to %d)", count(int(last-first+1), thing), first, last)
}
