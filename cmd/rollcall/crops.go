package main

import (
	"context"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func cropsCommand() command {
	return command{
		name:     "crops",
		short:    "show, correct and delete enrolled crops",
		long:     "Crops are what students are recognised by. The images themselves are not kept.",
		children: []command{cropsShow(), cropsAssign(), cropsDelete()},
	}
}

func cropsShow() command {
	var o clientOptions
	return command{
		name:  "show",
		args:  "CROP",
		short: "show what is kept of a crop",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			return withOne(&o, args, "crops show", "crop", func(id string) (proto.Message, error) {
				resp, err := o.galleries().GetCrop(ctx, &pb.GetCropRequest{CropId: id})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				return nil, printCrop(c, resp.GetCrop())
			}, c)
		},
	}
}

func cropsAssign() command {
	var o clientOptions
	var expect string
	var expects func() bool
	return command{
		name:  "assign",
		args:  "CROP STUDENT",
		short: "correct whose face a crop shows; the correction stays",
		long: `Gives a crop to another student. If there is no student with this id, it is made.
An empty student ("") takes the crop away from its student; the crop is then never
matched. A later enrolment of the same crop does not undo the correction.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&expect, "expect", "", "refuse if the crop is not this student's now; empty: nobody's")
			expects = func() bool { return set.Changed("expect") }
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 2 {
				return usageError("crops assign needs a crop and a student")
			}
			return withOne(&o, args[:1], "crops assign", "crop", func(id string) (proto.Message, error) {
				req := &pb.AssignCropRequest{CropId: id, StudentId: args[1]}
				if expects() {
					req.ExpectedStudentId = &expect
				}
				resp, err := o.galleries().AssignCrop(ctx, req)
				if err != nil || o.output.JSON() {
					return resp, err
				}
				return nil, printCrop(c, resp.GetCrop())
			}, c)
		},
	}
}

func cropsDelete() command {
	var o clientOptions
	return command{
		name:  "delete",
		args:  "CROP",
		short: "erase a crop",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			return withOne(&o, args, "crops delete", "crop", func(id string) (proto.Message, error) {
				resp, err := o.galleries().DeleteCrop(ctx, &pb.DeleteCropRequest{CropId: id})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				terminal.Printf(c.out, "%s deleted\n", id)
				return nil, nil
			}, c)
		},
	}
}

func printCrop(c console, crop *pb.Crop) error {
	terminal.Printf(c.out, "crop     %s\nstudent  %s%s\n", crop.GetCropId(), orDash(crop.GetStudentId()), correctedMark(crop))
	for _, e := range crop.GetEmbeddings() {
		terminal.Printf(c.out, "model    %s (%.12s…) at %s, %d x %d pixels, eyes %.0f pixels apart\n", e.GetModel(), e.GetDigest(),
			e.GetCreated().AsTime().Local().Format(time.DateTime), e.GetQuality().GetWidth(), e.GetQuality().GetHeight(), e.GetQuality().GetEyeDistance())
	}
	return nil
}
