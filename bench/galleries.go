package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/gallery"
	"rollcall/storage"
)

// galleriesOptions are the flags of "bench galleries".
type galleriesOptions struct {
	galleries, students, dimension, rounds int

	data string
	seed uint64
}

func galleriesBench() Bench {
	return newBench("galleries", "how a server with many galleries starts, and what a gallery takes in memory",
		`Fills many galleries with students of one crop each, whose vectors are random, and as many
galleries with nobody. Then it opens the store and the list of galleries as a server does when
it starts, and loads the default gallery. It measures the first use of each other gallery, what
all of them take in memory (Go's heap and stacks), and how long it takes to delete one. The
start is that of a server which has just ended: the folder is in the system's cache. It needs
no model.`,
		new(galleriesOptions))
}

func (o *galleriesOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.galleries, "galleries", 1000, "galleries with students, and as many without")
	set.IntVar(&o.students, "students", 100, "students in each gallery that has some")
	set.IntVar(&o.dimension, "dimension", 128, "components of a vector")
	set.IntVar(&o.rounds, "rounds", 5, "starts of each kind")
	set.StringVar(&o.data, "data", "", "folder on the disk to measure, where a store is made and removed; empty: the system's folder for temporary files")
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
}

func (o *galleriesOptions) validate() error {
	if o.galleries < 1 || o.students < 1 || o.dimension < 1 || o.rounds < 1 {
		return errors.New("--galleries, --students, --dimension and --rounds must be more than 0")
	}
	return nil
}

func (o *galleriesOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	var res galleriesResult
	res.Students, res.Dimension = o.students, o.dimension
	for _, students := range []int{o.students, 0} {
		r := galleriesRun{options: o, students: students}
		row, err := r.measure(ctx, progress)
		if err != nil {
			return nil, err
		}
		res.Rows = append(res.Rows, row)
	}
	return res, nil
}

// A galleriesRun measures galleries that have all the same number of students.
type galleriesRun struct {
	options   *galleriesOptions
	students  int
	dir       string
	store     *storage.Store
	galleries *gallery.Galleries
}

func schoolID(i int) string { return fmt.Sprintf("school-%d", i) }

func (r *galleriesRun) measure(ctx context.Context, progress io.Writer) (row galleriesRow, err error) {
	if r.dir, err = os.MkdirTemp(r.options.data, "rollcall-bench-data-"); err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, r.close(), os.RemoveAll(r.dir)) }()
	if err := r.open(ctx); err != nil {
		return row, err
	}
	if err := r.fill(ctx, progress); err != nil {
		return row, err
	}
	row = galleriesRow{Galleries: r.options.galleries, Students: r.students}
	var starts, uses, all []time.Duration
	var bytes []int64
	for range r.options.rounds {
		if err := r.close(); err != nil {
			return row, err
		}
		start := time.Now()
		if err := r.open(ctx); err != nil {
			return row, err
		}
		starts = append(starts, time.Since(start))
		before := memoryBytes()
		start = time.Now()
		for i := range r.options.galleries {
			used := time.Now()
			if err := r.use(ctx, i, func(g *gallery.Gallery) error { return r.expect(g) }); err != nil {
				return row, err
			}
			uses = append(uses, time.Since(used))
		}
		all = append(all, time.Since(start))
		bytes = append(bytes, (memoryBytes()-before)/int64(r.options.galleries))
	}
	row.Start, row.All, row.Bytes = milliseconds(median(starts)), milliseconds(median(all)), median(bytes)
	row.Use = summarise(uses)
	row.Delete, err = r.delete(ctx)
	return row, err
}

// open starts as a server does.
func (r *galleriesRun) open(ctx context.Context) (err error) {
	if r.store, err = storage.Open(r.dir, storage.Options{}); err != nil {
		return err
	}
	model := gallery.Model{Name: "bench", Digest: strings.Repeat("0", 64), Recipe: "bench", Dimension: r.options.dimension, Threshold: benchThreshold}
	if r.galleries, err = gallery.OpenGalleries(ctx, r.store, gallery.Options{Models: only(model)}, 0); err != nil {
		return err
	}
	if _, err := r.galleries.Overview(ctx); err != nil { // the server prints it
		return err
	}
	_, release, err := r.galleries.Use(ctx, gallery.DefaultGallery)
	if err == nil {
		release()
	}
	return err
}

// close closes what is open.
func (r *galleriesRun) close() error {
	var errs []error
	if r.galleries != nil {
		errs = append(errs, r.galleries.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	r.galleries, r.store = nil, nil
	return errors.Join(errs...)
}

// use does something with a gallery.
func (r *galleriesRun) use(ctx context.Context, i int, do func(*gallery.Gallery) error) error {
	g, release, err := r.galleries.Use(ctx, schoolID(i))
	if err != nil {
		return err
	}
	defer release()
	return do(g)
}

// fill makes the galleries, and enrols the students of several at once.
func (r *galleriesRun) fill(ctx context.Context, progress io.Writer) error {
	m := terminal.NewMeter(progress, fmt.Sprintf("making galleries of %d students", r.students), "galleries")
	defer m.End()
	const galleriesAtOnce = 32
	_, err := together(galleriesAtOnce, r.options.galleries, func(i int) error {
		defer m.Add(r.options.galleries)
		if err := r.galleries.Create(ctx, schoolID(i)); err != nil {
			return err
		}
		return r.use(ctx, i, func(g *gallery.Gallery) error { return r.enrol(ctx, g, uint64(i)) })
	})
	return err
}

// enrol enrols the students of one gallery, all at once.
func (r *galleriesRun) enrol(ctx context.Context, g *gallery.Gallery, n uint64) error {
	rng := rand.New(rand.NewPCG(r.options.seed, n))
	vectors := make([][]float32, r.students)
	for i := range vectors {
		vectors[i] = unit(rng, r.options.dimension)
	}
	_, err := together(max(r.students, 1), r.students, func(i int) error {
		_, err := g.Enroll(ctx, gallery.Enrolment{
			CropID: cropID(i), StudentID: studentID(i), Groups: []string{className(i)}, AllowDuplicate: true, AllowUnlike: true,
			Embedding: gallery.Embedding{Model: "bench", Digest: strings.Repeat("0", 64), Recipe: "bench", Vector: vectors[i]},
		})
		return err
	})
	return err
}

// expect fails unless the gallery has its students.
func (r *galleriesRun) expect(g *gallery.Gallery) error {
	if got := g.Stats().Students; got != r.students {
		return fmt.Errorf("a gallery has %d students, and not %d", got, r.students)
	}
	return nil
}

// mostDeletions is enough for a median.
const mostDeletions = 100

func (r *galleriesRun) delete(ctx context.Context) (latency, error) {
	times, err := together(1, min(r.options.galleries, mostDeletions), func(i int) error {
		return r.galleries.Delete(ctx, schoolID(i))
	})
	return summarise(times), err
}

// memoryBytes is how much of Go's memory is in use, with the stacks of goroutines.
func memoryBytes() int64 {
	heap := heapBytes()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return heap + int64(stats.StackInuse)
}

// galleriesResult is what "bench galleries" prints.
type galleriesResult struct {
	Students  int            `json:"students"`
	Dimension int            `json:"dimension"`
	Rows      []galleriesRow `json:"rows"`
}

// galleriesRow is about galleries of one size. Times are in milliseconds.
type galleriesRow struct {
	Galleries int     `json:"galleries"`
	Students  int     `json:"students"` // in each
	Start     float64 `json:"start_ms"` // of the server, with the default gallery, which is empty
	Use       latency `json:"first_use"`
	All       float64 `json:"first_use_of_all_ms"`
	Bytes     int64   `json:"bytes"` // of memory, for each gallery
	Delete    latency `json:"delete"`
}

func (r galleriesResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("galleries of %d-D", r.Dimension),
		header: []string{"galleries", "students in each", "start", "first use", "p99", "of all", "memory of each", "delete one", "p99"},
	}
	for _, row := range r.Rows {
		t.row(fmt.Sprint(row.Galleries), fmt.Sprint(row.Students), fmt.Sprintf("%.0f ms", row.Start),
			fmt.Sprintf("%.2f ms", row.Use.Median), fmt.Sprintf("%.2f ms", row.Use.P99), fmt.Sprintf("%.0f ms", row.All),
			fmt.Sprintf("%.1f KiB", float64(row.Bytes)/1024), fmt.Sprintf("%.2f ms", row.Delete.Median), fmt.Sprintf("%.2f ms", row.Delete.P99))
	}
	return []table{t}
}
