package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"rollcall/embedder"
	"rollcall/gallery"
)

// conditionsOptions are the flags of "bench conditions".
type conditionsOptions struct{ rosterOptions }

func conditionsBench() Bench {
	return newBench("conditions", "what turned, stretched, tight and poor crops do to verdicts",
		`Cuts crops as eval does, and deforms them as cameras and software do.
Students are enrolled with one crop each, once with an upright one and once with
one that is deformed like the probes: what is deformed alike may resemble each
other. Prints how many crops are usable, how many students' probes get the right
name and how many strangers' probes get any name; and how many pictures of two
faces side by side are refused because of that.`,
		&conditionsOptions{rosterOptions{students: 160, settings: settingsAt(0.01)}})
}

func (o *conditionsOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.mustLocate(); err != nil {
		return nil, err
	}
	res := conditionsResult{Model: w.describe(), Locator: w.locator, FPIR: o.settings.FPIR}
	model, err := w.galleryModel()
	if err != nil {
		return nil, err
	}
	var upright []*embedder.Result // as they are stored
	var people roster
	for i, d := range deformations() {
		crops, err := d.cutDeformed(ctx, o.cut, faces)
		if err != nil {
			return nil, err
		}
		found, err := locatedBy(w).embedAll(ctx, named(progress, d.name), w, crops)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			if people, err = newRoster(crops, o.students, o.cut.seed); err != nil {
				return nil, err
			}
			res.Students, res.Crops = len(people.students), len(crops)
		}
		stored, err := locatedBy(w).enrolled(ctx, progress, w, crops, found, people)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			upright = stored
		}
		c := condition{Name: d.name}
		c.count(found)
		if err := c.judge(ctx, crops, [2][]*embedder.Result{upright, stored}, found, people, model, o.settings); err != nil {
			return nil, err
		}
		res.Conditions = append(res.Conditions, c)
	}
	if res.Several, err = o.measureSeveral(ctx, progress, w, faces); err != nil {
		return nil, err
	}
	return res, nil
}

// named writes to progress which condition comes next.
func named(progress io.Writer, name string) io.Writer {
	fmt.Fprintf(progress, "%s:\n", name)
	return progress
}

// measureSeveral puts each crop beside that of another person.
func (o *conditionsOptions) measureSeveral(ctx context.Context, progress io.Writer, w *workbench, faces []face) ([]severalResult, error) {
	crops, err := o.cut.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	var results []severalResult
	for _, share := range []float64{1, 0.8} {
		next := 0
		pairs := make([]crop, 0, len(crops)/2)
		for next+1 < len(crops) {
			a, b := crops[next], crops[next+1]
			next += 2
			if a.person == b.person {
				continue
			}
			left, err := rgba(a)
			if err != nil {
				return nil, err
			}
			right, err := rgba(b)
			if err != nil {
				return nil, err
			}
			if a.jpeg, err = encode(beside(left, right, share)); err != nil {
				return nil, err
			}
			pairs = append(pairs, a)
		}
		found, err := locatedBy(w).embedAll(ctx, named(progress, "two faces"), w, pairs)
		if err != nil {
			return nil, err
		}
		several := 0
		for _, r := range found {
			if slices.Contains(r.Quality.Reasons, embedder.SeveralFaces) {
				several++
			}
		}
		results = append(results, severalResult{Share: share, Refused: ratioOf(several, len(found))})
	}
	return results, nil
}

// count counts what the embedder says of the crops.
func (c *condition) count(found []*embedder.Result) {
	fit, righted := 0, 0
	var locate []float64
	for _, r := range found {
		if usable(r) {
			fit++
		}
		if r.Quality.Turned != 0 || r.Embedding != nil && r.Quality.Stretched != 1 {
			righted++
		}
		locate = append(locate, milliseconds(r.Timings[embedder.StageLocate]))
	}
	c.Usable, c.Righted = ratioOf(fit, len(found)), ratioOf(righted, len(found))
	c.LocateMean, c.LocateP95 = mean(locate), quantile(locate, 0.95)
}

// judge asks two galleries for all probes: one of upright crops, one of crops that are deformed like
// the probes.
func (c *condition) judge(ctx context.Context, crops []crop, stored [2][]*embedder.Result, found []*embedder.Result, people roster, model gallery.Model, settings gallery.Settings) error {
	var results [2]wayResult
	for i := range results {
		if err := results[i].identify(ctx, crops, stored[i], found, people, model, settings); err != nil {
			return err
		}
	}
	clean, alike := results[0], results[1]
	c.Clean, c.CleanStrangers, c.CleanRank1 = clean.Enrolled, clean.Strangers, clean.Rank1
	c.Alike, c.AlikeStrangers = alike.Enrolled, alike.Strangers
	return nil
}
