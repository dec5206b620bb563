package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// detectOptions are the flags of detect.
type detectOptions struct {
	clientOptions
	leastSize float32
}

func detectCommand() command {
	var o detectOptions
	return command{
		name:  "detect",
		args:  "FILE...",
		short: "find the faces of a photo",
		long: `Asks the server for the faces of each photo: where they are, how large they are,
how sure the detector is, and why a face could not be identified. Sizes and places
are in pixels of the photo as it is shown. The size is the side of the square around
a face, 3.2 times the distance of the eyes. A file that cannot be used does not stop
the others, but the exit code is then 1.

A FILE may be a pipe, such as /dev/stdin. With --output json each file is one line,
with its name as "file". If a file cannot be used, its line has "code" and "message"
in place of faces.`,
		flags: func(set *pflag.FlagSet) {
			set.Float32Var(&o.leastSize, "least-size", 0,
				"size of the smallest face that has to be found, in pixels; smaller takes longer; 0: depends on the photo's size")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) == 0 {
				return usageError("detect needs at least one file: rollcall detect class.jpg")
			}
			return runDetect(ctx, c, o, args)
		},
	}
}

func runDetect(ctx context.Context, c console, o detectOptions, files []string) error {
	if !within(o.leastSize, 0, maxLeastSize) {
		return usageError("--least-size is %v; it can be 0 (depends on the photo's size) to %d pixels", o.leastSize, maxLeastSize)
	}
	if err := o.validate(); err != nil {
		return err
	}
	client := o.attendance()
	return fileCalls[*pb.DetectResponse]{
		ask: func(file string) (*pb.DetectResponse, error) {
			image, err := readPhoto(ctx, file)
			if err != nil {
				return nil, err
			}
			return client.Detect(ctx, &pb.DetectRequest{Image: image, LeastSize: o.leastSize})
		},
		show: func(file string, resp *pb.DetectResponse) error { return printFaces(c.out, file, resp) },
	}.each(ctx, c, &o.clientOptions, files)
}

// maxLeastSize is what the contract allows.
const maxLeastSize = 10_000

func printFaces(out io.Writer, file string, resp *pb.DetectResponse) error {
	terminal.Printf(out, "%s  %d x %d pixels, %s\n", file, resp.GetWidth(), resp.GetHeight(), count(len(resp.GetFaces()), "face"))
	var rows [][]string
	for i, f := range resp.GetFaces() {
		b := f.GetBox()
		rows = append(rows, []string{
			fmt.Sprintf("    %d", i+1), fmt.Sprintf("%.0f", f.GetSize()), fmt.Sprintf("%.2f", f.GetScore()),
			fmt.Sprintf("%.0f,%.0f %.0f x %.0f", b.GetLeft(), b.GetTop(), b.GetWidth(), b.GetHeight()),
			reasonsText(f.GetReasons()),
		})
	}
	if len(rows) == 0 {
		return nil
	}
	return terminal.PrintTable(out, []string{"    FACE", "SIZE", "SCORE", "BOX", "UNUSABLE"}, rows)
}
