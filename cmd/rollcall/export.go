package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// An export is JSON Lines (docs/export.md): a header, records, and the end.

const (
	exportFormat  = "rollcall-export"
	exportVersion = 1
)

// exportHeader is the first line.
type exportHeader struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Gallery string    `json:"gallery,omitempty"`
	Made    time.Time `json:"made,omitzero"`
	Vectors *bool     `json:"vectors,omitempty"` // nil: the file was made by others
}

// exportEnd is the last line.
type exportEnd struct {
	End *int64 `json:"end"` // how many records there are
}

// exportOptions are the flags of export.
type exportOptions struct {
	client  clientOptions
	vectors bool
}

// exported is what export prints.
type exported struct {
	File    string `json:"file"`
	Records int64  `json:"records"`
}

func exportCommand() command {
	var o exportOptions
	return command{
		name:  "export",
		args:  "FILE",
		short: "write a gallery as lines of JSON, to move it or to look at it",
		long: `Writes the settings, models, students and crops of a gallery to FILE, or to standard
output with -. docs/export.md describes the lines. "rollcall import" takes them into another
gallery, or into that of another server, which needs the vectors: they are written
with --vectors, for which a token made with --embeddings is needed.

An export is no backup: it has no journal, no log and no tokens.`,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&o.vectors, "vectors", false, "with the face vectors, from which faces can be rebuilt")
			o.client.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("export needs the name of one file: rollcall export school.jsonl")
			}
			if err := o.client.validate(); err != nil {
				return err
			}
			return runExport(ctx, c, &o, args[0])
		},
	}
}

func runExport(ctx context.Context, c console, o *exportOptions, name string) error {
	if name == "-" {
		_, err := o.write(ctx, c.err, c.out)
		return err
	}
	n, err := writeBeside(name, func(file *os.File) (int64, error) { return o.write(ctx, c.err, file) })
	if err != nil {
		return err
	}
	if o.client.output.JSON() {
		return terminal.PrintJSON(c.out, exported{name, n})
	}
	return terminal.Printf(c.out, "exported %s to %s\n", count(int(n), "record"), name)
}

// write writes what the server sends, and returns how many records that are.
func (o *exportOptions) write(ctx context.Context, progress, to io.Writer) (records int64, err error) {
	client := rollcallv1connect.NewExportServiceClient(&http.Client{Transport: o.client.transport(nil)}, o.client.server, connect.WithInterceptors(o.client.login))
	parts, err := client.ExportGallery(ctx, &pb.ExportGalleryRequest{Vectors: o.vectors})
	if err != nil {
		return 0, callError(o.client.server, err)
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	meter := terminal.NewMeter(progress, "exporting", "records")
	defer meter.End()
	w := bufio.NewWriterSize(to, 1<<20)
	if err := json.NewEncoder(w).Encode(exportHeader{exportFormat, exportVersion, o.client.gallery, time.Now().UTC().Truncate(time.Second), &o.vectors}); err != nil {
		return 0, err
	}
	for parts.Receive() {
		for _, r := range parts.Msg().GetRecords() {
			if err := printCompact(w, r); err != nil {
				return 0, fmt.Errorf("write the export: %w", err)
			}
			records++
		}
		meter.Step(records, 0)
	}
	if err := parts.Err(); err != nil {
		return 0, callError(o.client.server, err)
	}
	if err := json.NewEncoder(w).Encode(exportEnd{&records}); err != nil {
		return 0, err
	}
	return records, w.Flush()
}
