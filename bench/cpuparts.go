package bench

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Parts of the work on a crop, in the order in which they are looked for.
const (
	partClient = "the client"
	partRun    = "the models' runs"
	partOther  = "Go's scheduler, timers and rest"
)

// cpuParts say by the functions under way to which part work belongs: the first part counts that has
// one of them. A name that ends with a dot or a slash stands for all functions that begin so.
var cpuParts = []struct {
	name      string
	functions []string
}{
	{partRun, []string{"github.com/yalue/onnxruntime_go.", "runtime._ExternalCode"}},
	{"decode the JPEG", []string{"rollcall/embedder/picture.Decode"}},
	{"measure brightness and sharpness", []string{"rollcall/embedder.assess"}},
	{"locate, without its runs", []string{"rollcall/embedder.find", "rollcall/embedder.confirmGiven"}},
	{"align", []string{"rollcall/embedder/align."}},
	{"rest of the embedder", []string{"rollcall/embedder."}},
	{"the journal", []string{"rollcall/access/journal.", "rollcall/rpc.identifyLine", "rollcall/rpc.seatLine", "rollcall/rpc.(*api).noteVerdict"}},
	{"gallery and storage", []string{"rollcall/gallery.", "rollcall/storage.", "rollcall/index.", "github.com/cockroachdb/"}},
	{"check the rules of the .proto", []string{"rollcall/rpc.validate"}},
	{"read the message", []string{"rollcall/rpc.codec.Unmarshal"}},
	{"write the message", []string{"rollcall/rpc.codec.Marshal"}},
	{"log and metrics", []string{"rollcall/rpc.(*Server).finish", "rollcall/rpc.(*Metrics).", "log/slog."}},
	{"rpc and Connect", []string{"rollcall/rpc.", "connectrpc.com/connect."}},
	{"net/http", []string{"net/http.", "net."}},
	{"collect Go's garbage", []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.gcAssistAlloc"}},
}

// partOf returns the part of a sample.
func partOf(s *profile.Sample) string {
	if s.HasLabel(clientLabel, "yes") {
		return partClient
	}
	for _, part := range cpuParts {
		for _, location := range s.Location {
			for _, line := range location.Line {
				if line.Function != nil && oneOf(line.Function.Name, part.functions) {
					return part.name
				}
			}
		}
	}
	return partOther
}

func oneOf(name string, functions []string) bool {
	for _, f := range functions {
		if name == f || strings.HasSuffix(f, ".") && strings.HasPrefix(name, f) || strings.HasPrefix(name, f+".func") {
			return true
		}
		if strings.HasSuffix(f, "/") && strings.HasPrefix(name, f) {
			return true
		}
	}
	return false
}

// cpuResult is what "bench cpu" prints.
type cpuResult struct {
	Model modelFacts `json:"model"`
	Crops int        `json:"distinct_crops"`
	Bytes int        `json:"mean_bytes"`
	Calls int        `json:"calls"` // of each kind
	Kinds []cpuCost  `json:"kinds"`
}

// cpuCost is what one call of a kind costs, in milliseconds of one core.
type cpuCost struct {
	Kind    string             `json:"kind"`
	Samples int64              `json:"samples"` // of the profiler, without those of the client
	Outside float64            `json:"outside_runs_ms"`
	Parts   map[string]float64 `json:"parts_ms"` // without the client
}

// cost divides the time that the processor worked by the shares of the samples.
func (k *kindOfCall) cost(calls int) cpuCost {
	c := cpuCost{Kind: k.name, Parts: make(map[string]float64)}
	var all int64
	for _, n := range k.samples {
		all += n
	}
	for part, n := range k.samples {
		if part == partClient {
			continue
		}
		c.Samples += n
		c.Parts[part] = milliseconds(k.cpu) / float64(calls) * float64(n) / float64(all)
		if part != partRun {
			c.Outside += c.Parts[part]
		}
	}
	return c
}

func (r cpuResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("milliseconds of one core for a call, %d calls of each kind, %d crops of %d bytes: %s", r.Calls, r.Crops, r.Bytes, r.Model),
		header: []string{"part"},
	}
	names := []string{partRun}
	for _, part := range cpuParts[1:] {
		names = append(names, part.name)
	}
	rows := make([][]string, len(names)+2)
	names = append(names, partOther)
	for _, k := range r.Kinds {
		t.header = append(t.header, k.Kind)
		for i, name := range names {
			rows[i] = append(rows[i], fmt.Sprintf("%.3f", k.Parts[name]))
		}
		rows[len(names)] = append(rows[len(names)], fmt.Sprintf("%.3f", k.Outside))
		t.notes = append(t.notes, fmt.Sprintf("%s: %d samples, one of which stands for %s a call", k.Kind, k.Samples,
			time.Duration(1e6*(k.Outside+k.Parts[partRun])/float64(max(k.Samples, 1))).Round(time.Microsecond/10)))
	}
	for i, name := range append(names, "all outside of the models' runs") {
		t.row(append([]string{name}, rows[i]...)...)
	}
	return []table{t}
}
