package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/encoding/protojson"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// importOptions are the flags of import.
type importOptions struct {
	client  clientOptions
	request pb.ImportRecordsRequest
}

func importCommand() command {
	o := new(importOptions)
	return command{
		name:  "import",
		args:  "FILE",
		short: "take the records of an export, or vectors of your own, into a gallery",
		long: `Reads lines of JSON as "rollcall export --vectors" writes them (docs/export.md), from FILE or
from standard input with -, and takes them into the gallery that --gallery names. It may
hold students already. Every rule of an enrolment holds: a face that is enrolled under
another student, a vector of another model's file, a student who was erased here: such
records are left out, named, and the exit code is 4.

What is there already is skipped. So an import that was interrupted is run again.`,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&o.request.DryRun, "dry-run", false, "store nothing, and say what would happen")
			set.BoolVar(&o.request.Settings, "settings", false, "take the settings too, but for the model")
			set.BoolVar(&o.request.AllowDuplicate, "allow-duplicate", false, "enrol faces that another student's crop resembles")
			set.BoolVar(&o.request.AllowUnlike, "allow-unlike", false, "enrol faces that are unlike the student's other crops")
			o.client.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("import needs the name of one file: rollcall import school.jsonl")
			}
			if err := o.client.validate(); err != nil {
				return err
			}
			return o.run(ctx, c, args[0])
		},
	}
}

// importBatch is how many records one call takes: some 400 KiB of vectors.
const importBatch = 200

// importing is an import under way.
type importing struct {
	*importOptions
	console console
	meter   *terminal.Meter
	line    int // the last one that was read

	lines  []int // of the records of the request
	result importResult
}

// importResult is what import prints.
type importResult struct {
	Records int64     `json:"records"`
	Stored  int       `json:"stored"`  // or would be
	Skipped int       `json:"skipped"` // they were there already
	DryRun  bool      `json:"dry_run,omitempty"`
	LeftOut []leftOut `json:"left_out,omitempty"`
}

// leftOut is a record that was not imported.
type leftOut struct {
	Line    int    `json:"line"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (r *importResult) print(out io.Writer, output terminal.Output) error {
	if output.JSON() {
		return terminal.PrintJSON(out, r)
	}
	done := "stored"
	if r.DryRun {
		done = "would be stored"
	}
	return terminal.Printf(out, "%s: %d %s, %d there already, %d left out\n", count(int(r.Records), "record"), r.Stored, done, r.Skipped, len(r.LeftOut))
}

func (o *importOptions) run(ctx context.Context, c console, name string) (err error) {
	file, err := openBackup(c, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	im := &importing{importOptions: o, result: importResult{DryRun: o.request.GetDryRun()}, console: c, meter: terminal.NewMeter(c.err, "importing", "records")}
	err = im.all(ctx, bufio.NewReaderSize(file, 1<<20))
	im.meter.End()
	if err != nil {
		return fmt.Errorf("%s: line %d: %w", name, im.line, err)
	}
	if err := im.result.print(c.out, o.client.output); err != nil {
		return err
	}
	if len(im.result.LeftOut) > 0 {
		return &exitError{code: exitSome}
	}
	return nil
}

// all reads the file to its end.
func (im *importing) all(ctx context.Context, r *bufio.Reader) error {
	var header exportHeader
	first, err := im.next(r)
	if err != nil || json.Unmarshal(first, &header) != nil || header.Format != exportFormat {
		return errors.New("this is no export of Rollcall: docs/export.md describes the lines")
	}
	if header.Version != exportVersion {
		return fmt.Errorf("the export has version %d, and this release reads %d", header.Version, exportVersion)
	}
	if header.Vectors != nil && !*header.Vectors {
		return errors.New("the export was made without vectors, and can only be read: make it again with \"rollcall export --vectors\"; nothing was imported")
	}
	for {
		line, err := im.next(r)
		if errors.Is(err, io.EOF) {
			return errors.New("the export is cut off: its last line says how many records there are ({\"end\": 3}); what comes before was imported")
		}
		if err != nil {
			return err
		}
		var end exportEnd
		if json.Unmarshal(line, &end) == nil && end.End != nil {
			if err := im.send(ctx); err != nil {
				return err
			}
			if *end.End != im.result.Records {
				return fmt.Errorf("the export has %d records, and its end says %d", im.result.Records, *end.End)
			}
			return nil
		}
		if err := im.add(ctx, line); err != nil {
			return err
		}
	}
}

// next returns the next line that is not empty.
func (im *importing) next(r *bufio.Reader) ([]byte, error) {
	for {
		line, err := r.ReadBytes('\n')
		im.line++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (im *importing) add(ctx context.Context, line []byte) error {
	record := new(pb.Record)
	if err := protojson.Unmarshal(line, record); err != nil || record.GetOf() == nil {
		return errors.New("this is no record: docs/export.md describes the lines")
	}
	im.result.Records++
	im.request.Records = append(im.request.Records, record)
	im.lines = append(im.lines, im.line)
	if len(im.lines) < importBatch {
		return nil
	}
	return im.send(ctx)
}

// send lets the server take in the records that were read.
func (im *importing) send(ctx context.Context) error {
	if len(im.lines) == 0 {
		return nil
	}
	client := rollcallv1connect.NewExportServiceClient(im.client.unary(), im.client.server, connect.WithInterceptors(im.client.login))
	resp, err := client.ImportRecords(ctx, &im.request)
	if err != nil {
		return callError(im.client.server, err)
	}
	im.result.Stored += int(resp.GetStored())
	im.result.Skipped += int(resp.GetSkipped())
	for _, p := range resp.GetProblems() {
		left := leftOut{im.lines[p.GetIndex()], p.GetProblem().GetReason(), withFlagNames(p.GetProblem().GetMessage())}
		im.result.LeftOut = append(im.result.LeftOut, left)
		printError(im.console.err, fmt.Errorf("line %d: %s (%s)", left.Line, left.Message, left.Reason))
	}
	im.request.Records, im.lines = nil, nil
	im.meter.Step(im.result.Records, 0)
	return nil
}
