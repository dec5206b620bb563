//go:build unix

package embedder

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/models"
)

// crop112 is a JPEG of 112 x 112 pixels with the face of a real crop.
func crop112(b *testing.B) []byte {
	b.Helper()
	whole, err := jpeg.Decode(bytes.NewReader(realFaces(b, 1)[0].crop))
	if err != nil {
		b.Fatal(err)
	}
	cut := image.NewRGBA(image.Rect(0, 0, 112, 112))
	draw.Draw(cut, cut.Bounds(), whole, image.Pt(40, 40), draw.Src)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, cut, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// landmarks112 are given with the request where the benchmark is not about the locator.
var landmarks112 = models.Landmarks{{X: 38, Y: 52}, {X: 73, Y: 51}, {X: 56, Y: 72}, {X: 41, Y: 92}, {X: 70, Y: 92}}

// BenchmarkBareRun is the most that the machine can do with the sessions: as many as cores, each in a
// loop, with nothing between the runs. The first is MobileFaceNet alone, the second runs YuNet too.
func BenchmarkBareRun(b *testing.B) {
	for _, names := range [][]string{{"mobilefacenet-128"}, {"yunet", "mobilefacenet-128"}} {
		b.Run(strings.Join(names, "+"), func(b *testing.B) {
			library := realLibrary(b)
			workers := runtime.GOMAXPROCS(0)
			sessions := make([][]*session, workers)
			for _, name := range names {
				p := barePool(b, library, name, workers)
				for i := range sessions {
					sessions[i] = append(sessions[i], p.all[i])
				}
			}
			concurrently(b, workers, func(i int) error {
				for _, s := range sessions[i] {
					if err := s.run(); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// barePool loads a model outside any embedder.
func barePool(b *testing.B, library *models.Library, name string, n int) *pool {
	b.Helper()
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
	p, err := newPool(plan, n, 1, nil, nil, func(s *session) error { return prove(plan, s) })
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.destroy)
	return p
}

// concurrently runs work b.N times in all, by so many goroutines, and reports the throughput and the
// processor time of the whole process, which other processes on the machine disturb less.
func concurrently(b *testing.B, clients int, work func(client int) error) {
	b.Helper()
	var left atomic.Int64
	var group sync.WaitGroup
	left.Store(int64(b.N))
	b.ReportAllocs()
	before := processorTime(b)
	b.ResetTimer()
	for i := range clients {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := work(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "crops/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/crop")
}

// processorTime is what this process has used, user and system.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkEmbed is the whole way of a 112-pixel JPEG, with 1 and 8 clients; compare with
// BenchmarkBareRun. The metrics named after stages are their means in microseconds.
func BenchmarkEmbed(b *testing.B) {
	crop := crop112(b)
	for _, clients := range []int{1, 8} {
		for _, landmarks := range []*models.Landmarks{&landmarks112, nil} {
			name := "given"
			if landmarks == nil {
				name = "located"
			}
			b.Run(fmt.Sprintf("clients=%d/landmarks=%s", clients, name), func(b *testing.B) {
				var spent [stages]atomic.Int64
				e := overLibrary(b, realLibrary(b), Options{Observe: func(s Stage, d time.Duration) { spent[s].Add(int64(d)) }})
				req := Request{Image: crop, Landmarks: landmarks}
				if r := embed(b, e, req); r.Embedding == nil {
					b.Fatal("no embedding:", r.Quality.Reasons)
				}
				for s := range spent {
					spent[s].Store(0)
				}
				concurrently(b, clients, func(int) error {
					_, err := e.Embed(b.Context(), req)
					return err
				})
				for s := range spent {
					b.ReportMetric(float64(spent[s].Load())/1e3/float64(b.N), Stage(s).String()+"-us")
				}
			})
		}
	}
}

// BenchmarkBatch asks whether running several crops at once pays on a processor: MobileFaceNet with its
// batch dimension rewritten, one thread. Compare us/crop.
func BenchmarkBatch(b *testing.B) {
	library := realLibrary(b)
	m, err := library.Model("mobilefacenet-128")
	if err != nil {
		b.Fatal(err)
	}
	onnx, err := m.Read()
	if err != nil {
		b.Fatal(err)
	}
	for _, batch := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			plan, err := newBlueprint(m.Contract, onnx)
			if err != nil {
				b.Fatal(err)
			}
			plan.input.dims[0] = int64(batch)
			plan.outputs[0].dims[1] *= int64(batch) // the file's last Reshape makes one row of all
			if plan.onnx, err = reshape(onnx, plan.input.name, plan.input.dims); err != nil {
				b.Fatal(err)
			}
			s, err := openSession(plan)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				if err := s.Run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "us/crop")
		})
	}
}
