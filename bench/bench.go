// Package bench is "rollcall bench": the commands that print every figure that
// Rollcall claims about itself, so that anybody can check them on their machine.
//
// [All] lists them. Each is a file with its options, named for it: accuracy.go,
// conditions.go, locator.go, detect.go, embed.go, load.go, sessions.go, gallery.go,
// index.go. They share the crops (faces.go, drawing.go, crops.go), the models
// (models.go) and the printing (report.go).
//
// The machines that this runs on are shared and noisy. So whatever is compared is
// measured in turns, round by round, and what is printed are medians and
// percentiles of all rounds.
package bench

import (
	"context"
	"io"

	"github.com/spf13/pflag"
)

// A Bench is one measurement. Flags is called once, then Run once.
type Bench struct {
	Name  string // as on the command line
	Short string // one line for a list
	Long  string // for its help
	// Flags registers the options, which Run reads.
	Flags func(*pflag.FlagSet)
	// Run measures until it is done or ctx ends. It writes results to out and
	// what it is doing, for people who wait, to progress. Errors are meant for
	// who typed the command: they say what to do, and may name files.
	Run func(ctx context.Context, out, progress io.Writer) error
}

// All returns the benches. Each call returns new ones, with options of their own.
func All() []Bench {
	return []Bench{accuracyBench(), conditionsBench(), locatorBench(), detectBench(), embedBench(), loadBench(), sessionsBench(), galleryBench(), indexBench()}
}
