// Package terminal is how commands show their results and how far they are, to a person or
// to a program: the flag --output with [Output], [PrintJSON] and [PrintTable], [Printf] and
// [Escape] for names that come from elsewhere, and [Meter].
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

// Output is the flag --output: whether a command prints its results as tables, for people,
// or as JSON, for programs. The zero value is as tables. It is a [pflag.Value], which takes
// nothing else than these two.
type Output struct{ json bool }

// AddFlag adds --output to set.
func (o *Output) AddFlag(set *pflag.FlagSet) {
	set.Var(o, "output", "how to print: table or json")
}

// JSON says that the results are printed as JSON.
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

// Type is what help calls a value.
func (o *Output) Type() string { return "string" }

// PrintJSON prints a value as indented JSON.
func PrintJSON(out io.Writer, value any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// PrintTable prints rows under a header in aligned columns, each cell as [Escape] returns it.
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

// Attended says whether a reader or a writer is a terminal, where a person is.
func Attended(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
