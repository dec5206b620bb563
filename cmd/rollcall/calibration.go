package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func calibrationCommand() command {
	return command{
		name:  "calibration",
		short: "show and change how the gallery turns an fpir into a threshold",
		long: `Each student is a stranger to all others. From some 30 students on, the gallery
compares them and calibrates its model by what it finds, some seconds after enough
crops came or went. It keeps the calibration that it has if the threshold would hardly
change. Until then the model's own calibration counts, or else the threshold that its
makers publish.`,
		children: []command{calibrationShow(), calibrationFreeze(), calibrationUnfreeze(), calibrationSet()},
	}
}

// calibrationOptions are the flags of the calibration commands.
type calibrationOptions struct {
	clientOptions
	model string
}

func (o *calibrationOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.model, "model", "", "the model; empty: the gallery's")
	o.clientOptions.addFlags(set)
}

func calibrationShow() command {
	var o calibrationOptions
	return command{
		name:  "show",
		short: "show the calibration, and where it comes from",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("calibration show takes no arguments")
			}
			if err := o.validate(); err != nil {
				return err
			}
			resp, err := o.galleries().GetCalibration(ctx, &pb.GetCalibrationRequest{Model: o.model})
			if err != nil {
				return callError(o.server, err)
			}
			return o.print(c, resp, resp.GetCalibration())
		},
	}
}

func calibrationFreeze() command {
	return calibrationChange("freeze", "", "keep the calibration as it is",
		"Keeps the calibration as it is, until \"calibration unfreeze\" or \"calibration set\".",
		func(args []string) (*pb.UpdateCalibrationRequest, error) {
			return &pb.UpdateCalibrationRequest{Frozen: proto.Bool(true)}, noArguments("freeze", args)
		})
}

func calibrationUnfreeze() command {
	return calibrationChange("unfreeze", "", "let the gallery calibrate itself again",
		"Drops a calibration that was set, and lets the gallery calibrate itself again.",
		func(args []string) (*pb.UpdateCalibrationRequest, error) {
			return &pb.UpdateCalibrationRequest{Frozen: proto.Bool(false)}, noArguments("unfreeze", args)
		})
}

func noArguments(name string, args []string) error {
	if len(args) > 0 {
		return usageError("calibration %s takes no arguments", name)
	}
	return nil
}

func calibrationSet() command {
	return calibrationChange("set", "FMR=SIMILARITY...", "give the calibration, and freeze it",
		`Gives the calibration: the similarity that a share FMR of the comparisons of two
different people reaches, for two shares at least:

  rollcall calibration set 0.01=0.35 0.0001=0.53 0.000001=0.64`, operatingPoints)
}

// operatingPoints reads FMR=SIMILARITY, in any order.
func operatingPoints(args []string) (*pb.UpdateCalibrationRequest, error) {
	change := new(pb.UpdateCalibrationRequest)
	for _, arg := range args {
		left, right, found := strings.Cut(arg, "=")
		fmr, err := strconv.ParseFloat(left, 64)
		similarity, err2 := strconv.ParseFloat(right, 32)
		if !found || err != nil || err2 != nil || !(fmr > 0 && fmr <= 1) || !within(similarity, -1, 1) {
			return nil, usageError("%q is not FMR=SIMILARITY, such as 0.001=0.45", arg)
		}
		change.Points = append(change.Points, &pb.OperatingPoint{Fmr: fmr, Similarity: float32(similarity)})
	}
	if len(args) < 2 {
		return nil, usageError("calibration set needs two points at least: FMR=SIMILARITY FMR=SIMILARITY")
	}
	slices.SortFunc(change.Points, func(a, b *pb.OperatingPoint) int { return cmp.Compare(b.GetFmr(), a.GetFmr()) })
	return change, nil
}

// calibrationChange returns a command that changes the calibration as its arguments say.
func calibrationChange(name, args, short, long string, read func(args []string) (*pb.UpdateCalibrationRequest, error)) command {
	var o calibrationOptions
	return command{
		name: name, args: args, short: short, long: long,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			change, err := read(args)
			if err != nil {
				return err
			}
			if err := o.validate(); err != nil {
				return err
			}
			change.Model = o.model
			resp, err := o.galleries().UpdateCalibration(ctx, change)
			if err != nil {
				return callError(o.server, err)
			}
			return o.print(c, resp, resp.GetCalibration())
		},
	}
}

// sourceTexts say where a calibration comes from.
var sourceTexts = map[pb.CalibrationSource]string{
	pb.CalibrationSource_CALIBRATION_SOURCE_PUBLISHED: "none: the threshold that the model's makers publish, whatever the fpir",
	pb.CalibrationSource_CALIBRATION_SOURCE_MODEL:     "the model",
	pb.CalibrationSource_CALIBRATION_SOURCE_GALLERY:   "the gallery's students",
	pb.CalibrationSource_CALIBRATION_SOURCE_OPERATOR:  "given by a person",
}

func (o *calibrationOptions) print(c console, message proto.Message, cal *pb.Calibration) error {
	if o.output.JSON() {
		return printMessage(c.out, message)
	}
	terminal.Printf(c.out, "model      %s\n", cal.GetModel())
	terminal.Printf(c.out, "source     %s\n", sourceTexts[cal.GetSource()])
	if cal.GetSource() == pb.CalibrationSource_CALIBRATION_SOURCE_GALLERY {
		terminal.Printf(c.out, "made       %s, from %s and %s; %d more left out, of two who are as alike as one person\n", cal.GetMade().AsTime().Local().Format(time.DateTime),
			count(int(cal.GetStudents()), "student"), count(int(cal.GetComparisons()), "comparison"), cal.GetLeftOut())
	}
	frozen := "no"
	if cal.GetFrozen() {
		frozen = "yes: it stays until \"rollcall calibration unfreeze\""
	}
	terminal.Printf(c.out, "frozen     %s\n", frozen)
	terminal.Printf(c.out, "threshold  %.4f  (of a match among all students)\n", cal.GetThreshold())
	var rows [][]string
	for _, p := range cal.GetPoints() {
		rows = append(rows, []string{fmt.Sprint(p.GetFmr()), fmt.Sprintf("%.4f", p.GetSimilarity())})
	}
	if len(rows) == 0 {
		return nil
	}
	return terminal.PrintTable(c.out, []string{"FMR", "SIMILARITY"}, rows)
}
