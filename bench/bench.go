// Package bench is "rollcall bench": the commands that print every figure that
// Rollcall claims about itself, so that anybody can check them on their machine.
//
// [All] lists them, and [Eval] is the one for operators. Each is a file with its options,
// named for it: eval.go, against.go, selfcalibration.go, conditions.go, duplicates.go, locator.go,
// detect.go, rollcall.go, burst.go, embed.go, network.go, cpu.go, load.go, overload.go, soak.go, memory.go,
// sessions.go, gallery.go, galleries.go, crash.go, index.go. They share the crops (faces.go, drawing.go, crops.go), the models
// (models.go) and the printing (report.go). newBench makes a command of each.
//
// The machines that this runs on are shared and noisy. So whatever is compared is
// measured in turns, round by round. Medians and percentiles of all rounds are
// printed.
package bench

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/gallery"
)

// A Bench is one measurement. Flags is called once, then Validate, then Run once.
type Bench struct {
	Name  string // as on the command line
	Short string // one line for a list
	Long  string // for its help
	// Folder is set to the one argument of the command before Validate; nil: it takes none.
	Folder *string
	// Flags registers the options, which Run reads.
	Flags func(*pflag.FlagSet)
	// Validate says which option cannot be as it is, and what it may be. It opens nothing.
	Validate func() error
	// Run measures until it is done or ctx ends. It writes results to out and
	// what it is doing, for people who wait, to progress. Errors are meant for the
	// person who typed the command: they say what to do, and may name files.
	Run func(ctx context.Context, out, progress io.Writer) error
}

// A measurement is the options of a bench and what it does with them.
type measurement interface {
	addFlags(set *pflag.FlagSet)
	// validate is the bench's Validate.
	validate() error
	// measure returns what it found out. Where it found something wrong, it returns
	// the result and an error.
	measure(ctx context.Context, progress io.Writer) (result, error)
}

// newBench returns the bench of a measurement. Its flags are a set of their own, so that
// the report can list what the bench was run with.
func newBench(name, short, long string, m measurement) Bench {
	var output terminal.Output
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	return Bench{
		Name: name, Short: short, Long: long,
		Flags: func(set *pflag.FlagSet) {
			m.addFlags(flags)
			output.AddFlag(flags)
			set.AddFlagSet(flags)
		},
		Validate: m.validate,
		Run: func(ctx context.Context, out, progress io.Writer) error {
			found, err := m.measure(ctx, progress)
			if found == nil {
				return err
			}
			return errors.Join(printReport(out, name, flags, output.JSON(), found), err)
		},
	}
}

// Eval returns "rollcall eval": the measurement that operators make with faces of their own.
func Eval() Bench {
	o := &evalOptions{rosterOptions: rosterOptions{settings: settingsAt(gallery.DefaultFPIR)}}
	b := newBench(evalName, "measure how well the people of a folder are told apart, with a report", evalHelp, o)
	b.Folder = &o.faces.folder
	return b
}

// All returns the other benches. Each call returns new ones, with options of their own.
func All() []Bench {
	return []Bench{againstBench(), calibrationBench(), conditionsBench(), duplicatesBench(), qualityBench(), unlikeBench(), locatorBench(), detectBench(), rollcallBench(), burstBench(), embedBench(), networkBench(), cpuBench(), loadBench(), overloadBench(), soakBench(), memoryBench(), sessionsBench(), galleryBench(), galleriesBench(), crashBench(), indexBench()}
}
