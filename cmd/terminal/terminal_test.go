package terminal

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/pflag"
)

func TestOutputIsOneOfTwo(t *testing.T) {
	var o Output
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlag(set)
	if o.JSON() || o.String() != "table" {
		t.Errorf("without the flag it is %v", &o)
	}
	for _, value := range []string{"json", "table"} {
		if err := set.Set("output", value); err != nil || o.String() != value || o.JSON() != (value == "json") {
			t.Errorf("--output=%s is %v, error %v", value, &o, err)
		}
	}
	for _, value := range []string{"", "xml", "JSON"} {
		if err := set.Set("output", value); err == nil || !strings.Contains(err.Error(), "table or json") || !strings.Contains(err.Error(), "--output") {
			t.Errorf("--output=%q: %v", value, err)
		}
	}
}

// TestMeterOffATerminal: a line at the start and one at the end, from many goroutines.
func TestMeterOffATerminal(t *testing.T) {
	var out bytes.Buffer
	m := NewMeter(&out, "enrolling", "crops")
	m.End()
	if out.Len() > 0 {
		t.Errorf("without a step it says %q", out.String())
	}
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() { m.Add(100) })
	}
	group.Wait()
	m.End()
	m.End()
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || lines[0] != "enrolling …" || !strings.HasPrefix(lines[1], "enrolling: 100 in ") {
		t.Errorf("it says %q", lines)
	}
}

func TestMeterNamesItsStages(t *testing.T) {
	var out bytes.Buffer
	m := NewMeter(&out, "installing", Bytes)
	m.Name("downloading", 0, 0)
	m.Name("downloading", 1e6, 2e6)
	m.Name("unpacking", 2_500_000, 0)
	m.End()
	if said := out.String(); !strings.HasPrefix(said, "downloading …\nunpacking …\nunpacking: 2.5 MB in ") {
		t.Errorf("it says %q", said)
	}
}
