package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/gallery"
)

// study is what eval looks into beside the error rates: of the server's way.
type study struct {
	crops   []crop
	found   []*embedder.Result // of the crops as probes
	stored  []*embedder.Result // of the crops as a server stores them
	model   gallery.Model
	options *evalOptions
	labels  []labelColumn
}

// fill adds to res all that rests on v, the measurement of the way.
func (s *study) fill(ctx context.Context, progress io.Writer, res *evalResult, v wayResult) error {
	res.DET, res.Histogram = v.pairs.det(), v.pairs.histogram()
	res.Failures = s.failures(v)
	res.FailureSum = len(res.Failures)
	res.Failures = res.Failures[:min(len(res.Failures), mostFailures)]
	res.Strangers = s.mostAlike(v.pairs)
	res.Fairness = s.fairness(ctx, v)
	var err error
	res.OpenSet, err = s.openSets(ctx, progress)
	return err
}

// stageTimes gathers how long the embedder's stages take. It is safe for concurrent use.
type stageTimes struct {
	mu    sync.Mutex
	times map[embedder.Stage][]time.Duration // guarded by mu
}

func (t *stageTimes) add(s embedder.Stage, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.times == nil {
		t.times = make(map[embedder.Stage][]time.Duration)
	}
	t.times[s] = append(t.times[s], d)
}

// stageTime is the time of one stage, for one crop.
type stageTime struct {
	Stage string `json:"stage"`
	latency
}

// summarise returns the stages in the order in which a crop goes through them. To wait for
// a free session is none of them: eval embeds several crops at once.
func (t *stageTimes) summarise() (list []stageTime) {
	for s := embedder.StageDecode; s <= embedder.StageFinish; s++ {
		if len(t.times[s]) > 0 {
			list = append(list, stageTime{s.String(), summarise(t.times[s])})
		}
	}
	return list
}

// detPoint is the share of pairs of one person that do not reach the similarity which a
// share FMR of the pairs of two people reaches.
type detPoint struct {
	FMR        float64 `json:"fmr"`
	FNMR       float64 `json:"fnmr"`
	Similarity float64 `json:"similarity"`
}

// det returns the curve, at ten points for each power of ten of the FMR, as far as minErrors
// comparisons reach.
func (c *comparisons) det() (curve []detPoint) {
	for step := 0; step <= 60; step++ {
		fmr := math.Pow(10, -float64(step)/10)
		similarity, tpr, ok := c.at(fmr)
		if !ok {
			break
		}
		curve = append(curve, detPoint{FMR: fmr, FNMR: 1 - tpr, Similarity: similarity})
	}
	return curve
}

// alikeness is the share of the pairs of one person, and of two, from a similarity on to
// the next one.
type alikeness struct {
	Similarity float64 `json:"similarity"`
	Genuine    float64 `json:"genuine"`
	Impostor   float64 `json:"impostor"`
}

// histogramStep is the width of a bar: a hundred of them from -1 to 1.
const histogramStep = 0.02

func (c *comparisons) histogram() []alikeness {
	bars := make([]alikeness, int(math.Round(2/histogramStep)))
	for i := range bars {
		bars[i].Similarity = float64(i)*histogramStep - 1
	}
	per := int(math.Round(histogramStep / similarityStep))
	for bin := range similarityBins {
		bar := &bars[min(bin/per, len(bars)-1)]
		bar.Genuine += float64(c.genuine[bin]) / float64(max(c.genuines, 1))
		bar.Impostor += float64(c.impostor[bin]) / float64(max(c.impostors, 1))
	}
	return bars
}

// failure is one crop with which something went wrong.
type failure struct {
	What       string  `json:"what"` // "wrong match", …
	File       string  `json:"file"`
	Person     string  `json:"person"`
	Student    string  `json:"student,omitempty"` // the most similar one
	Similarity float32 `json:"similarity,omitempty"`
	Reasons    string  `json:"reasons,omitempty"`
}

// mostFailures bounds the list: nobody looks at more.
const mostFailures = 1000

// The kinds of failures, the worst first.
var failureKinds = []string{"stranger matched", "wrong match", "not recognised", "ambiguous", "unusable"}

func (s *study) failures(v wayResult) (list []failure) {
	add := func(kind int, p probe, reasons ...string) {
		f := failure{What: failureKinds[kind], File: s.crops[p.crop].name, Person: s.crops[p.crop].person, Reasons: strings.Join(reasons, ", ")}
		if c := p.found.Candidates; len(c) > 0 {
			f.Student, f.Similarity = c[0].StudentID, c[0].Similarity
		}
		list = append(list, f)
	}
	for _, p := range v.probes {
		match := p.found.Verdict == gallery.Match
		switch r := v.results[p.crop]; {
		case !usable(r):
			reasons := make([]string, len(r.Quality.Reasons))
			for i, reason := range r.Quality.Reasons {
				reasons[i] = strings.ToLower(strings.ReplaceAll(string(reason), "_", " "))
			}
			add(4, p, reasons...)
		case match && p.student == "":
			add(0, p)
		case match && p.found.StudentID != p.student:
			add(1, p)
		case p.student != "" && p.found.Verdict == gallery.Unknown:
			add(2, p)
		case p.student != "" && p.found.Verdict == gallery.Ambiguous:
			add(3, p)
		}
	}
	slices.SortStableFunc(list, func(a, b failure) int {
		return cmp.Or(slices.Index(failureKinds, a.What)-slices.Index(failureKinds, b.What), cmp.Compare(b.Similarity, a.Similarity))
	})
	return list
}

// strangers are two crops of different people that are very alike. They may be of one person
// who has two folders, or one of them lies in the wrong folder.
type strangers struct {
	FileA      string  `json:"file_a"`
	FileB      string  `json:"file_b"`
	Similarity float32 `json:"similarity"`
}

// strangersListed is how many pairs are listed.
const strangersListed = 20

// mostAlike returns the nearest crops of different people: one pair for each two people.
func (s *study) mostAlike(pairs *comparisons) (list []strangers) {
	// So similar must they be: a few times as many crops as are listed, for pairs of one
	// pair of people.
	var over int64
	bin := similarityBins
	for bin > 0 && over < 10*strangersListed {
		bin--
		over += pairs.impostor[bin]
	}
	floor := float32(float64(bin)*similarityStep - 1)
	best := make(map[[2]string]strangers)
	for i, a := range s.found {
		for j, b := range s.found[:i] {
			if s.crops[i].person == s.crops[j].person || a.Embedding == nil || b.Embedding == nil {
				continue
			}
			similarity := dot(a.Embedding, b.Embedding)
			people := [2]string{s.crops[j].person, s.crops[i].person}
			if similarity >= floor && similarity > best[people].Similarity {
				best[people] = strangers{s.crops[j].name, s.crops[i].name, similarity}
			}
		}
	}
	for _, pair := range best {
		list = append(list, pair)
	}
	slices.SortFunc(list, func(a, b strangers) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), strings.Compare(a.FileA, b.FileA), strings.Compare(a.FileB, b.FileB))
	})
	return list[:min(len(list), strangersListed)]
}

// openSet is what galleries of one size come to, over some rosters.
type openSet struct {
	Students  int `json:"students"`
	Rosters   int `json:"rosters"`
	Probes    int `json:"student_probes"`
	Strangers int `json:"stranger_probes"`

	// Of the server's own threshold and margin.
	FPIR ratio `json:"fpir"`
	FNIR ratio `json:"fnir"`

	// Curve is of all thresholds, without the margin.
	Curve []searchPoint `json:"curve"`
}

// searchPoint is the share of the students' probes that are not recognised, with the
// threshold that a share FPIR of the strangers' probes reaches.
type searchPoint struct {
	FPIR       float64 `json:"fpir"`
	FNIR       float64 `json:"fnir"`
	Similarity float64 `json:"similarity"`
}

const (
	// openRosters are drawn for each size, so that one roster's luck counts less.
	openRosters = 3
	// leastStrangers is how many strangers' probes a curve begins with at least.
	leastStrangers = 3
)

// openSizes are the sizes of the galleries: a class, a year, a school.
var openSizes = []int{30, 100, 300, 1000, 3000}

func (s *study) openSets(ctx context.Context, progress io.Writer) (list []openSet, err error) {
	people := peopleToEnrol(s.crops)
	m := terminal.NewMeter(progress, "identifying, galleries of several sizes", "rosters")
	defer m.End()
	var sizes []int
	for _, n := range openSizes {
		if n < people {
			sizes = append(sizes, n)
		}
	}
	if len(sizes) == 0 {
		sizes = []int{max(people/2, 1)}
	}
	for _, n := range sizes {
		set := openSet{Students: n, Rosters: openRosters}
		var right, strangers []float64 // similarities: of students' probes whose best student is the right one, of strangers'
		for i := range uint64(openRosters) {
			r, err := newRoster(s.crops, n, s.options.cut.seed+i)
			if err != nil {
				return nil, err
			}
			var v wayResult
			if err := v.identify(ctx, s.crops, s.stored, s.found, r, s.model, s.options.settings); err != nil {
				return nil, err
			}
			set.Probes += v.Enrolled.Probes
			set.Strangers += v.Strangers.Probes
			set.FPIR.Count += v.FPIR.Count
			set.FNIR.Count += v.FNIR.Count
			for _, p := range v.probes {
				switch c := p.found.Candidates; {
				case len(c) == 0 || !usable(v.results[p.crop]):
				case p.student == "":
					strangers = append(strangers, float64(c[0].Similarity))
				case c[0].StudentID == p.student:
					right = append(right, float64(c[0].Similarity))
				}
			}
			m.Add(len(sizes) * openRosters)
		}
		set.FPIR, set.FNIR = ratioOf(set.FPIR.Count, set.Strangers), ratioOf(set.FNIR.Count, set.Probes)
		set.Curve = searchCurve(right, strangers, set.Probes, set.Strangers)
		list = append(list, set)
	}
	return list, nil
}

// searchCurve returns ten points for each power of ten of the FPIR. Right and strange are
// the similarities that count; students and strangers are all probes, with those that are
// never matched.
func searchCurve(right, strange []float64, students, strangers int) (curve []searchPoint) {
	slices.Sort(right)
	slices.Sort(strange)
	for step := 0; ; step++ {
		fpir := math.Pow(10, -float64(step)/10)
		may := int(fpir * float64(strangers))
		if may < leastStrangers {
			return curve
		}
		if may >= len(strange) {
			continue
		}
		// As many as may reach it; an equal one more would be too many.
		threshold := math.Nextafter(strange[len(strange)-1-may], 2)
		at, _ := slices.BinarySearch(right, threshold)
		recognised := len(right) - at
		curve = append(curve, searchPoint{
			FPIR: fpir, FNIR: 1 - float64(recognised)/float64(max(students, 1)), Similarity: threshold,
		})
	}
}

// at returns the FNIR at an FPIR that the curve has.
func (s openSet) at(fpir float64) string {
	for _, p := range s.Curve {
		if math.Abs(p.FPIR/fpir-1) < 1e-9 {
			return fmt.Sprintf("%s at %.4f", percent(p.FNIR), p.Similarity)
		}
	}
	return "too few strangers"
}
