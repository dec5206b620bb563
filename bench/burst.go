package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/gallery"
)

// burstOptions are the flags of "bench burst".
type burstOptions struct {
	rosterOptions
	rosters, each int
	frames        []int
}

func burstBench() Bench {
	return newBench("burst", "how much better several frames of a person are identified than one",
		`In many rosters, whose students are drawn anew, one crop of each student is enrolled.
Bursts of --frames frames are identified: of students, and of strangers. The frames
are crops as eval cuts them.

Different pictures: only people with enough pictures count, each burst has other
pictures, and the same people have bursts of all sizes; frames of one second differ
less. One picture: everybody counts, and the frames of a burst are cut anew from one
picture, roughly, as by a poor camera: its pose and expression do not change.

Prints the share of the students' bursts without the right name (FNIR) and of the
strangers' bursts with a name (FPIR), by the gallery's verdict; and the FNIR at the
threshold over which exactly the asked share of the strangers' bursts is, whatever
the calibration says. In bursts of three frames or more it also replaces one frame by
one of somebody else: how often this is noticed.`,
		&burstOptions{
			rosterOptions: rosterOptions{students: 160, settings: settingsAt(gallery.DefaultFPIR)},
			rosters:       20, each: 4, frames: []int{1, 3, 5},
		})
}

func (o *burstOptions) addFlags(set *pflag.FlagSet) {
	o.rosterOptions.addFlags(set)
	set.IntVar(&o.rosters, "rosters", o.rosters, "how many rosters")
	set.IntVar(&o.each, "each", o.each, "bursts of a person in a roster at most")
	set.IntSliceVar(&o.frames, "frames", o.frames, "sizes of the bursts")
}

func (o *burstOptions) validate() error {
	switch {
	case o.rosters < 1 || o.each < 1:
		return fmt.Errorf("--rosters is %d, --each %d; both can be 1 or more", o.rosters, o.each)
	case len(o.frames) == 0 || slices.ContainsFunc(o.frames, func(n int) bool { return n < 1 || n > gallery.MaxFrames }):
		return fmt.Errorf("--frames is %v; each can be 1 to %d", o.frames, gallery.MaxFrames)
	}
	return o.rosterOptions.validate()
}

func (o *burstOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	b := &burstBenchmark{options: o, most: slices.Max(o.frames)}
	if b.model, err = w.galleryModel(); err != nil {
		return nil, err
	}
	if err := b.embed(ctx, progress, w, faces); err != nil {
		return nil, err
	}
	res := burstResult{Model: w.describe(), Pictures: len(faces), Students: o.students, Rosters: o.rosters, FPIR: o.settings.FPIR}
	for _, kind := range []string{differentPictures, onePicture} {
		for _, n := range o.frames {
			res.Sizes = append(res.Sizes, burstTally{Kind: kind, Frames: n})
		}
	}
	m := terminal.NewMeter(progress, "identifying bursts", "rosters")
	defer m.End()
	for i := range o.rosters {
		if err := b.roster(ctx, o.cut.seed+uint64(i), res.Sizes); err != nil {
			return nil, err
		}
		m.Add(o.rosters)
	}
	for i := range res.Sizes {
		res.Sizes[i].sum(o.settings.FPIR)
	}
	return res, nil
}

// The kinds of bursts.
const (
	differentPictures = "different pictures"
	onePicture        = "one picture"
)

// burstBenchmark has all frames embedded.
type burstBenchmark struct {
	options  *burstOptions
	most     int // frames of the largest burst
	model    gallery.Model
	crops    []crop
	enrolled []*embedder.Result   // by picture, as a server stores it
	probes   []*embedder.Result   // by picture
	recut    [][]*embedder.Result // by cut and picture
}

// embed embeds each picture to be enrolled, as a probe, and cut anew as often as a burst has frames.
func (b *burstBenchmark) embed(ctx context.Context, progress io.Writer, w *workbench, faces []face) (err error) {
	y := ways(w)[0]
	if b.crops, err = b.options.cut.cutAll(ctx, faces); err != nil {
		return err
	}
	if b.enrolled, err = y.embed(ctx, progress, w, b.crops, true); err != nil {
		return err
	}
	if b.probes, err = y.embed(ctx, progress, w, b.crops, false); err != nil {
		return err
	}
	for k := range b.most {
		cut := b.options.cut
		cut.seed, cut.rough = cut.seed+uint64(k), true
		crops, err := cut.cutAll(ctx, faces)
		if err != nil {
			return err
		}
		results, err := y.embed(ctx, progress, w, crops, false)
		if err != nil {
			return err
		}
		b.recut = append(b.recut, results)
	}
	return nil
}

// roster enrols one roster and identifies bursts of all sizes.
func (b *burstBenchmark) roster(ctx context.Context, seed uint64, sizes []burstTally) error {
	r, err := newRoster(b.crops, b.options.students, seed)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	people := make(map[string][]int) // pictures that are not enrolled
	students := make(map[string]bool)
	s := &school{faces: make([]face, len(b.crops)), enrolled: b.enrolled}
	var c class
	for i, crop := range b.crops {
		s.faces[i] = face{name: crop.name, person: crop.person}
	}
	for _, st := range r.students {
		one := st.enrolled(b.enrolled)
		if one < 0 {
			continue
		}
		c.enrolled, students[st.person] = append(c.enrolled, one), true
		people[st.person] = slices.DeleteFunc(slices.Clone(st.crops), func(i int) bool { return i == one })
	}
	for _, i := range r.strangers {
		people[b.crops[i].person] = append(people[b.crops[i].person], i)
	}
	names := make([]string, 0, len(people))
	for _, crop := range b.crops { // a map has no order
		if people[crop.person] != nil && (len(names) == 0 || names[len(names)-1] != crop.person) {
			names = append(names, crop.person)
		}
	}
	return s.in(ctx, b.model, b.options.settings, c, func(g *gallery.Gallery) error {
		for k := range sizes {
			for _, person := range names {
				if err := b.person(ctx, g, rng, person, students[person], people[person], &sizes[k]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// person identifies the bursts of one person.
func (b *burstBenchmark) person(ctx context.Context, g *gallery.Gallery, rng *rand.Rand, person string, student bool, own []int, t *burstTally) error {
	named := person
	if !student {
		named = ""
	}
	for _, frames := range b.bursts(rng, own, t) {
		if len(frames) == 0 { // a server answers UNUSABLE
			t.add(named, gallery.Identification{}, nil)
			continue
		}
		id, each, err := g.IdentifyBurst(ctx, gallery.Burst{Frames: frames, Candidates: 1})
		if err != nil {
			return err
		}
		t.add(named, id, each)
		intruder := rng.IntN(len(b.crops))
		if len(frames) < 3 || b.crops[intruder].person == person || !usable(b.probes[intruder]) {
			continue
		}
		frames[len(frames)-1] = embeddingOf(b.probes[intruder])
		if _, each, err = g.IdentifyBurst(ctx, gallery.Burst{Frames: frames, Candidates: 1}); err != nil {
			return err
		}
		t.intruders++
		if !each[len(each)-1].Counted {
			t.noticed++
		}
	}
	return nil
}

// bursts returns bursts of one person's pictures, the usable frames of each: a server judges no others.
func (b *burstBenchmark) bursts(rng *rand.Rand, own []int, t *burstTally) (bursts [][]gallery.Embedding) {
	own = slices.Clone(own)
	rng.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
	if t.Kind == differentPictures && len(own) < b.most {
		return nil
	}
	for k := range b.options.each {
		var frames []*embedder.Result
		switch {
		case t.Kind == onePicture && k < len(own):
			for _, cut := range rng.Perm(b.most)[:t.Frames] {
				frames = append(frames, b.recut[cut][own[k]])
			}
		case t.Kind == differentPictures && (k+1)*t.Frames <= len(own):
			for _, i := range own[k*t.Frames : (k+1)*t.Frames] {
				frames = append(frames, b.probes[i])
			}
		default:
			return bursts
		}
		bursts = append(bursts, usableEmbeddings(frames))
	}
	return bursts
}
