package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/gallery"
)

// evalOptions are the flags of "eval".
type evalOptions struct {
	rosterOptions
	labels      string
	report      string
	calibrate   bool
	mirror      bool
	calibration string
}

const evalName = "eval"

const evalHelp = `Enrols one crop of some people of a folder, and identifies their other crops, and those
of everybody else, who are strangers then. Everything is done as the server does it:
decoding, locating, aligning, embedding, the gallery's verdict. Nothing leaves this machine.

The folder has a folder with crops for each person, DIR/PERSON/any-name.jpg: that is what
"rollcall enroll" takes. Or it holds faces.csv (picture, person, split, five landmarks) and
faces-192.tar (the pictures); then crops are cut as a detector would, and three ways are
compared: with the landmarks that the locator finds, which is what a server does; with those
of faces.csv, which no locator can better; and without any.

With --report it also writes one HTML file that needs no other: error rates and their curves,
galleries of several sizes, how alike crops are, each failure with its file, the time of each
stage, and, with --labels, the error rates of each group of people. The labels are a CSV file
whose first column is named "person" or "file", as they are called in the folder.

With --calibrate it prints the similarities at which two different people are
taken for one (FMR 1e-1, 1e-2, ...), for the contract of a model: down to the
FMR that 30 pairs of people reach, and from there to 1e-6 by a tail that is fitted
to the similarities. Every pair of people counts the same, however many pictures
they have.`

func (o *evalOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.report, "report", "", "write a report to this HTML file")
	set.StringVar(&o.labels, "labels", "", "CSV file with labels of people or files, to compare error rates by")
	o.faces.addSplit(set)
	o.addOtherFlags(set)
	set.Lookup("students").Usage = "how many people with two crops or more are enrolled; 0: half of them"
	set.BoolVar(&o.calibrate, "calibrate", false, "print a calibration for the model's contract instead; not from the split test")
	set.BoolVar(&o.mirror, "mirror", false, "also measure the mean of each embedding and that of the mirrored crop, for enrolled crops and for all")
	set.StringVar(&o.calibration, "calibration", "", "judge by the calibration in this file, which --calibrate printed, instead of the contract's")
}

func (o *evalOptions) validate() error {
	if o.faces.folder == "" {
		return errors.New("eval needs the folder of the people")
	}
	if o.listed() && o.calibrate && o.faces.split == splitTest {
		return fmt.Errorf("--calibrate cannot use the split %s, whose people are kept for measuring: use --split %s or %s", splitTest, splitValidation, splitTrain)
	}
	if o.mirror && !o.listed() {
		return errors.New("--mirror needs a folder with " + facesTable)
	}
	return o.rosterOptions.validate()
}

func (o *evalOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	crops, err := o.read(ctx, progress)
	if err != nil {
		return nil, err
	}
	if o.calibrate {
		return o.calibrated(ctx, progress, w, crops)
	}
	labels, err := readLabels(o.labels, crops)
	if err != nil {
		return nil, err
	}
	if o.students == 0 {
		o.students = max(peopleToEnrol(crops)/2, 1)
	}
	roster, err := newRoster(crops, o.students, o.cut.seed)
	if err != nil {
		return nil, err
	}
	model, err := w.galleryModel()
	if err != nil {
		return nil, err
	}
	if o.calibration != "" {
		if model.Calibration, err = readCalibration(o.calibration); err != nil {
			return nil, err
		}
	}
	res := evalResult{Model: w.describe(), Pictures: len(crops), Students: len(roster.students), Rule: o.rule(model)}
	for i, way := range o.ways(w) {
		stages := new(stageTimes)
		way.stages = stages
		found, err := way.embedAll(ctx, progress, w, crops)
		if err != nil {
			return nil, err
		}
		v := wayResult{Way: way.name}
		if way.locates && o.listed() {
			v.Landmarks = measureLandmarks(crops, found)
		}
		way.stages = nil
		enrolled, err := way.enrolled(ctx, progress, w, crops, found, roster)
		if err != nil {
			return nil, err
		}
		if err := v.measure(ctx, crops, enrolled, found, roster, model, o.settings); err != nil {
			return nil, err
		}
		res.Ways = append(res.Ways, v)
		if i == 0 {
			res.Stages = stages.summarise()
			stored, err := way.embed(ctx, progress, w, crops, true)
			if err != nil {
				return nil, err
			}
			s := study{crops: crops, found: found, stored: stored, model: model, options: o, labels: labels}
			if err := s.fill(ctx, progress, &res, v); err != nil {
				return nil, err
			}
		}
		if i == 0 && o.mirror {
			both, err := way.withMirrored(ctx, progress, w, crops, found)
			if err != nil {
				return nil, err
			}
			if err := o.measureMirrored(ctx, &res, crops, found, both, roster, model); err != nil {
				return nil, err
			}
		}
	}
	if o.report != "" {
		return res, writeReport(o.report, res)
	}
	return res, nil
}

// ways returns the ways that are compared. Only faces.csv tells where landmarks are.
func (o *evalOptions) ways(w *workbench) []way {
	all := ways(w)
	if !o.listed() {
		return all[:1]
	}
	return all
}

// measureMirrored adds to res the accuracy with both, which are the results that withMirrored returns.
func (o *evalOptions) measureMirrored(ctx context.Context, res *evalResult, crops []crop, found, both []*embedder.Result, r roster, model gallery.Model) error {
	for _, v := range []struct {
		name             string
		enrolled, probes []*embedder.Result
	}{{"none mirrored", found, found}, {"enrolled ones mirrored", both, found}, {"all mirrored", both, both}} {
		m := wayResult{Way: v.name}
		if err := m.measure(ctx, crops, v.enrolled, v.probes, r, model, o.settings); err != nil {
			return err
		}
		res.Ways = append(res.Ways, m)
	}
	return nil
}

// measure compares all probes with one another. Then it enrols the roster's students with their results
// in enrolled, and identifies the other probes.
func (v *wayResult) measure(ctx context.Context, crops []crop, enrolled, probes []*embedder.Result, r roster, model gallery.Model, settings gallery.Settings) error {
	if err := v.verify(ctx, crops, probes); err != nil {
		return err
	}
	return v.identify(ctx, crops, enrolled, probes, r, model, settings)
}

// rule says which threshold decides.
func (o *evalOptions) rule(m gallery.Model) string {
	if len(m.Calibration) == 0 {
		return fmt.Sprintf("published threshold, similarity %.3f: the model is not calibrated", m.Threshold)
	}
	return fmt.Sprintf("calibrated threshold for an FPIR of %g", o.settings.FPIR)
}

// calibrated returns the calibration of the server's way.
func (o *evalOptions) calibrated(ctx context.Context, progress io.Writer, w *workbench, crops []crop) (result, error) {
	way := ways(w)[0]
	found, err := way.embedAll(ctx, progress, w, crops)
	if err != nil {
		return nil, err
	}
	pairs, err := compareImpostors(ctx, embeddingsOf(found), peopleOf(crops, found))
	if err != nil {
		return nil, err
	}
	source := fmt.Sprintf("rollcall eval --calibrate --split %s --seed %d --grow %g --shift %g --turn %g, %s, %d crops",
		o.faces.split, o.cut.seed, o.cut.grow, o.cut.shift, o.cut.turn, way.name, len(crops))
	table, err := pairs.calibrate(source)
	if err != nil {
		return nil, err
	}
	return table, nil
}

// A way is where the landmarks come from.
type way struct {
	name    string
	given   bool        // with the request
	locates bool        // by a locator
	stages  *stageTimes // takes the times of the embedder's stages; may be nil
}

// ways returns the ways that make a difference for the model, the server's first.
func ways(w *workbench) []way {
	if !w.aligns() {
		return []way{{name: "no landmarks needed"}}
	}
	all := []way{{name: "landmarks given", given: true}, {name: "no landmarks"}}
	if w.locator != "" {
		all = append([]way{locatedBy(w)}, all...)
	}
	return all
}

// locatedBy is the way of a server.
func locatedBy(w *workbench) way { return way{name: "locator " + w.locator, locates: true} }

// enrolled returns found, in which each crop that is enrolled has the result that a server stores for it. A
// crop that may be a probe may be too poor to be enrolled; then the student's next one is tried.
func (y way) enrolled(ctx context.Context, progress io.Writer, w *workbench, crops []crop, found []*embedder.Result, r roster) ([]*embedder.Result, error) {
	out := slices.Clone(found)
	for left := r.students; len(left) > 0; {
		var next []student
		var places []int
		for _, s := range left {
			if i := s.enrolled(found); i >= 0 {
				places = append(places, i)
				rest := s.crops[slices.Index(s.crops, i)+1:]
				next = append(next, student{person: s.person, crops: rest})
			}
		}
		if len(places) == 0 {
			break
		}
		stored, err := y.stored(ctx, progress, w, crops, found, places)
		if err != nil {
			return nil, err
		}
		left = nil
		for k, i := range places {
			if out[i] = stored[i]; !usable(stored[i]) {
				left = append(left, next[k])
			}
		}
	}
	return out, nil
}

// stored returns found, in which the crops at places have the results that a server stores for them.
func (y way) stored(ctx context.Context, progress io.Writer, w *workbench, crops []crop, found []*embedder.Result, places []int) ([]*embedder.Result, error) {
	chosen := make([]crop, len(places))
	for k, i := range places {
		chosen[k] = crops[i]
	}
	stored, err := y.embed(ctx, progress, w, chosen, true)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(found)
	for k, i := range places {
		out[i] = stored[k]
	}
	return out, nil
}

// embedAll embeds the crops as probes, in their order.
func (y way) embedAll(ctx context.Context, progress io.Writer, w *workbench, crops []crop) ([]*embedder.Result, error) {
	return y.embed(ctx, progress, w, crops, false)
}

// embed embeds the crops, to be enrolled or as probes, in their order.
func (y way) embed(ctx context.Context, progress io.Writer, w *workbench, crops []crop, enrol bool) (results []*embedder.Result, err error) {
	var opts embedder.Options
	if !y.locates {
		opts.Locator = embedder.LocatorNone
	}
	if y.stages != nil {
		opts.Observe = y.stages.add
	}
	e, err := w.newEmbedder(opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	loaded, err := e.Load(ctx, w.embedder.Contract.Name)
	if err != nil {
		return nil, err
	}
	m := terminal.NewMeter(progress, "embedding, "+y.name, "crops")
	defer m.End()
	results = make([]*embedder.Result, len(crops))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loaded.Sessions + 1) // one decodes while the others run
	for i, c := range crops {
		group.Go(func() (err error) {
			defer m.Add(len(crops))
			image, err := c.image()
			if err != nil {
				return err
			}
			req := embedder.Request{Image: image, Model: w.embedder.Contract.Name, Enrol: enrol}
			if y.given {
				req.Landmarks = &c.landmarks
			}
			results[i], err = e.Embed(ctx, req)
			if c.file != "" && unreadable(err) {
				results[i], err = &embedder.Result{Quality: embedder.Quality{Reasons: []embedder.Reason{reasonUnreadable}}}, nil
			}
			return err
		})
	}
	return results, group.Wait()
}

// withMirrored returns found, in which each embedding is replaced by the mean, of unit length, of it and of
// the mirrored crop's, where both crops have one.
func (y way) withMirrored(ctx context.Context, progress io.Writer, w *workbench, crops []crop, found []*embedder.Result) ([]*embedder.Result, error) {
	crops, err := changeAll(ctx, crops, mirrored)
	if err != nil {
		return nil, err
	}
	others, err := y.embedAll(ctx, progress, w, crops)
	if err != nil {
		return nil, err
	}
	out := make([]*embedder.Result, len(found))
	for i, r := range found {
		both := *r
		if r.Embedding != nil && others[i].Embedding != nil {
			both.Embedding = make([]float32, len(r.Embedding))
			var square float64
			for k := range both.Embedding {
				both.Embedding[k] = r.Embedding[k] + others[i].Embedding[k]
				square += float64(both.Embedding[k] * both.Embedding[k])
			}
			for k := range both.Embedding {
				both.Embedding[k] /= float32(math.Sqrt(square))
			}
		}
		out[i] = &both
	}
	return out, nil
}

// embeddingsOf returns the embeddings of the crops that have one.
func embeddingsOf(found []*embedder.Result) (embeddings [][]float32) {
	for _, r := range found {
		if r.Embedding != nil {
			embeddings = append(embeddings, r.Embedding)
		}
	}
	return embeddings
}

// peopleOf returns the person of each embedding that embeddingsOf returns.
func peopleOf(crops []crop, found []*embedder.Result) (people []string) {
	for i, r := range found {
		if r.Embedding != nil {
			people = append(people, crops[i].person)
		}
	}
	return people
}
