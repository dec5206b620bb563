// Package terminal shows the results and the progress of commands, to a person or to a program.
// [Output], [PrintJSON] and [PrintTable] are for the flag --output, [Printf] and [Escape] for
// names that come from elsewhere, and [Meter] is for progress.
package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// Output is the flag --output: it says whether a command prints tables, for people, or JSON,
// for programs. The zero value means tables. It is a [pflag.Value].
type Output struct{ json bool }

// AddFlag adds --output to set.
func (o *Output) AddFlag(set *pflag.FlagSet) {
	set.Var(o, "output", "how to print: table or json")
}

// JSON says whether the results are printed as JSON.
func (o *Output) JSON() bool { return o.json }

// Set takes "table" or "json".
func (o *Output) Set(value string) error {
	if value != "table" && value != "json" {
		return fmt.Errorf("it can be table or json")
	}
	o.json = value == "json"
	return nil
}

// String returns what Set takes.
func (o *Output) String() string {
	if o.json {
		return "json"
	}
	return "table"
}

// Type is the name of a value in the help.
func (o *Output) Type() string { return "string" }

// PrintJSON prints a value as indented JSON.
func PrintJSON(out io.Writer, value any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// PrintTable prints rows in aligned columns under a header. Each cell goes through [Escape].
func PrintTable(out io.Writer, header []string, rows [][]string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(header, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Escape(cell)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// Attended says whether a reader or a writer is a terminal, so that a person may be there.
func Attended(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
