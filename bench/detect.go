package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/embedder/picture"
)

// detectOptions are the flags of "bench detect".
type detectOptions struct {
	models modelOptions
	faces  facesOptions

	yunet          string
	seed           uint64
	photos, rounds int
	leastSize      float64
	megapixels     []int
}

func detectBench() Bench {
	return newBench("detect", "how many faces of a photo the detector finds, and how long it takes",
		`Composes photos from the pictures of a folder of faces (see eval): twelve
faces of 16 to 300 pixels on each, turned by up to 30 degrees, some overlapping,
some dark, on backgrounds made of corners of the pictures. Prints the share of
the faces that is found, by their size, at one false face in ten photos or fewer;
with --yunet beside YuNet's, which sees each photo in its size and doubled. Then
the time that a frame of 640 x 480 takes, and photos of --megapixels with 40
faces.`,
		new(detectOptions))
}

func (o *detectOptions) addFlags(set *pflag.FlagSet) {
	o.faces.addFlags(set)
	set.StringVar(&o.yunet, "yunet", "", "ONNX file of YuNet, to compare with; empty: no comparison")
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
	set.IntVar(&o.photos, "photos", 200, "composed photos")
	set.IntVar(&o.rounds, "rounds", 5, "how often each time is taken")
	set.Float64Var(&o.leastSize, "least-size", 16, "size of the smallest face to search for, in pixels; 0: it follows from the photo's size")
	set.IntSliceVar(&o.megapixels, "megapixels", []int{12, 24}, "sizes of the photos that are timed")
	o.models.addFlags(set)
}

func (o *detectOptions) validate() error {
	switch {
	case o.photos < 1:
		return fmt.Errorf("--photos is %d; it has to be 1 or more", o.photos)
	case o.rounds < 1:
		return fmt.Errorf("--rounds is %d; it has to be 1 or more", o.rounds)
	case slices.ContainsFunc(o.megapixels, func(m int) bool { return m < 1 || m > mostMegapixels }):
		return fmt.Errorf("--megapixels is %v; each can be 1 to %d", o.megapixels, mostMegapixels)
	case !(o.leastSize >= 0 && o.leastSize <= 10000):
		return fmt.Errorf("--least-size is %v; it can be 0 to 10000", o.leastSize)
	}
	return o.faces.validate()
}

// mostMegapixels is what the embedder decodes at most.
const mostMegapixels = 24

// crowded is what recall is measured on.
var crowded = composition{width: 1280, height: 960, faces: 12, least: 16, most: 300, turn: 30}

func (o *detectOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
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

	res := detectResult{Locator: w.locator, Photos: o.photos, LeastSize: o.leastSize}
	if err := o.recalls(ctx, progress, e, faces, &res); err != nil {
		return nil, err
	}
	for _, c := range o.costs() {
		cost, err := o.cost(ctx, progress, e, w.embedder.Contract.Name, faces, c)
		if err != nil {
			return nil, err
		}
		res.Costs = append(res.Costs, cost)
	}
	return res, nil
}

// recalls measures the detectors on composed photos.
func (o *detectOptions) recalls(ctx context.Context, progress io.Writer, e *embedder.Embedder, faces []face, res *detectResult) (err error) {
	var yunet *yunetDetector
	if o.yunet != "" {
		if yunet, err = openYuNet(o.yunet, crowded.width, crowded.height); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, yunet.close()) }()
	}
	m := terminal.NewMeter(progress, "finding faces", "photos")
	defer m.End()
	ours, theirs := new(faceTally), new(faceTally)
	const atOnce = 16 // photos in memory
	for first := 0; first < o.photos; first += atOnce {
		batch := make([]composed, min(atOnce, o.photos-first))
		if err := composeAll(ctx, crowded, faces, o.seed, first, batch); err != nil {
			return err
		}
		for _, photo := range batch {
			found, err := e.Faces(ctx, embedder.PhotoRequest{Image: photo.jpeg, LeastFace: o.leastSize})
			if err != nil {
				return err
			}
			ours.add(photo.true, facesOf(found))
			res.Detector = found.Detector
			if yunet != nil {
				seen, err := yunet.find(photo.pix)
				if err != nil {
					return err
				}
				theirs.add(photo.true, seen)
			}
			m.Add(o.photos)
		}
	}
	res.Faces = len(ours.sizes)
	res.Recalls = append(res.Recalls, ours.recalls(res.Detector))
	if yunet != nil {
		res.Recalls = append(res.Recalls, theirs.recalls("yunet"))
	}
	return nil
}

// composeAll composes the photos first, first+1, … on all cores.
func composeAll(ctx context.Context, c composition, faces []face, seed uint64, first int, photos []composed) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range photos {
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			photos[i], err = c.compose(faces, seed, first+i)
			return err
		})
	}
	return group.Wait()
}

func facesOf(p *embedder.Photo) []finding {
	all := make([]finding, len(p.Faces))
	for i, f := range p.Faces {
		all[i] = finding{score: float64(f.Score), landmarks: f.Landmarks}
	}
	return all
}

// costPlan is what times are taken of.
type costPlan struct {
	what string
	composition
	asked float64 // the smallest face that has to be found; 0: what the photo's size allows
}

// smallFace is the size for which the cost of searching for small faces is measured.
const smallFace = 24

// costs are what times are taken of: a frame, and photos of 40 faces from 40 pixels on.
func (o *detectOptions) costs() []costPlan {
	plans := []costPlan{{"frame with one face", composition{width: 640, height: 480, faces: 1, least: 80, most: 200, turn: 15}, 0}}
	for _, m := range o.megapixels {
		height := int(math.Sqrt(float64(m) * 1e6 * 3 / 4))
		photo := composition{width: m * 1e6 / height, height: height, faces: 40, least: 40, most: float64(height) / 8, turn: 30}
		plans = append(plans, costPlan{fmt.Sprintf("photo of %d megapixels", m), photo, 0},
			costPlan{fmt.Sprintf("  faces of %d pixels asked for", smallFace), photo, smallFace})
	}
	return plans
}

// cost times the detector on one photo, as the server calls it, and the embedder on its faces.
func (o *detectOptions) cost(ctx context.Context, progress io.Writer, e *embedder.Embedder, model string, faces []face, plan costPlan) (detectCost, error) {
	fmt.Fprintf(progress, "timing a %s …\n", plan.what)
	photos := make([]composed, 1)
	if err := composeAll(ctx, plan.composition, faces, o.seed, 0, photos); err != nil {
		return detectCost{}, err
	}
	photo := photos[0]
	c := detectCost{What: plan.what, Width: plan.width, Height: plan.height, Faces: len(photo.true)}
	rounds := o.rounds
	if plan.width*plan.height < 1_000_000 {
		rounds *= 20 // a short time needs more of them
	}
	var times detectTimes
	for i := range rounds + 1 {
		if i == 1 {
			times = detectTimes{} // the first one warms up
		}
		if err := times.take(ctx, e, model, photo, plan.asked, &c); err != nil {
			return c, err
		}
	}
	times.sum(&c)
	return c, nil
}

// detectTimes are the times of several rounds.
type detectTimes struct {
	decode, detect, locate, after, embed []time.Duration
	cpu                                  []time.Duration // of Faces without decoding; empty where it is not known
}

// take times one round.
func (t *detectTimes) take(ctx context.Context, e *embedder.Embedder, model string, photo composed, asked float64, c *detectCost) error {
	begin := cpuTime()
	pic, _, err := picture.Decode(photo.jpeg, picture.Limits{})
	if err != nil {
		return err
	}
	pic.Release()
	decoded := cpuTime()
	req := embedder.PhotoRequest{Image: photo.jpeg, LeastFace: asked}
	p, err := e.Faces(ctx, req)
	if err != nil {
		return err
	}
	if end := cpuTime(); end > 0 {
		t.cpu = append(t.cpu, max(0, end-decoded-(decoded-begin)))
	}
	var found faceTally
	found.add(photo.true, facesOf(p))
	c.Found, c.False = found.recall(0, 0, math.Inf(1)), len(found.wrong)
	embedded, _, err := e.EmbedFaces(ctx, embedder.FacesRequest{PhotoRequest: req, Model: model, Most: len(p.Faces)})
	if err != nil {
		return err
	}
	t.embed = append(t.embed, embedded.Timings[embedder.StageRun])
	t.decode = append(t.decode, p.Timings[embedder.StageDecode])
	t.detect = append(t.detect, p.Timings[embedder.StageDetect])
	t.locate = append(t.locate, p.Timings[embedder.StageLocate])
	t.after = append(t.after, p.Timings[embedder.StageDetect]+p.Timings[embedder.StageLocate])
	return nil
}

// sum fills in the medians.
func (t *detectTimes) sum(c *detectCost) {
	c.Decode, c.Detect, c.Locate = milliseconds(median(t.decode)), milliseconds(median(t.detect)), milliseconds(median(t.locate))
	c.Embed, c.CPU = milliseconds(median(t.embed)), milliseconds(median(t.cpu))
	c.AfterDecoding, c.Least = milliseconds(median(t.after)), milliseconds(quantile(t.after, 0))
}
