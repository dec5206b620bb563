package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/storage"
)

// duplicatesOptions are the flags of "bench duplicates".
type duplicatesOptions struct {
	rosterOptions
	crops   int
	rosters int
}

func duplicatesBench() Bench {
	return newBench("duplicates", "how often a person who is enrolled already is refused under another id, and who is refused wrongly",
		`Cuts crops as eval does, and enrols some students in a gallery. Then it tries to enrol
one more crop of each of them under a new id, which should be refused, and a first
crop of everybody else, which should not. Each try is made against the whole gallery
and leaves nothing in it. It is done with many rosters.

Beside the gallery's own rule it prints what would be refused by the best threshold for
some shares of false refusals: chosen in hindsight, so no rule can do better.`,
		&duplicatesOptions{rosterOptions: rosterOptions{students: 160, settings: settingsAt(gallery.DefaultFPIR)}})
}

func (o *duplicatesOptions) addFlags(set *pflag.FlagSet) {
	o.rosterOptions.addFlags(set)
	set.IntVar(&o.crops, "crops", 1, "crops that each student is enrolled with")
	set.IntVar(&o.rosters, "rosters", 10, "how many rosters, drawn by the seeds from --seed on")
}

func (o *duplicatesOptions) validate() error {
	if o.crops < 1 || o.rosters < 1 {
		return errors.New("--crops and --rosters must be more than 0")
	}
	return o.rosterOptions.validate()
}

func (o *duplicatesOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	crops, err := o.cut.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	found, err := ways(w)[0].embed(ctx, progress, w, crops, true)
	if err != nil {
		return nil, err
	}
	model, err := w.galleryModel()
	if err != nil {
		return nil, err
	}
	tries := duplicateTries{model: model, settings: o.settings, crops: crops, found: found}
	m := terminal.NewMeter(progress, "enrolling", "rosters")
	for i := range o.rosters {
		if err := tries.roster(ctx, o.students, o.crops, o.cut.seed+uint64(i)); err != nil {
			return nil, err
		}
		m.Add(o.rosters)
	}
	m.End()
	return tries.result(w.describe(), o), nil
}

// duplicateTries are what came of all tries to enrol.
type duplicateTries struct {
	model    gallery.Model
	settings gallery.Settings
	crops    []crop
	found    []*embedder.Result

	same, others         []float64 // similarity to the nearest enrolled crop, of tries with an enrolled person and with another one
	refused, wrongly     int
	named                int // of refused: whose error names the right student
	resembles, resembled int // of tries that were not refused: how many the answer warns of
}

// roster makes the tries of one roster.
func (d *duplicateTries) roster(ctx context.Context, students, each int, seed uint64) (err error) {
	people := usableOf(d.crops, d.found)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	g, shut, err := d.gallery(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut()) }()
	var again, strangers, enrolled []int
	for _, own := range people {
		rng.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
		if len(own) <= each || len(again) == students && students > 0 {
			strangers = append(strangers, own[0])
			continue
		}
		for _, i := range own[:each] {
			e := gallery.Enrolment{CropID: d.crops[i].name, StudentID: d.crops[i].person, Embedding: embeddingOf(d.found[i]), AllowDuplicate: true, AllowUnlike: true}
			if _, err := g.Enroll(ctx, e); err != nil {
				return err
			}
			enrolled = append(enrolled, i)
		}
		again = append(again, own[each])
	}
	if len(again) == 0 || len(again) < students {
		return fmt.Errorf("only %d people have more than %d usable crops, and --students is %d", len(again), each, students)
	}
	for _, i := range again {
		d.same = append(d.same, d.nearest(i, enrolled))
		student, warned, err := d.try(ctx, g, i)
		if err != nil {
			return err
		}
		if student != "" {
			d.refused++
		} else if warned {
			d.resembles++
		}
		if student == d.crops[i].person {
			d.named++
		}
	}
	for _, i := range strangers {
		d.others = append(d.others, d.nearest(i, enrolled))
		student, warned, err := d.try(ctx, g, i)
		if err != nil {
			return err
		}
		if student != "" {
			d.wrongly++
		} else if warned {
			d.resembled++
		}
	}
	return nil
}

// usableOf returns the places of each person's usable crops.
func usableOf(crops []crop, found []*embedder.Result) (people [][]int) {
	place := make(map[string]int)
	for i, c := range crops {
		if !usable(found[i]) {
			continue
		}
		at, known := place[c.person]
		if !known {
			at = len(people)
			place[c.person] = at
			people = append(people, nil)
		}
		people[at] = append(people[at], i)
	}
	return people
}

// gallery opens an empty gallery in memory.
func (d *duplicateTries) gallery(ctx context.Context) (*gallery.Gallery, func() error, error) {
	store := storage.OpenMemory(storage.Faults{})
	partition, err := store.Partition(gallery.DefaultGallery)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	g, err := gallery.Open(ctx, partition, gallery.Options{Models: only(d.model), New: d.settings})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return g, func() error { return errors.Join(g.Close(), store.Close()) }, nil
}

// nearest returns the similarity of a crop to the nearest of the enrolled ones.
func (d *duplicateTries) nearest(i int, enrolled []int) float64 {
	best := float32(-1)
	for _, j := range enrolled {
		best = max(best, dot(d.found[i].Embedding, d.found[j].Embedding))
	}
	return float64(best)
}

// try tries to enrol a crop under a new id, and takes it out again if that worked. It
// returns the student whom a refusal names, "" if there was none.
func (d *duplicateTries) try(ctx context.Context, g *gallery.Gallery, i int) (student string, warned bool, err error) {
	const id = "somebody new"
	out, err := g.Enroll(ctx, gallery.Enrolment{CropID: id, StudentID: id, Embedding: embeddingOf(d.found[i])})
	var duplicate *gallery.DuplicateError
	switch {
	case errors.As(err, &duplicate):
		return duplicate.StudentID, false, nil
	case err != nil:
		return "", false, err
	}
	_, err = g.DeleteStudent(ctx, id)
	return "", out.Resembles.StudentID != "", err
}

func (d *duplicateTries) result(facts modelFacts, o *duplicatesOptions) duplicatesResult {
	r := duplicatesResult{
		Model: facts, Students: len(d.same) / o.rosters, Crops: o.crops, Rosters: o.rosters,
		Refused: ratioOf(d.refused, len(d.same)), Named: ratioOf(d.named, d.refused), Wrongly: ratioOf(d.wrongly, len(d.others)),
		Warned: ratioOf(d.resembles, len(d.same)), WarnedWrongly: ratioOf(d.resembled, len(d.others)),
	}
	slices.Sort(d.others)
	for _, share := range []float64{0.001, 0.002, 0.003, 0.005, 0.01} {
		// So many of the others may reach the threshold.
		may := int(share * float64(len(d.others)))
		threshold := math.Nextafter(d.others[len(d.others)-1-may], 2)
		refused := 0
		for _, s := range d.same {
			if s >= threshold {
				refused++
			}
		}
		r.Hindsight = append(r.Hindsight, hindsight{Wrongly: share, Similarity: threshold, Refused: ratioOf(refused, len(d.same))})
	}
	return r
}

// duplicatesResult is what "bench duplicates" prints.
type duplicatesResult struct {
	Model    modelFacts `json:"model"`
	Students int        `json:"students"`
	Crops    int        `json:"crops_of_each"`
	Rosters  int        `json:"rosters"`

	Refused       ratio       `json:"refused"`         // of the tries with an enrolled person
	Named         ratio       `json:"named_rightly"`   // of the refused: the error names the right student
	Warned        ratio       `json:"warned"`          // not refused, but the answer tells whom the crop resembles
	Wrongly       ratio       `json:"refused_wrongly"` // of the tries with another person
	WarnedWrongly ratio       `json:"warned_wrongly"`
	Hindsight     []hindsight `json:"hindsight"`
}

// hindsight is what the best threshold for a share of false refusals comes to.
type hindsight struct {
	Wrongly    float64 `json:"refused_wrongly"`
	Similarity float64 `json:"similarity"`
	Refused    ratio   `json:"refused"`
}

func (r duplicatesResult) tables() []table {
	rule := table{title: fmt.Sprintf("duplicates with %s\n  %d rosters of %d students with %d crops each", r.Model, r.Rosters, r.Students, r.Crops)}
	rule.row("enrolled people refused under a new id", r.Refused.String())
	rule.row("  naming the right student", r.Named.String())
	rule.row("  not refused, but warned of", r.Warned.String())
	rule.row("other people refused", r.Wrongly.String())
	rule.row("  not refused, but warned of", r.WarnedWrongly.String())
	best := table{title: "the best threshold in hindsight", header: []string{"others refused", "similarity", "enrolled people refused"}}
	for _, h := range r.Hindsight {
		best.row(percent(h.Wrongly), fmt.Sprintf("%.4f", h.Similarity), h.Refused.String())
	}
	return []table{rule, best}
}
