package gallery

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/storage"
)

// large is a model of a large dimension.
var large = Model{Name: "large", Digest: "ee55", Dimension: 512, Recipe: "large, eyes, 1", Threshold: 0.5}

// school returns a gallery of students with five crops each, in classes of 30 and in
// the group "everybody".
func school(b *testing.B, m Model, students int) *Gallery {
	b.Helper()
	store := storage.OpenMemory(storage.Faults{})
	partition, err := store.Partition(DefaultGallery)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	seq := uint64(0)
	commit := func(records []storage.Record) {
		change := storage.Change{Time: time.Now(), Cause: "benchmark"}
		for _, r := range records {
			change.Writes = append(change.Writes, storage.Write{Ref: r.Ref(), Put: r})
		}
		if err := partition.Commit(ctx, seq, []storage.Change{change}); err != nil {
			b.Fatal(err)
		}
		seq++
	}
	commit([]storage.Record{
		storage.Settings{Model: m.Name, FPIR: DefaultFPIR, Margin: DefaultMargin, KeepVerdicts: DefaultKeepVerdicts, KeepChanges: DefaultKeepChanges},
		storage.Model{Name: m.Name, Digest: m.Digest, Dimension: m.Dimension, Recipe: m.Recipe},
	})
	var records []storage.Record
	for i := range students {
		id := fmt.Sprint("student-", i)
		records = append(records, storage.Student{ID: id, Groups: []string{fmt.Sprint("class-", i/30), "everybody"}})
		for j := range 5 {
			crop := fmt.Sprint(id, "-", j)
			records = append(records, storage.Crop{ID: crop, StudentID: id},
				storage.Embedding{CropID: crop, Model: m.Name, Digest: m.Digest, Recipe: m.Recipe, Vector: face(rng, i, m.Dimension, 0.8)})
		}
		if i%1000 == 999 || i == students-1 {
			commit(records)
			records = nil
		}
	}
	return openOn(b, store, Options{Models: catalogue(wide, large)})
}

func BenchmarkIdentify(b *testing.B) {
	g := school(b, wide, 1000)
	rng := rand.New(rand.NewPCG(2, 2))
	probes := make([][]float32, 64)
	for i := range probes {
		probes[i] = face(rng, i*15, wide.Dimension, 0.8)
	}
	var list []string
	for i := range 30 {
		list = append(list, fmt.Sprint("student-", i*7))
	}
	for _, bc := range []struct {
		name  string
		scope func(i int) Scope
	}{
		{"class", func(i int) Scope { return Scope{Groups: []string{fmt.Sprint("class-", i%64*15/30)}} }},
		{"list", func(int) Scope { return Scope{StudentIDs: list} }},
		{"everybody", func(int) Scope { return Scope{} }},
		{"a group of everybody", func(int) Scope { return Scope{Groups: []string{"everybody"}} }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				if _, err := g.Identify(ctx, Probe{Embedding: made(wide, probes[i%64]), Scope: bc.scope(i)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRollCall(b *testing.B) {
	g := school(b, wide, 1000)
	rng := rand.New(rand.NewPCG(2, 2))
	var probes []Embedding
	for i := range 28 {
		probes = append(probes, made(wide, face(rng, i, wide.Dimension, 0.8)))
	}
	for b.Loop() {
		if _, err := g.RollCall(ctx, wide.Name, probes, Scope{Groups: []string{"class-0"}}, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEnroll is on the disk of the system's temporary folder: it measures
// the sync, too. "rollcall bench gallery" counts how many writers share one.
func BenchmarkEnroll(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			store, err := storage.Open(b.TempDir(), storage.Options{MinFreeBytes: -1})
			if err != nil {
				b.Fatal(err)
			}
			g := openOn(b, store, Options{})
			var next atomic.Int64
			b.SetParallelism(writers) // times GOMAXPROCS; a few more do not matter
			b.ResetTimer()
			enrol := func() {
				n := int(next.Add(1))
				rng := rand.New(rand.NewPCG(uint64(n), 1))
				if _, err := g.Enroll(ctx, Enrolment{CropID: fmt.Sprint(n), StudentID: fmt.Sprint(n / 5), Embedding: made(wide, face(rng, n/5, wide.Dimension, 0.8))}); err != nil {
					b.Error(err)
				}
			}
			if writers == 1 {
				for b.Loop() {
					enrol()
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						enrol()
					}
				})
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	g := school(b, wide, 2000)
	for b.Loop() {
		again, err := Open(ctx, g.writer.partition, Options{Models: catalogue(wide)})
		if err != nil {
			b.Fatal(err)
		}
		if err := again.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(10000*float64(b.N)/b.Elapsed().Seconds(), "crops/s")
}

func BenchmarkCheckConsistency(b *testing.B) {
	g := school(b, wide, 2000)
	for b.Loop() {
		if r, err := g.CheckConsistency(ctx); err != nil || r.Total != 0 {
			b.Fatal(r, err)
		}
	}
}

// BenchmarkSize is what may not grow faster than the work that is asked for, in
// galleries of two sizes: -bench 'Size/crops=5000' leaves the large one out.
func BenchmarkSize(b *testing.B) {
	for _, students := range []int{1000, 20_000} {
		b.Run(fmt.Sprint("crops=", 5*students), func(b *testing.B) {
			g := school(b, large, students)
			b.Run("ScopeOfEverybody", func(b *testing.B) { benchmarkScopeOfEverybody(b, g) })
			b.Run("RollCallOfEverybody", func(b *testing.B) { benchmarkRollCallOfEverybody(b, g) })
			b.Run("ListStudents", func(b *testing.B) { benchmarkListStudents(b, g) })
			b.Run("ReplaceCrop", func(b *testing.B) { benchmarkReplaceCrop(b, g) })
			b.Run("DeleteCrop", func(b *testing.B) { benchmarkDeleteCrop(b, g) })
		})
	}
}

func benchmarkScopeOfEverybody(b *testing.B, g *Gallery) {
	p := Probe{Embedding: made(large, face(rand.New(rand.NewPCG(2, 2)), 15, large.Dimension, 0.8)), Scope: Scope{Groups: []string{"everybody"}}}
	for b.Loop() {
		if _, err := g.Identify(ctx, p); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRollCallOfEverybody(b *testing.B, g *Gallery) {
	rng := rand.New(rand.NewPCG(2, 2))
	var probes []Embedding
	for i := range 30 {
		probes = append(probes, made(large, face(rng, i, large.Dimension, 0.8)))
	}
	for b.Loop() {
		if _, err := g.RollCall(ctx, large.Name, probes, Scope{Groups: []string{"everybody"}}, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkListStudents(b *testing.B, g *Gallery) {
	b.ReportAllocs()
	for b.Loop() {
		if page, _, _, err := g.Students(ctx, "student-5", 0, "everybody"); err != nil || len(page) != DefaultPage {
			b.Fatal(len(page), err)
		}
	}
}

// benchmarkReplaceCrop leaves the duplicate check out, which is a search.
func benchmarkReplaceCrop(b *testing.B, g *Gallery) {
	rng := rand.New(rand.NewPCG(3, 3))
	for b.Loop() {
		e := Enrolment{CropID: "student-7-0", StudentID: "student-7", Embedding: made(large, face(rng, 7, large.Dimension, 0.8)), AllowDuplicate: true}
		if _, err := g.Enroll(ctx, e); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkDeleteCrop puts the crop back each time, which is not measured.
func benchmarkDeleteCrop(b *testing.B, g *Gallery) {
	e := Enrolment{CropID: "student-7-0", StudentID: "student-7", AllowDuplicate: true,
		Embedding: made(large, face(rand.New(rand.NewPCG(3, 3)), 7, large.Dimension, 0.8))}
	for b.Loop() {
		b.StopTimer()
		mustEnroll(b, g, e)
		b.StartTimer()
		if err := g.DeleteCrop(ctx, e.CropID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLargeStudent is one student of many crops among many students: what it
// costs, by the crop, must not depend on their number.
func BenchmarkLargeStudent(b *testing.B) {
	for _, crops := range []int{1000, 10_000} {
		rng := rand.New(rand.NewPCG(4, 4))
		g := openGallery(b, Options{})
		fill := func(student int, crops int) {
			for i := range crops {
				mustEnroll(b, g, Enrolment{CropID: fmt.Sprint(student, "-", i), StudentID: fmt.Sprint(student), AllowDuplicate: true,
					Embedding: made(small, face(rng, student, small.Dimension, 0.3))})
			}
		}
		for student := range 1000 {
			fill(student, 1)
		}
		perCrop := func(name string, call func() error) {
			b.Run(fmt.Sprintf("%s/crops=%d", name, crops), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					fill(0, crops)
					b.StartTimer()
					if err := call(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*crops), "ns/crop")
			})
		}
		probe := Probe{Embedding: made(small, face(rng, 0, small.Dimension, 0.3))}
		perCrop("Identify", func() error { _, err := g.Identify(ctx, probe); return err })
		perCrop("Student", func() error { _, err := g.Student(ctx, "0"); return err })
		perCrop("DeleteStudent", func() error { _, err := g.DeleteStudent(ctx, "0"); return err })
	}
}

// BenchmarkLookalikes compares 20,000 students of five crops each with one another: all pages.
func BenchmarkLookalikes(b *testing.B) {
	g := school(b, wide, 20_000)
	for b.Loop() {
		pages, pairs := 0, 0
		for from := new(LookalikePage); from != nil; pages++ {
			page, err := g.Lookalikes(ctx, *from, MaxPage)
			if err != nil {
				b.Fatal(err)
			}
			pairs += len(page.Pairs)
			from = page.Next
		}
		b.ReportMetric(float64(pages), "pages")
		b.ReportMetric(float64(pairs), "pairs")
	}
}
