package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/storage"
)

// calibrationOptions are the flags of "bench calibration".
type calibrationOptions struct {
	models modelOptions
	faces  facesOptions
	cut    cutOptions
	seeds  int
}

func calibrationBench() Bench {
	return newBench("calibration", "whether a gallery that calibrates itself keeps its FPIR, and which score of several crops is best",
		`Enrols students in galleries, which calibrate themselves by them, and asks for an FPIR
of 1 % and of 0.1 %. Prints which share of the strangers' probes reach the threshold
in all galleries together, with intervals of 95 % (a bootstrap by person, as in
bench against), and in how many galleries it is within a factor of 4; and how many of
the students' probes get no match (FNIR), beside the same with a fixed threshold:
the one that the makers publish, or else the model's at an FMR of 0.1 %.
The first interval draws the strangers anew. The second one draws people anew who are
both, strangers and students: few students attract most strangers, so it is wider.

It does so with the embedder as it is; with a deliberately wrong table, whose
similarities are lower by 0.1; and, with --against, with a second model whose table is
left out. That one is also given the people of train, who should not be those that it
was trained on. Strangers who are also enrolled, under another name, are left out: they
are as alike as one person is.

A second table compares ways to make a student's score of several crops: how many of
the students' probes are not recognised at the threshold that 1 % and 0.1 % of all
strangers' probes reach. Galleries for which there are too few people are left out.`, &calibrationOptions{seeds: 20})
}

func (o *calibrationOptions) addFlags(set *pflag.FlagSet) {
	o.faces.addFlags(set)
	o.models.against.addFlags(set, "against", "second embedder, whose table is left out", "")
	set.IntVar(&o.seeds, "seeds", o.seeds, "how many galleries of each kind")
	o.cut.addFlags(set)
	o.models.addFlags(set)
}

func (o *calibrationOptions) validate() error {
	if o.seeds < 1 {
		return fmt.Errorf("--seeds is %d; it can be 1 or more", o.seeds)
	}
	return errors.Join(o.faces.validate(), o.cut.validate())
}

// enrolments are the galleries that are made.
var enrolments = []struct{ students, crops int }{{30, 1}, {100, 1}, {400, 1}, {80, 3}}

func (o *calibrationOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	crowd, err := o.embed(ctx, progress, w, faces)
	if err != nil {
		return nil, err
	}
	model, err := w.galleryModel()
	if err != nil {
		return nil, err
	}
	wrong := model
	wrong.Calibration = slices.Clone(model.Calibration)
	for i := range wrong.Calibration {
		wrong.Calibration[i].Similarity = max(-1, wrong.Calibration[i].Similarity-0.1)
	}
	res := calibrationResult{Seeds: o.seeds}
	parts := []calibrated{{model.Name, model, crowd}, {model.Name + ", wrong table", wrong, crowd}}
	if o.models.against != (fileOptions{}) {
		part, err := o.second(ctx, progress, w, faces)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	for i, p := range parts {
		fmt.Fprintf(progress, "%s: %d crops of %d people …\n", p.name, len(p.crowd.probes), len(p.crowd.of))
		for _, e := range enrolments {
			if !p.crowd.draw(o.cut.seed, e.students, e.crops).askable() {
				continue // there are too few people
			}
			row, err := o.row(ctx, p, e.students, e.crops)
			if err != nil {
				return nil, err
			}
			res.Rows = append(res.Rows, row)
		}
		if i == 1 {
			continue // the scores do not depend on the table
		}
		scores, err := compareScores(ctx, p, o.cut.seed, o.seeds)
		if err != nil {
			return nil, err
		}
		res.Scores = append(res.Scores, scores...)
	}
	return res, nil
}

// calibrated is a model, as galleries know it, and the people that it sees.
type calibrated struct {
	name  string
	model gallery.Model
	crowd *crowd
}

// second returns the model of --against without its table, and its people.
func (o *calibrationOptions) second(ctx context.Context, progress io.Writer, w *workbench, faces []face) (calibrated, error) {
	second, err := w.beside(ctx, o.models.against)
	if err != nil {
		return calibrated{}, err
	}
	if o.faces.split == splitTest {
		more, err := readFaces(o.faces.folder, splitTrain)
		if err != nil {
			return calibrated{}, err
		}
		faces = append(slices.Clone(faces), more...)
	}
	crowd, err := o.embed(ctx, progress, second, faces)
	if err != nil {
		return calibrated{}, err
	}
	model, err := second.galleryModel()
	model.Calibration = nil
	return calibrated{model.Name + ", no table", model, crowd}, err
}

// A crowd is the usable crops of some people.
type crowd struct {
	stored, probes [][]float32     // by crop: as it is enrolled, and as a probe
	quality        []float64       // of each crop, 0 to 1
	person         []int           // of each crop
	of             [][]int         // crops of each person
	twins          map[[2]int]bool // two people who are as alike as one, in both orders
}

func (o *calibrationOptions) embed(ctx context.Context, progress io.Writer, w *workbench, faces []face) (*crowd, error) {
	crops, err := o.cut.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	probes, err := ways(w)[0].embedAll(ctx, named(progress, w.embedder.Contract.Name), w, crops)
	if err != nil {
		return nil, err
	}
	stored := probes
	if w.embedder.Contract.MirrorEnrolled {
		if stored, err = ways(w)[0].embed(ctx, named(progress, w.embedder.Contract.Name+", to be enrolled"), w, crops, true); err != nil {
			return nil, err
		}
	}
	return newCrowd(crops, stored, probes), nil
}

func newCrowd(crops []crop, stored, probes []*embedder.Result) *crowd {
	c := &crowd{twins: make(map[[2]int]bool)}
	place := make(map[string]int)
	var people []string
	for i, p := range probes {
		if !usable(p) || !usable(stored[i]) {
			continue
		}
		at, known := place[crops[i].person]
		if !known {
			at = len(c.of)
			place[crops[i].person] = at
			c.of = append(c.of, nil)
		}
		c.of[at] = append(c.of[at], len(c.person))
		c.person = append(c.person, at)
		c.stored, c.probes = append(c.stored, stored[i].Embedding), append(c.probes, p.Embedding)
		c.quality = append(c.quality, float64(stored[i].Quality.Score))
		people = append(people, crops[i].person)
	}
	all := gatherPeople(c.probes, people)
	limit := alike(all)
	for i, a := range all {
		for j := range i {
			if dot(a.mean, all[j].mean) >= limit {
				c.twins[[2]int{i, j}], c.twins[[2]int{j, i}] = true, true
			}
		}
	}
	return c
}

// A gathering is a choice of students and of the crops that are enrolled.
type gathering struct {
	students []int   // people
	enrolled [][]int // crops of each
	genuine  []int   // the students' other crops
	strange  []int   // crops of people who are not enrolled, nor anybody's twin
}

// askable says whether there is anything to ask a gallery of the students.
func (d gathering) askable() bool {
	return len(d.students) > 1 && len(d.genuine) > 0 && len(d.strange) > 0
}

// draw chooses students of so many crops, or as many as there are. Those with several
// crops, or some of them, have one more, as a probe.
func (c *crowd) draw(seed uint64, students, crops int) gathering {
	rng := rand.New(rand.NewPCG(seed, 0))
	var d gathering
	enrolled := make([]bool, len(c.of))
	for _, p := range rng.Perm(len(c.of)) {
		own := slices.Clone(c.of[p])
		if len(d.students) == students || len(own) < crops || crops > 1 && len(own) == crops {
			continue
		}
		rng.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
		enrolled[p] = true
		d.students = append(d.students, p)
		d.enrolled = append(d.enrolled, own[:crops])
		d.genuine = append(d.genuine, own[crops:]...)
	}
	known := slices.Clone(enrolled) // by one name or another
	for pair := range c.twins {
		known[pair[0]] = known[pair[0]] || enrolled[pair[1]]
	}
	for i, p := range c.person {
		if !known[p] {
			d.strange = append(d.strange, i)
		}
	}
	return d
}

// answered is what a gallery answered.
type answered struct {
	thresholds [2]float32 // at each of contestFPIRs
	genuine    []float32  // of each genuine probe the similarity if the right student is the best; else -1
	strange    []float32  // of each stranger's probe the greatest similarity
	nearest    []int      // and the student that it is of
}

// ask enrols the students in a gallery that calibrates itself, and asks it.
func (p calibrated) ask(ctx context.Context, d gathering) (a answered, err error) {
	store := storage.OpenMemory(storage.Faults{})
	defer func() { err = errors.Join(err, store.Close()) }()
	partition, err := store.Partition(gallery.DefaultGallery)
	if err != nil {
		return a, err
	}
	g, err := gallery.Open(ctx, partition, gallery.Options{Models: only(p.model)})
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	embedding := func(v []float32) gallery.Embedding {
		return gallery.Embedding{Model: p.model.Name, Digest: p.model.Digest, Recipe: p.model.Recipe, Vector: v}
	}
	for i, crops := range d.enrolled {
		for _, c := range crops {
			_, err := g.Enroll(ctx, gallery.Enrolment{
				CropID: fmt.Sprint(c), StudentID: fmt.Sprint(d.students[i]), Embedding: embedding(p.crowd.stored[c]),
				AllowDuplicate: true, AllowUnlike: true,
			})
			if err != nil {
				return a, err
			}
		}
	}
	if err := g.Calibrate(ctx, p.model.Name); err != nil {
		return a, err
	}
	identify := func(c int, fpir float64) (gallery.Identification, error) {
		return g.Identify(ctx, gallery.Probe{Embedding: embedding(p.crowd.probes[c]), Candidates: 1, FPIR: fpir})
	}
	for k, fpir := range contestFPIRs {
		found, err := identify(0, fpir)
		if err != nil {
			return a, err
		}
		a.thresholds[k] = found.Threshold
	}
	for _, c := range d.genuine {
		found, err := identify(c, 0)
		if err != nil {
			return a, err
		}
		similarity := float32(-1)
		if found.Candidates[0].StudentID == fmt.Sprint(p.crowd.person[c]) {
			similarity = found.Similarity
		}
		a.genuine = append(a.genuine, similarity)
	}
	for _, c := range d.strange {
		found, err := identify(c, 0)
		if err != nil {
			return a, err
		}
		nearest, err := strconv.Atoi(found.Candidates[0].StudentID)
		if err != nil {
			return a, err
		}
		a.strange, a.nearest = append(a.strange, found.Similarity), append(a.nearest, nearest)
	}
	return a, nil
}

// each calls do for each of n, on all processors.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return do(ctx, i)
		})
	}
	return group.Wait()
}

// fixed is the threshold that a gallery is compared with.
func (p calibrated) fixed() float32 {
	if p.model.Threshold != 0 {
		return p.model.Threshold
	}
	return p.model.MatchThreshold(1, fixedFMR)
}

// fixedFMR is what thresholds are published for.
const fixedFMR = 1e-3

// row makes galleries of one kind, and asks them.
func (o *calibrationOptions) row(ctx context.Context, p calibrated, students, crops int) (calibrationRow, error) {
	draws, answers := make([]gathering, o.seeds), make([]answered, o.seeds)
	err := each(ctx, o.seeds, func(ctx context.Context, i int) (err error) {
		draws[i] = p.crowd.draw(o.cut.seed+uint64(i), students, crops)
		answers[i], err = p.ask(ctx, draws[i])
		return err
	})
	if err != nil {
		return calibrationRow{}, err
	}
	row := calibrationRow{Model: p.name, Students: len(draws[0].students), Crops: crops, Fixed: p.fixed()}
	var missed, passed, of, strange int
	for _, a := range answers {
		missed, of = missed+under(a.genuine, row.Fixed), of+len(a.genuine)
		passed, strange = passed+len(a.strange)-under(a.strange, row.Fixed), strange+len(a.strange)
	}
	row.FixedFNIR, row.FixedFPIR = ratioOf(missed, of), ratioOf(passed, strange)
	for k, target := range contestFPIRs {
		row.Targets = append(row.Targets, targetOf(p, draws, answers, k, target, o.cut.seed))
	}
	return row, nil
}

// under counts the similarities under a threshold.
func under(similarities []float32, threshold float32) (n int) {
	for _, s := range similarities {
		if s < threshold {
			n++
		}
	}
	return n
}

// targetOf returns what came of one of contestFPIRs.
func targetOf(p calibrated, draws []gathering, answers []answered, k int, target float64, seed uint64) targetResult {
	const factor = 4
	t := targetResult{Target: target, Seeds: len(draws)}
	passes := strangerRates{people: len(p.crowd.of), hits: make(map[[2]int]int)}
	var missed, of int
	for i, a := range answers {
		threshold := a.thresholds[k]
		own, probes := 0, make([]int, passes.people)
		for j, s := range a.strange {
			person := p.crowd.person[draws[i].strange[j]]
			probes[person]++
			if s >= threshold {
				passes.hits[[2]int{person, a.nearest[j]}]++
				own++
			}
		}
		passes.probes, passes.students = append(passes.probes, probes), append(passes.students, draws[i].students)
		if rate := float64(own) / float64(len(a.strange)) / target; rate >= 1.0/factor && rate <= factor {
			t.Within++
		}
		t.FPIR.Count, t.FPIR.Of = t.FPIR.Count+own, t.FPIR.Of+len(a.strange)
		missed, of = missed+under(a.genuine, threshold), of+len(a.genuine)
		t.Threshold += threshold / float32(len(answers))
	}
	t.FPIR = ratioOf(t.FPIR.Count, t.FPIR.Of)
	t.Interval, t.Both = passes.intervals(seed)
	t.FNIR = ratioOf(missed, of)
	return t
}

// strangerRates are the strangers' probes of some galleries, for their intervals.
type strangerRates struct {
	people   int
	hits     map[[2]int]int // that passed, by stranger and student
	probes   [][]int        // of each gallery, by stranger
	students [][]int        // of each gallery
}

// intervals returns those of the share that passed, where strangers are drawn, and where people are
// drawn in both roles: what two of them did counts as often as both were drawn (Owen 2007, "The
// pigeonhole bootstrap").
func (r strangerRates) intervals(seed uint64) (strangers, both interval) {
	found := bootstrap(r.people, seed, func(drawn []int) []float64 {
		var passed, passedBoth, of, ofBoth float64
		for pair, n := range r.hits {
			passed += float64(n * drawn[pair[0]])
			passedBoth += float64(n * drawn[pair[0]] * drawn[pair[1]])
		}
		for i, probes := range r.probes {
			own, students := total(probes, drawn), 0
			for _, person := range r.students[i] {
				students += drawn[person]
			}
			of += float64(own)
			ofBoth += float64(own) * float64(students) / float64(len(r.students[i]))
		}
		return []float64{passed / max(of, 1), passedBoth / max(ofBoth, 1)}
	})
	return found[0], found[1]
}
