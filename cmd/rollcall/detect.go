package main

import (
	"context"
	"fmt"
	"io"
	"os"

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
		long: `Asks the server for the faces of each photo: where they are, how large, how sure
it is, and what speaks against identifying them. Sizes and places are in pixels
of the photo as it is shown; the size is the side of the square around a face,
3.2 distances of the eyes. A file that cannot be used does not stop the others;
the exit code is 1 then.`,
		flags: func(set *pflag.FlagSet) {
			set.Float32Var(&o.leastSize, "least-size", 0,
				"size of the smallest face that has to be found; smaller takes longer; 0: what the photo's size allows")
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
	if err := o.validate(); err != nil {
		return err
	}
	client := o.attendance()
	return o.eachFile(ctx, c, files, func(file string) error {
		image, err := readImage(file, maxPhotoBytes, "save it in a lower quality")
		if err != nil {
			return err
		}
		resp, err := client.Detect(ctx, &pb.DetectRequest{Image: image, LeastSize: o.leastSize})
		if err != nil {
			return err
		}
		if o.output.JSON() {
			return printMessage(c.out, resp)
		}
		return printFaces(c.out, file, resp)
	})
}

func printFaces(out io.Writer, file string, resp *pb.DetectResponse) error {
	faces := "faces"
	if len(resp.GetFaces()) == 1 {
		faces = "face"
	}
	fmt.Fprintf(out, "%s  %d x %d pixels, %d %s\n", file, resp.GetWidth(), resp.GetHeight(), len(resp.GetFaces()), faces)
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

// maxPhotoBytes is what the contract allows a photo to have.
const maxPhotoBytes = 16 << 20

// readImage reads an image file, but not one that the server would refuse for its size.
func readImage(file string, most int64, advice string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder, not an image", file)
	case info.Size() > most:
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that it may have: %s", file, info.Size(), most, advice)
	case info.Size() == 0:
		return nil, fmt.Errorf("%s is empty", file)
	}
	return os.ReadFile(file)
}
