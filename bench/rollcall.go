package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/gallery"
)

// rollcallOptions are the flags of "bench rollcall".
type rollcallOptions struct {
	models modelOptions
	faces  facesOptions

	seed                         uint64
	photos, rounds               int
	enrolled, present, strangers int
	settings                     gallery.Settings
}

func rollcallBench() Bench {
	return newBench("rollcall", "what a roll call of a class photo makes of it, and how long it takes",
		`Composes photos of simulated classes from the pictures of a folder of faces (see
eval). Of each class --enrolled people are enrolled with one crop each; of
these --present are on the photo, with another picture, and --strangers who are not
enrolled. Their faces have 44 to 120 pixels, are turned by up to 15 degrees and may
overlap; they are pasted pictures, not people in one light. The detector finds the
faces; what it does not find, and what is unusable, counts for neither way.

An error is a present student's face without the student's name, or another face
with a name. Prints the errors of a roll call, of the same photos with each face
identified alone, and of a roll call that stops after its first round.

Then the time of a photo of 12 megapixels with 40 faces, of 40 enrolled people, from
the decoded image: the roll call, and beside it detection with landmarks alone and
40 runs of the embedder alone on all cores. --rounds takes turns.`,
		&rollcallOptions{photos: 200, rounds: 7, enrolled: 30, present: 25, strangers: 3, settings: settingsAt(gallery.DefaultFPIR)})
}

func (o *rollcallOptions) addFlags(set *pflag.FlagSet) {
	o.faces.addFlags(set)
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
	set.IntVar(&o.photos, "photos", o.photos, "class photos")
	set.IntVar(&o.rounds, "rounds", o.rounds, "how often each time is taken; 0: none")
	set.IntVar(&o.enrolled, "enrolled", o.enrolled, "students of a class")
	set.IntVar(&o.present, "present", o.present, "of these, those on the photo")
	set.IntVar(&o.strangers, "strangers", o.strangers, "others on the photo")
	set.Float64Var(&o.settings.FPIR, "fpir", o.settings.FPIR, "wanted share of strangers' faces that get a name")
	o.models.addFlags(set)
}

func (o *rollcallOptions) validate() error {
	switch {
	case o.photos < 1:
		return fmt.Errorf("--photos is %d; it has to be 1 or more", o.photos)
	case o.rounds < 0:
		return fmt.Errorf("--rounds is %d; it has to be 0 or more", o.rounds)
	case o.enrolled < 1 || o.present < 0 || o.present > o.enrolled || o.strangers < 0:
		return fmt.Errorf("--enrolled is %d, --present %d, --strangers %d; it has to be 1 or more, up to --enrolled, and 0 or more", o.enrolled, o.present, o.strangers)
	}
	if err := o.settings.Check(); err != nil {
		return fmt.Errorf("--fpir: %w", err)
	}
	return o.faces.validate()
}

func (o *rollcallOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	e, err := w.newEmbedder(embedder.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	model, err := w.galleryModel()
	if err != nil {
		return nil, err
	}
	school, err := newSchool(ctx, progress, w, faces, o.seed)
	if err != nil {
		return nil, err
	}
	res := rollcallResult{Model: w.describe(), Photos: o.photos, Enrolled: o.enrolled, Present: o.present, Strangers: o.strangers, FPIR: o.settings.FPIR}
	if err := o.assign(ctx, progress, e, model, school, &res); err != nil {
		return nil, err
	}
	if o.rounds > 0 {
		if err := o.time(ctx, progress, w, e, model, school, &res); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// classPhoto is a photo of a class, evenly lit.
func (o *rollcallOptions) classPhoto() composition {
	return composition{width: 2400, height: 1600, faces: o.present + o.strangers, least: 44, most: 120, turn: 15, light: true}
}

// assign counts the errors on all photos.
func (o *rollcallOptions) assign(ctx context.Context, progress io.Writer, e *embedder.Embedder, model gallery.Model, s *school, res *rollcallResult) error {
	m := terminal.NewMeter(progress, "calling the roll", "photos")
	defer m.End()
	for i := range o.photos {
		c, err := s.class(o.enrolled, o.present, o.strangers, o.seed, i)
		if err != nil {
			return err
		}
		photo, err := o.classPhoto().composeOf(s.faces, c.onPhoto, o.seed, i)
		if err != nil {
			return err
		}
		seats, err := findSeats(ctx, e, model.Name, photo, res)
		if err != nil {
			return err
		}
		if err := s.judge(ctx, model, o.settings, c, seats, res); err != nil {
			return err
		}
		m.Add(o.photos)
	}
	return nil
}

// facesTimed is how many faces and students the times are taken with.
const facesTimed = 40

// time takes the times of one photo.
func (o *rollcallOptions) time(ctx context.Context, progress io.Writer, w *workbench, e *embedder.Embedder, model gallery.Model, s *school, res *rollcallResult) (err error) {
	fmt.Fprintln(progress, "timing a photo of 12 megapixels …")
	c, err := s.class(facesTimed, facesTimed, 0, o.seed, o.photos)
	if err != nil {
		return err
	}
	plan := composition{width: 4000, height: 3000, faces: facesTimed, least: 60, most: 300, turn: 15, light: true}
	photo, err := plan.composeOf(s.faces, c.onPhoto, o.seed, o.photos)
	if err != nil {
		return err
	}
	bare, err := newBareLoops(w, false, cmp.Or(w.sessions, runtime.GOMAXPROCS(0)))
	if err != nil {
		return err
	}
	defer bare.close()
	return s.in(ctx, model, o.settings, c, func(g *gallery.Gallery) error {
		var whole, detect, embed, call []time.Duration
		for i := range o.rounds + 1 { // the first one warms up
			t, err := timeRoll(ctx, e, bare, g, model.Name, photo)
			if err != nil {
				return err
			}
			if i > 0 {
				whole, detect, embed, call = append(whole, t.whole), append(detect, t.detect), append(embed, t.embed), append(call, t.call)
			}
			res.TimedFaces = t.faces
		}
		var ratios []float64
		for i := range whole {
			ratios = append(ratios, float64(whole[i])/float64(detect[i]+embed[i]))
		}
		res.Whole, res.Detect, res.Embed, res.Call = milliseconds(median(whole)), milliseconds(median(detect)), milliseconds(median(embed)), milliseconds(median(call))
		res.Ratio = median(ratios)
		return nil
	})
}

// rollTimes are the times of one round.
type rollTimes struct {
	whole         time.Duration // roll call, from the decoded image
	detect, embed time.Duration // each alone
	call          time.Duration // of whole, the gallery's part
	faces         int
}

func timeRoll(ctx context.Context, e *embedder.Embedder, bare *bareLoops, g *gallery.Gallery, model string, photo composed) (t rollTimes, err error) {
	req := embedder.PhotoRequest{Image: photo.jpeg}
	start := time.Now()
	p, results, err := e.EmbedFaces(ctx, embedder.FacesRequest{PhotoRequest: req, Model: model, Most: math.MaxInt})
	if err != nil {
		return t, err
	}
	called := time.Now()
	if _, err := g.RollCall(ctx, model, usableEmbeddings(results), gallery.Scope{}, 0); err != nil {
		return t, err
	}
	t.call = time.Since(called)
	t.whole = time.Since(start) - p.Timings[embedder.StageDecode]
	found, err := e.Faces(ctx, req)
	if err != nil {
		return t, err
	}
	t.detect, t.faces = found.Timings[embedder.StageDetect]+found.Timings[embedder.StageLocate], len(results)
	start = time.Now()
	group, gctx := errgroup.WithContext(ctx)
	for k, worker := range bare.workers {
		group.Go(func() error {
			for i := k; i < len(results); i += len(bare.workers) {
				if err := worker.work(gctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	t.embed = time.Since(start)
	return t, err
}

func usableEmbeddings(results []*embedder.Result) (probes []gallery.Embedding) {
	for _, r := range results {
		if usable(r) {
			probes = append(probes, embeddingOf(r))
		}
	}
	return probes
}
