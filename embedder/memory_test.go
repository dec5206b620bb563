package embedder

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/models"
)

// residentMiB is the resident memory of this process, or the benchmark is skipped.
func residentMiB(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory() // what is left is live, or ONNX Runtime's
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skipf("the resident memory is read from /proc: %v", err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	kib, err := strconv.ParseFloat(number, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// BenchmarkReload loads and unloads MobileFaceNet and reports the resident memory before and after all
// cycles: run it with -benchtime=400x to see whether unloading gives back what loading took.
func BenchmarkReload(b *testing.B) {
	e := overLibrary(b, realLibrary(b), Options{})
	cycle := func() {
		m, err := e.registry.acquire(b.Context(), models.Embedder, "mobilefacenet-128")
		if err != nil {
			b.Fatal(err)
		}
		e.registry.release(m)
		e.registry.unloadIdle(time.Now().Add(time.Hour))
		e.registry.background.Wait()
	}
	for range 5 {
		cycle() // the first ones grow to the working size
	}
	before := residentMiB(b)
	for b.Loop() {
		cycle()
	}
	b.ReportMetric(before, "MiB-before")
	b.ReportMetric(residentMiB(b), "MiB-after")
}

// BenchmarkModelMemory reports what a model with 2 sessions adds to the resident memory, and what modelBytes
// says that it does.
func BenchmarkModelMemory(b *testing.B) {
	for _, name := range []string{"mobilefacenet-128", "yunet"} {
		b.Run(name, func(b *testing.B) {
			const sessions, threads = 2, 2
			library := realLibrary(b)
			m, err := library.Model(name)
			if err != nil {
				b.Fatal(err)
			}
			onnx, err := m.Read()
			if err != nil {
				b.Fatal(err)
			}
			plan, err := newBlueprint(m.Contract, onnx)
			if err != nil {
				b.Fatal(err)
			}
			trim()
			before := residentMiB(b)
			var all []*pool
			for range b.N {
				p, err := newPool(plan, sessions, threads, nil, nil, func(s *session) error { return prove(plan, s) })
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, p)
				var group sync.WaitGroup
				for _, s := range p.all { // at once: each run needs memory of its own
					group.Go(func() {
						if err := p.network.run(s.tensors, narrowRun); err != nil {
							b.Error(err)
						}
					})
				}
				group.Wait()
			}
			b.ReportMetric((residentMiB(b)-before)/float64(b.N), "MiB")
			b.ReportMetric(float64(modelBytes(plan, sessions, threads))/(1<<20), "MiB-estimate")
			for _, p := range all {
				p.destroy()
			}
			trim()
		})
	}
}
