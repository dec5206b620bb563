package bench

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"rollcall/embedder"
	"rollcall/gallery"
)

// againstOptions are the flags of "bench against".
type againstOptions struct {
	models modelOptions
	faces  facesOptions
	cut    cutOptions

	students, rosters int
	margin            float32
}

func againstBench() Bench {
	return newBench("against", "whether one embedder recognises people as well as another",
		`Cuts crops as eval does and gives the same ones to two embedders, each
as the server uses it. In many rosters, whose students are drawn anew, one crop of
each student is enrolled, and the other crops and those of strangers are probes.
--embedder and --embedder-name say which embedder is the first, --against and
--against-name which is the second.

Prints, for an FPIR of 1 % and of 0.1 %, how many of the students' probes get the
right name under two rules. Calibrated: the verdict of a gallery, with the model's
calibration and the margin. Same FPIR: the right student is the most similar one,
over the threshold at which that share of the strangers' probes of all rosters get
a name; neither calibration nor margin plays a part.

Differences are the first embedder's share less the second's, with an interval of
95 %. It comes from a bootstrap: 1,000 times as many people are drawn as there are,
with replacement, and all their probes as students and as strangers are counted as
often as they were drawn, for both embedders. The threshold for the same FPIR is
found anew each time. The rosters stay: who is not drawn remains enrolled.`,
		&againstOptions{students: 160, rosters: 20, margin: gallery.DefaultMargin})
}

func (o *againstOptions) addFlags(set *pflag.FlagSet) {
	o.faces.addFlags(set)
	o.models.against.addFlags(set, "against", "second embedder", "")
	set.IntVar(&o.students, "students", o.students, "how many people with two pictures or more each roster enrols; 0: all")
	set.IntVar(&o.rosters, "rosters", o.rosters, "how many rosters")
	set.Float32Var(&o.margin, "margin", o.margin, "similarity by which the best student must be ahead of the next, where the model's calibration decides")
	o.cut.addFlags(set)
	o.models.addFlags(set)
}

func (o *againstOptions) validate() error {
	switch against := o.models.against; {
	case against.file == "" && against.name == "":
		return errors.New("--against or --against-name is missing: the second embedder, an ONNX file or the name of an installed one")
	case o.students < 0:
		return fmt.Errorf("--students is %d; it can be 0 (all) or more", o.students)
	case o.rosters < 1:
		return fmt.Errorf("--rosters is %d; it can be 1 or more", o.rosters)
	}
	settings := settingsAt(gallery.DefaultFPIR)
	settings.Margin = o.margin
	if err := settings.Check(); err != nil {
		return fmt.Errorf("--margin: %w", err)
	}
	return errors.Join(o.faces.validate(), o.cut.validate())
}

func (o *againstOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	second, err := w.beside(ctx, o.models.against)
	if err != nil {
		return nil, err
	}
	crops, err := o.cut.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	rosters := make([]roster, o.rosters)
	for i := range rosters {
		if rosters[i], err = newRoster(crops, o.students, o.cut.seed+uint64(i)); err != nil {
			return nil, err
		}
	}
	both := [2]*workbench{w, second}
	var probes, stored [2][]*embedder.Result
	for k, w := range both {
		if probes[k], err = ways(w)[0].embedAll(ctx, named(progress, w.embedder.Contract.Name), w, crops); err != nil {
			return nil, err
		}
	}
	x := newTrials(crops, rosters, probes[:]...)
	var known [2]gallery.Model
	var answers [2][]closest
	for k, w := range both {
		if stored[k], err = ways(w)[0].stored(ctx, named(progress, w.embedder.Contract.Name+", to be enrolled"), w, crops, probes[k], x.places()); err != nil {
			return nil, err
		}
		if answers[k], err = x.ask(ctx, stored[k], probes[k]); err != nil {
			return nil, err
		}
		if known[k], err = w.galleryModel(); err != nil {
			return nil, err
		}
	}
	res := newContest(x, known, answers, o.margin).result(o.margin, o.cut.seed)
	res.Models = [2]modelFacts{w.describe(), second.describe()}
	res.Pictures, res.Students, res.Rosters = len(crops), len(rosters[0].students), o.rosters
	res.Cosine = compareEmbeddings(probes)
	return res, nil
}

// compareEmbeddings compares the two embeddings of each crop; nil where none can be compared.
func compareEmbeddings(probes [2][]*embedder.Result) *cosines {
	var all []float64
	for i, a := range probes[0] {
		if b := probes[1][i]; a.Embedding != nil && len(a.Embedding) == len(b.Embedding) {
			all = append(all, float64(dot(a.Embedding, b.Embedding)))
		}
	}
	if all == nil {
		return nil
	}
	return &cosines{Median: median(all), P5: quantile(all, 0.05)}
}
