package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// reportOptions is how a bench prints its results. Its flags are a set of their
// own, so that the report can list what the bench was run with.
type reportOptions struct {
	output string
	flags  *pflag.FlagSet
}

// register adds the flags that define makes, and --output, to set.
func (o *reportOptions) register(set *pflag.FlagSet, define func(*pflag.FlagSet)) {
	o.flags = pflag.NewFlagSet("bench", pflag.ContinueOnError)
	define(o.flags)
	o.flags.StringVar(&o.output, "output", outputTable, "how to print: table or json")
	set.AddFlagSet(o.flags)
}

func (o *reportOptions) validate() error {
	if o.output != outputTable && o.output != outputJSON {
		return fmt.Errorf("--output is %q; it can be %s or %s", o.output, outputTable, outputJSON)
	}
	return nil
}

// A result is what a bench found out. In JSON it is itself, for scripts.
type result interface {
	// tables shows it to people.
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

// print writes the report of a bench that is done.
func (o *reportOptions) print(out io.Writer, name, onnxruntime string, r result) error {
	rep := report{Bench: name, Machine: describeMachine(onnxruntime), Options: make(map[string]string), Result: r}
	var options []string
	o.flags.VisitAll(func(f *pflag.Flag) {
		rep.Options[f.Name] = f.Value.String()
		if f.Value.String() != "" {
			options = append(options, fmt.Sprintf("--%s=%s", f.Name, f.Value))
		}
	})
	if o.output == outputJSON {
		return printJSON(out, rep)
	}
	m := rep.Machine
	text := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(text, "machine\t%s, %d cores (%d used), %s/%s\n", m.CPU, m.Cores, m.GoMaxProcs, m.OS, m.Arch)
	fmt.Fprintf(text, "date\t%s\n", m.Date)
	fmt.Fprintf(text, "versions\t%s\n", strings.Join(versions(m), ", "))
	fmt.Fprintf(text, "command\tbench %s %s\n", name, strings.Join(options, " "))
	for _, t := range r.tables() {
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

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// How figures are shown.

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func (r ratio) String() string {
	return fmt.Sprintf("%.2f %% (%d of %d)", 100*r.Share, r.Count, r.Of)
}

func inMilliseconds(ms float64) string { return fmt.Sprintf("%.2f ms", ms) }

func inMegabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/mib) }
