package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/pflag"

	"rollcall/embedder"
)

// locatorOptions are the flags of "bench locator".
type locatorOptions struct {
	models modelOptions
	faces  facesOptions

	seed uint64
}

func locatorBench() Bench {
	return newBench("locator", "how exactly a locator finds the landmarks of rough crops",
		`Cuts a crop from each picture of a folder of faces (see eval) as roughly
as a detector would at worst: the face fills 40 to 100 % of it, off centre by up
to a fifth, turned by up to 30 degrees; 40 to 600 pixels a side; every fifth
dark, blurred or grey. Beside it a patch without a face. Prints how far the
landmarks are from those of faces.csv, and how well the locator's score tells
the crops from the patches.`,
		new(locatorOptions))
}

func (o *locatorOptions) addFlags(set *pflag.FlagSet) {
	o.faces.addFlags(set)
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
	o.models.addFlags(set)
}

func (o *locatorOptions) validate() error { return o.faces.validate() }

func (o *locatorOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.mustLocate(); err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "cutting %d crops and patches …\n", len(faces))
	cut := roughCut(o.seed)
	crops, err := cut.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	var patches []crop
	for _, f := range faces {
		patch, ok, err := cut.patch(f)
		if err != nil {
			return nil, fmt.Errorf("cut a patch of %s: %w", f.name, err)
		}
		if ok {
			patches = append(patches, patch)
		}
	}
	y := locatedBy(w)
	found, err := y.embedAll(ctx, progress, w, crops)
	if err != nil {
		return nil, err
	}
	others, err := y.embedAll(ctx, progress, w, patches)
	if err != nil {
		return nil, err
	}
	res := locatorResult{Locator: w.locator, Crops: len(crops), Patches: len(patches)}
	res.measure(crops, found, others)
	return res, nil
}

// goodLandmarks is the error, in distances between the eyes, up to which an
// embedding hardly suffers.
const goodLandmarks = 0.08

// locatorResult is what "bench locator" prints.
type locatorResult struct {
	Locator   string         `json:"locator"`
	Crops     int            `json:"crops"`
	Patches   int            `json:"patches"`
	NotFound  ratio          `json:"not_found"`    // of the crops
	Mistaken  ratio          `json:"patches_seen"` // patches that pass for a face
	Landmarks landmarkErrors `json:"landmark_errors"`
	Good      ratio          `json:"landmarks_good"` // of the crops with a face, those with an error up to 0.08
	// AUC is the chance that a crop scores higher than a patch.
	AUC float64 `json:"auc"`
}

func (r *locatorResult) measure(crops []crop, found, others []*embedder.Result) {
	var distances, yes, no []float64
	for i, f := range found {
		yes = append(yes, float64(f.Quality.LocatorScore))
		if f.Landmarks != nil {
			distances = append(distances, landmarkError(*f.Landmarks, crops[i].landmarks))
		}
	}
	seen := 0
	for _, f := range others {
		no = append(no, float64(f.Quality.LocatorScore))
		if f.Landmarks != nil {
			seen++
		}
	}
	good := 0
	for _, e := range distances {
		if e <= goodLandmarks {
			good++
		}
	}
	r.NotFound, r.Mistaken = ratioOf(len(found)-len(distances), len(found)), ratioOf(seen, len(others))
	r.Good, r.AUC = ratioOf(good, len(distances)), areaUnderCurve(yes, no)
	r.Landmarks = landmarkErrors{Mean: mean(distances), P95: quantile(distances, 0.95)}
}

// areaUnderCurve takes every pair of a number of yes and one of no, and returns the
// share in which that of yes is larger. Equal numbers count half. It sorts the slice no.
func areaUnderCurve(yes, no []float64) float64 {
	slices.Sort(no)
	var below float64
	for _, v := range yes {
		low, _ := slices.BinarySearch(no, v)
		high := low
		for high < len(no) && no[high] == v {
			high++
		}
		below += float64(low+high) / 2
	}
	return below / float64(max(len(yes)*len(no), 1))
}

func (r locatorResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("locator %s on rough crops\n  %d crops, %d patches without a face", r.Locator, r.Crops, r.Patches),
		header: []string{"", ""},
	}
	t.row("landmark error, mean and 95th percentile", fmt.Sprintf("%.4f, %.4f eye distances", r.Landmarks.Mean, r.Landmarks.P95))
	t.row(fmt.Sprintf("  up to %g", goodLandmarks), r.Good.String())
	t.row("crops without a face found", r.NotFound.String())
	t.row("patches taken for a face", r.Mistaken.String())
	t.row("area under the curve of the scores", fmt.Sprintf("%.5f", r.AUC))
	return []table{t}
}
