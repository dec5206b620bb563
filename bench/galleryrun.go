package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/cmd/terminal"
	"rollcall/gallery"
	"rollcall/storage"
)

// A galleryRun is one run of "bench gallery". Crops and students are known by
// their numbers.
type galleryRun struct {
	options *galleryOptions
	dir     string           // of the store
	key     *storage.SealKey // that the folder is sealed with; nil: it is not
	model   gallery.Model
	disk    diskUse
	store   *storage.Store   // nil while it is closed
	gallery *gallery.Gallery // nil while it is closed
	vectors [][]float32      // by crop
	heap    []int64          // bytes that the gallery takes of Go's memory, by start
	index   int64            // bytes that its index says it takes, after the last start
}

func newGalleryRun(o *galleryOptions, dir string, key *storage.SealKey) *galleryRun {
	return &galleryRun{options: o, dir: dir, key: key, model: gallery.Model{
		Name: "bench", Digest: strings.Repeat("0", 64), Recipe: "bench", Dimension: o.dimension, Threshold: benchThreshold,
	}}
}

// open opens the gallery as a server does when it starts.
func (b *galleryRun) open(ctx context.Context) (err error) {
	if b.store, err = storage.Open(b.dir, storage.Options{FS: countingFS{vfs.Default, &b.disk}, SealKey: b.key}); err != nil {
		return err
	}
	partition, err := b.store.Partition(gallery.DefaultGallery)
	if err != nil {
		return err
	}
	b.gallery, err = gallery.Open(ctx, partition, gallery.Options{Models: only(b.model), Engine: b.options.engine})
	return err
}

// close closes what is open.
func (b *galleryRun) close() error {
	var errs []error
	if b.gallery != nil {
		errs = append(errs, b.gallery.Close())
	}
	if b.store != nil {
		errs = append(errs, b.store.Close())
	}
	b.gallery, b.store = nil, nil
	return errors.Join(errs...)
}

const (
	// classSize is the number of students in a class.
	classSize = 30

	// everybody is the group that all students are in.
	everybody = "everybody"

	// fillWriters are enough to fill a gallery with few fsyncs.
	fillWriters = 512
)

func cropID(i int) string    { return fmt.Sprintf("crop-%d", i) }
func studentID(i int) string { return fmt.Sprintf("student-%d", i) }
func className(i int) string { return fmt.Sprintf("class-%d", i/classSize) }

// student returns the number of the student that a crop belongs to.
func (b *galleryRun) student(crop int) int { return crop / b.options.cropsEach }

// students returns how many students there are.
func (b *galleryRun) students() int { return b.student(b.options.crops-1) + 1 }

func (b *galleryRun) embedding(v []float32) gallery.Embedding {
	return gallery.Embedding{Model: b.model.Name, Digest: b.model.Digest, Recipe: b.model.Recipe, Vector: v}
}

// enrol stores a crop.
func (b *galleryRun) enrol(ctx context.Context, crop int, v []float32, allowDuplicate bool) error {
	student := b.student(crop)
	_, err := b.gallery.Enroll(ctx, gallery.Enrolment{
		CropID: cropID(crop), StudentID: studentID(student), Groups: []string{className(student), everybody},
		Embedding: b.embedding(v), AllowDuplicate: allowDuplicate, AllowUnlike: true,
	})
	return err
}

// fill enrols the students. Nobody is compared with the others here: that is
// measured later.
func (b *galleryRun) fill(ctx context.Context, progress io.Writer) error {
	rng := rand.New(rand.NewPCG(b.options.seed, 0))
	b.vectors = make([][]float32, b.options.crops)
	var centre []float32
	for i := range b.vectors {
		if i%b.options.cropsEach == 0 {
			centre = unit(rng, b.options.dimension)
		}
		b.vectors[i] = near(rng, centre)
	}
	m := terminal.NewMeter(progress, "enrolling", "crops")
	defer m.End()
	if err := b.enrol(ctx, 0, b.vectors[0], true); err != nil {
		return err
	}
	// The gallery must not calibrate itself meanwhile: random vectors are so little alike
	// that the next ones would be taken for duplicates.
	if err := b.gallery.FreezeCalibration(ctx, b.model.Name, true); err != nil {
		return err
	}
	_, err := together(fillWriters, b.options.crops-1, func(i int) error {
		defer m.Add(b.options.crops)
		return b.enrol(ctx, i+1, b.vectors[i+1], true)
	})
	return err
}

// together does n things, some at once, and returns how long each took.
func together(atOnce, n int, do func(i int) error) ([]time.Duration, error) {
	times := make([]time.Duration, n)
	errs := make([]error, atOnce)
	var next atomic.Int64
	var group sync.WaitGroup
	for w := range atOnce {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				start := time.Now()
				if errs[w] = do(int(i)); errs[w] != nil {
					return
				}
				times[i] = time.Since(start)
			}
		})
	}
	group.Wait()
	return times, errors.Join(errs...)
}

// unit returns a random vector of unit length.
func unit(rng *rand.Rand, dimension int) []float32 {
	v := make([]float32, dimension)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return normalise(v)
}

// near returns a vector that is about 0.89 similar to v: another picture of the
// same student.
func near(rng *rand.Rand, v []float32) []float32 {
	noise := unit(rng, len(v))
	for i := range noise {
		noise[i] = v[i] + noise[i]/2
	}
	return normalise(noise)
}

func normalise(v []float32) []float32 {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	scale := 1 / math.Sqrt(square)
	for i := range v {
		v[i] = float32(float64(v[i]) * scale)
	}
	return v
}
