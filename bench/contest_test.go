package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall/embedder"
	"rollcall/gallery"
)

// contestModel is calibrated so that random embeddings reach its thresholds now and then.
var contestModel = gallery.Model{
	Name: "m", Digest: "d", Dimension: 16, Recipe: "r",
	Calibration: []gallery.Calibration{{FMR: 0.1, Similarity: 0.4}, {FMR: 0.01, Similarity: 0.5}, {FMR: 0.001, Similarity: 0.6}},
}

// madeUp returns crops of people, one to six each, and what two embedders made of them: the second sees
// less well. Some crops are usable for neither or one.
func madeUp(rng *rand.Rand, people int) (crops []crop, found [2][]*embedder.Result) {
	gauss := func(around []float32, by float64) []float32 {
		v := make([]float32, contestModel.Dimension)
		var square float64
		for i := range v {
			v[i] = float32(rng.NormFloat64() * by)
			if around != nil {
				v[i] += around[i]
			}
			square += float64(v[i]) * float64(v[i])
		}
		for i := range v {
			v[i] /= float32(math.Sqrt(square))
		}
		return v
	}
	for p := range people {
		centre := gauss(nil, 1)
		for i := range 1 + rng.IntN(6) {
			crops = append(crops, crop{name: fmt.Sprintf("p%d_%d", p, i), person: fmt.Sprintf("p%d", p)})
			seen := gauss(centre, 0.15)
			for k := range found {
				r := &embedder.Result{Model: contestModel.Name, Digest: contestModel.Digest, Recipe: contestModel.Recipe, Embedding: gauss(seen, 0.15*float64(k))}
				if rng.IntN(15) == 0 {
					r.Quality.Reasons = []embedder.Reason{embedder.NoFace}
					r.Embedding = nil
				}
				found[k] = append(found[k], r)
			}
		}
	}
	return crops, found
}

func madeUpRosters(t *testing.T, crops []crop, n, students int, seed uint64) (rosters []roster) {
	t.Helper()
	for i := range n {
		r, err := newRoster(crops, students, seed+uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		rosters = append(rosters, r)
	}
	return rosters
}

func madeUpContest(t *testing.T, crops []crop, rosters []roster, found [2][]*embedder.Result, margin float32) *contest {
	t.Helper()
	x := newTrials(crops, rosters, found[:]...)
	var answers [2][]closest
	for k := range answers {
		var err error
		if answers[k], err = x.ask(t.Context(), found[k], found[k]); err != nil {
			t.Fatal(err)
		}
	}
	return newContest(x, [2]gallery.Model{contestModel, contestModel}, answers, margin)
}

// TestContestAgainstGallery compares the calibrated rule with the verdicts of a gallery.
func TestContestAgainstGallery(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		crops, found := madeUp(rng, 40)
		for i, r := range found[0] { // the gallery enrols what one embedder can use
			switch {
			case !usable(r):
				found[1][i] = r
			case !usable(found[1][i]):
				found[0][i] = found[1][i]
			}
		}
		rosters := madeUpRosters(t, crops, 1, 12, seed)
		margin := float32(rng.IntN(2)) * 0.1
		res := madeUpContest(t, crops, rosters, found, margin).result(margin, seed)
		var seen verdictCounts
		for _, rule := range res.Rules {
			if !rule.Calibrated {
				continue
			}
			for k := range found {
				var v wayResult
				err := v.identify(t.Context(), crops, found[k], found[k], rosters[0], contestModel, gallery.Settings{FPIR: rule.FPIR, Margin: margin})
				if err != nil {
					t.Fatal(err)
				}
				if v.Enrolled != rule.Enrolled[k] || v.Strangers != rule.Strangers[k] || v.Threshold != rule.Threshold[k] || v.NotEnrolled != res.NotEnrolled {
					t.Errorf("seed %d, FPIR %g, embedder %d: %+v, %+v over %g; the gallery says %+v, %+v over %g", seed, rule.FPIR, k,
						rule.Enrolled[k], rule.Strangers[k], rule.Threshold[k], v.Enrolled, v.Strangers, v.Threshold)
				}
				if rank1 := res.Rank1[k]; rank1 != v.Rank1All {
					t.Errorf("seed %d: rank 1 %v, the gallery's %v", seed, rank1, v.Rank1All)
				}
				for _, c := range []verdictCounts{v.Enrolled, v.Strangers} {
					seen.Right += c.Right
					seen.Wrong += c.Wrong
					seen.Unknown += c.Unknown
					seen.Unusable += c.Unusable
				}
			}
		}
		if seen.Right == 0 || seen.Unknown == 0 || seen.Unusable == 0 {
			t.Errorf("seed %d has too few kinds of verdicts to compare: %+v", seed, seen)
		}
	}
}

// plainShares returns, for one embedder and a list of people (some twice, some missing), the shares of the
// students' probes that are right: at rank 1, and for each FPIR calibrated and at the same FPIR. It sorts and
// counts everything anew, one by one.
func plainShares(crops []crop, rosters []roster, found [2][]*embedder.Result, k int, margin float32, drawn []string) []float64 {
	type answer struct {
		student, right, match1, match2 bool // match: right by the calibration for 0.01, 0.001
		similarity                     float64
	}
	var all []answer
	for _, person := range drawn {
		for _, r := range rosters {
			enrolled := make(map[string]int)
			for _, s := range r.students {
				for _, i := range s.crops {
					if len(found[0][i].Quality.Reasons) == 0 && len(found[1][i].Quality.Reasons) == 0 {
						enrolled[s.person] = i
						break
					}
				}
			}
			for i, c := range crops {
				listed := slices.ContainsFunc(r.students, func(s student) bool { return s.person == person })
				at, is := enrolled[person]
				if c.person != person || is && at == i || listed && !is {
					continue
				}
				a := answer{student: is, similarity: -2}
				best, second, name := float32(-2), float32(-2), ""
				for other, j := range enrolled {
					if found[k][i].Embedding == nil {
						break
					}
					s := dot(found[k][j].Embedding, found[k][i].Embedding)
					if s > best {
						best, second, name = s, best, other
					} else if s > second {
						second = s
					}
				}
				a.similarity = float64(best)
				a.right = name == person
				ahead := best-second >= margin
				a.match1 = a.right && ahead && best >= contestModel.MatchThreshold(len(enrolled), 0.01)
				a.match2 = a.right && ahead && best >= contestModel.MatchThreshold(len(enrolled), 0.001)
				all = append(all, a)
			}
		}
	}
	var strangers []float64
	probes := 0
	for _, a := range all {
		if a.student {
			probes++
		} else {
			strangers = append(strangers, a.similarity)
		}
	}
	slices.Sort(strangers)
	slices.Reverse(strangers)
	share := func(is func(answer) bool) float64 {
		n := 0
		for _, a := range all {
			if a.student && is(a) {
				n++
			}
		}
		return float64(n) / float64(max(probes, 1))
	}
	same := func(fpir float64) float64 {
		limit := -1.0
		if allowed := int(fpir * float64(len(strangers))); allowed < len(strangers) {
			limit = max(limit, strangers[allowed])
		}
		return share(func(a answer) bool { return a.right && a.similarity > limit })
	}
	return []float64{
		share(func(a answer) bool { return a.right }),
		share(func(a answer) bool { return a.match1 }), same(0.01),
		share(func(a answer) bool { return a.match2 }), same(0.001),
	}
}

// TestDifferences compares what is counted of resampled people with the plain way.
func TestDifferences(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 2))
		crops, found := madeUp(rng, 30)
		rosters := madeUpRosters(t, crops, 4, 8, seed)
		const margin = 0.05
		c := madeUpContest(t, crops, rosters, found, margin)
		moved := false
		for round := range 10 {
			drawn := c.everybody()
			people := c.trials.people
			if round > 0 {
				clear(drawn)
				people = nil
				for range drawn {
					p := rng.IntN(len(drawn))
					drawn[p]++
					people = append(people, c.trials.people[p])
				}
			}
			got := c.differences(drawn)
			first := plainShares(crops, rosters, found, 0, margin, people)
			second := plainShares(crops, rosters, found, 1, margin, people)
			for i := range first {
				want := 100 * (first[i] - second[i])
				if math.Abs(got[i]-want) > 1e-9 {
					t.Errorf("seed %d, round %d, value %d: %g, the plain way %g", seed, round, i, got[i], want)
				}
				moved = moved || want != 0
			}
		}
		if !moved {
			t.Errorf("seed %d: the embedders do not differ", seed)
		}
	}
}

// TestBootstrap compares with a plain bootstrap of a mean: lists of what was drawn, sorted.
func TestBootstrap(t *testing.T) {
	const people, seed = 50, 7
	rng := rand.New(rand.NewPCG(seed, 3))
	values := make([]float64, people)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	got := bootstrap(people, seed, func(drawn []int) []float64 {
		var sum float64
		for i, times := range drawn {
			sum += float64(times) * values[i]
		}
		return []float64{sum / people, -sum}
	})
	var means []float64
	plain := rand.New(rand.NewPCG(seed, 0))
	for range resamples {
		var sum float64
		for range people {
			sum += values[plain.IntN(people)]
		}
		means = append(means, sum/people)
	}
	slices.Sort(means)
	low, high := means[24], means[974]
	if len(got) != 2 || math.Abs(got[0].Low-low) > 1e-9 || math.Abs(got[0].High-high) > 1e-9 || !(got[1].Low < got[1].High) {
		t.Errorf("%v; the plain way %g to %g", got, low, high)
	}
	// By the central limit theorem the interval reaches 1.96 standard errors to each side.
	var square float64
	middle := mean(values)
	for _, v := range values {
		square += (v - middle) * (v - middle)
	}
	want := 2 * 1.96 * math.Sqrt(square) / people
	if width := high - low; math.Abs(width/want-1) > 0.15 {
		t.Errorf("the interval is %g wide; expected some %g", width, want)
	}
}

// TestContestResult checks that what is printed agrees with itself.
func TestContestResult(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 4))
	crops, found := madeUp(rng, 60)
	c := madeUpContest(t, crops, madeUpRosters(t, crops, 10, 15, 1), found, 0.05)
	res := c.result(0.05, 1)
	for _, r := range res.Rules {
		points := 100 * (ratioOf(r.Enrolled[0].Right, r.Enrolled[0].Probes).Share - ratioOf(r.Enrolled[1].Right, r.Enrolled[1].Probes).Share)
		if math.Abs(points-r.Difference.Points) > 1e-9 || !(r.Difference.Low <= points && points <= r.Difference.High) {
			t.Errorf("%+v: right differ by %g", r, points)
		}
		for k, s := range r.Strangers {
			// Fewer than most where several rosters compare the same two crops, which are equally similar.
			most := int(r.FPIR * float64(s.Probes))
			if !r.Calibrated && (s.Wrong > most || s.Wrong < most-len(c.trials.enrolled)) {
				t.Errorf("embedder %d at FPIR %g: %d of %d strangers' probes are named, not up to %d", k, r.FPIR, s.Wrong, s.Probes, most)
			}
		}
		if r.Differ.Count == 0 {
			t.Errorf("no verdict differs: %+v", r)
		}
	}
	if res.Rules[1].Difference.Points <= 0 {
		t.Errorf("the second sees less well, but the first is not ahead: %+v", res.Rules[1])
	}
	same := madeUpContest(t, crops, madeUpRosters(t, crops, 3, 15, 1), [2][]*embedder.Result{found[0], found[0]}, 0.05).result(0.05, 1)
	for _, r := range same.Rules {
		if r.Difference != (difference{}) || r.Differ.Count != 0 {
			t.Errorf("an embedder differs from itself: %+v", r)
		}
	}
}

// TestSameFPIR gives just the share of strangers a name that may get one, and nobody for a similarity that
// a stranger too many has.
func TestSameFPIR(t *testing.T) {
	c := &contest{probes: []int{0, 3}, strangers: []int{200, 0}}
	for i := range 200 {
		c.parties[0].strangers = append(c.parties[0].strangers, scored{0, 0.9 - float32(i)/256})
	}
	third := c.parties[0].strangers[2].similarity
	c.parties[0].right = []scored{{1, 0.95}, {1, third + 0.001}, {1, third}}
	if got := c.exceeded(0, 0.01, []int{1, 1}); got != third {
		t.Errorf("two of 200 may be over the threshold: it is %g, want %g", got, third)
	}
	if got := c.recognised(0, 0.01, []int{1, 1}); got != 2 {
		t.Errorf("%d are recognised, want 2: the third is as similar as a stranger too many", got)
	}
}

// A crop that is too poor to enrol is still judged as a probe.
func TestPoorCropsAreProbes(t *testing.T) {
	crops, found := madeUp(rand.New(rand.NewPCG(1, 1)), 40)
	probes := found[0]
	for i, r := range probes {
		if !usable(r) {
			probes[i] = probes[0]
		}
	}
	people := madeUpRosters(t, crops, 1, 12, 1)[0]
	stored := slices.Clone(probes)
	for _, s := range people.students {
		poor := *stored[s.crops[0]]
		poor.Quality.Reasons = []embedder.Reason{embedder.LowQuality}
		stored[s.crops[0]] = &poor
	}
	var v wayResult
	if err := v.identify(t.Context(), crops, stored, probes, people, contestModel, gallery.Settings{}); err != nil {
		t.Fatal(err)
	}
	if v.Enrolled.Probes == 0 || v.Enrolled.Unusable > 0 || v.NotEnrolled > 0 {
		t.Errorf("%+v, %d not enrolled", v.Enrolled, v.NotEnrolled)
	}
}
