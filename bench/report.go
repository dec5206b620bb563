package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
)

// A result is what a bench found out. In JSON it is itself, for scripts.
type result interface {
	// tables shows it to people. A result without tables is printed as JSON, and
	// nothing else.
	tables() []table
}

// A table is rows under a title.
type table struct {
	title  string
	header []string
	rows   [][]string
	notes  []string // lines under it
}

// row adds a row: what it is about, and its values.
func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// report is everything that a bench prints.
type report struct {
	Bench   string            `json:"bench"`
	Machine machine           `json:"machine"`
	Options map[string]string `json:"options"`
	Result  result            `json:"result"`
}

// printReport writes the report of a bench that is done.
func printReport(out io.Writer, name string, flags *pflag.FlagSet, asJSON bool, r result) error {
	tables := r.tables()
	if tables == nil {
		return terminal.PrintJSON(out, r)
	}
	rep := report{Bench: name, Machine: describeMachine(), Options: make(map[string]string), Result: r}
	var options []string
	flags.VisitAll(func(f *pflag.Flag) {
		rep.Options[f.Name] = f.Value.String()
		if f.Value.String() != "" {
			options = append(options, fmt.Sprintf("--%s=%s", f.Name, f.Value))
		}
	})
	if asJSON {
		return terminal.PrintJSON(out, rep)
	}
	m := rep.Machine
	text := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(text, "machine\t%s, %d cores (%d used), %s/%s\n", m.CPU, m.Cores, m.GoMaxProcs, m.OS, m.Arch)
	fmt.Fprintf(text, "date\t%s\n", m.Date)
	fmt.Fprintf(text, "versions\t%s\n", strings.Join(versions(m), ", "))
	command := "bench " + name
	if name == evalName {
		command = name + " DIR"
	}
	fmt.Fprintf(text, "command\t%s %s\n", command, strings.Join(options, " "))
	for _, t := range tables {
		t.print(text)
	}
	return text.Flush()
}

func versions(m machine) []string {
	list := []string{m.Go}
	if m.OnnxRuntime != "" {
		list = append(list, "ONNX Runtime "+m.OnnxRuntime)
	}
	if m.Revision != "" {
		list = append(list, "revision "+m.Revision)
	}
	return list
}

// print writes a table. Errors of writing show when text is flushed.
func (t table) print(text *tabwriter.Writer) {
	fmt.Fprintf(text, "\n%s\n", t.title)
	if t.header != nil {
		fmt.Fprintf(text, "  %s\n", strings.Join(t.header, "\t"))
	}
	for _, row := range t.rows {
		fmt.Fprintf(text, "  %s\n", strings.Join(row, "\t"))
	}
	for _, note := range t.notes {
		fmt.Fprintf(text, "  %s\n", note)
	}
}

// How figures are shown.

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func (r ratio) String() string {
	return fmt.Sprintf("%.2f %% (%d of %d)", 100*r.Share, r.Count, r.Of)
}

func inMilliseconds(ms float64) string { return fmt.Sprintf("%.2f ms", ms) }

func inMegabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/mib) }
