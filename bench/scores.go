package bench

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// severalCrops are the galleries for which scores are compared.
var severalCrops = []struct {
	students, crops int
	wrong           bool // one of the crops is somebody else's
}{{100, 2, false}, {80, 3, false}, {40, 5, false}, {80, 3, true}}

// A studentScore is the score of a student by the crops' similarities to a probe. Alike
// are the similarities of the crops with each other, and quality says how far each can be
// trusted.
type studentScore struct {
	name  string
	score func(similarities []float32, alike [][]float32, quality []float64) float32
}

// studentScores are the ways that are compared with the gallery's.
var studentScores = []studentScore{
	{"best crop", func(s []float32, _ [][]float32, _ []float64) float32 { return slices.Max(s) }},
	{"mean of the best two", func(s []float32, _ [][]float32, _ []float64) float32 {
		sorted := slices.Clone(s)
		slices.SortFunc(sorted, func(a, b float32) int { return cmp.Compare(b, a) })
		return (sorted[0] + sorted[1]) / 2
	}},
	{"centroid", func(s []float32, alike [][]float32, _ []float64) float32 {
		return weighted(s, alike, func(int) float64 { return 1 })
	}},
	{"centroid weighted by quality", func(s []float32, alike [][]float32, quality []float64) float32 {
		return weighted(s, alike, func(i int) float64 { return quality[i] })
	}},
	{"centroid weighted by agreement", func(s []float32, alike [][]float32, _ []float64) float32 {
		return weighted(s, alike, func(i int) float64 {
			var sum float64
			for j, x := range alike[i] {
				if j != i {
					sum += float64(x)
				}
			}
			return max(0.05, sum/float64(len(s)-1))
		})
	}},
}

// weighted is the similarity to a weighted centroid.
func weighted(s []float32, alike [][]float32, weight func(i int) float64) float32 {
	var sum, square float64
	for i, x := range s {
		sum += weight(i) * float64(x)
		for j, y := range alike[i] {
			square += weight(i) * weight(j) * float64(y)
		}
	}
	return float32(sum / math.Sqrt(square))
}

// scoredGathering is what the scores make of one gathering: of each score, as in answered.
type scoredGathering struct{ genuine, strange [][]float32 }

// compareScores compares the ways for one model.
func compareScores(ctx context.Context, p calibrated, seed uint64, seeds int) (rows []scoreRow, err error) {
	for _, e := range severalCrops {
		if !p.crowd.draw(seed, e.students, e.crops).askable() {
			continue
		}
		found := make([]scoredGathering, seeds)
		students := 0
		err := each(ctx, seeds, func(ctx context.Context, i int) error {
			d := p.crowd.draw(seed+uint64(i), e.students, e.crops)
			if i == 0 {
				students = len(d.students)
			}
			if e.wrong {
				d.misplace(p.crowd)
			}
			asked, err := p.ask(ctx, d)
			if err != nil {
				return err
			}
			found[i] = p.crowd.score(d)
			found[i].genuine, found[i].strange = append(found[i].genuine, asked.genuine), append(found[i].strange, asked.strange)
			return nil
		})
		if err != nil {
			return nil, err
		}
		for k := range len(studentScores) + 1 {
			row := scoreRow{Model: p.name, Students: students, Crops: e.crops, Wrong: e.wrong, Score: "the gallery's"}
			if k < len(studentScores) {
				row.Score = studentScores[k].name
			}
			var genuine, strange []float64
			for _, f := range found {
				for _, s := range f.genuine[k] {
					genuine = append(genuine, float64(s))
				}
				for _, s := range f.strange[k] {
					strange = append(strange, float64(s))
				}
			}
			for i, fpir := range contestFPIRs {
				at := quantile(strange, 1-fpir)
				row.At[i] = float32(at)
				missed := 0
				for _, s := range genuine {
					if s < at {
						missed++
					}
				}
				row.FNIR[i] = ratioOf(missed, len(genuine)).Share
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// misplace makes the last crop of every second student that of somebody else,
// who is no stranger from then on.
func (d *gathering) misplace(c *crowd) {
	for i := range d.enrolled {
		if i%2 == 1 || len(d.strange) == 0 {
			continue
		}
		wrong := d.strange[len(d.strange)-1]
		crops := slices.Clone(d.enrolled[i])
		crops[len(crops)-1] = wrong
		d.enrolled[i] = crops
		d.strange = slices.DeleteFunc(d.strange, func(s int) bool { return c.person[s] == c.person[wrong] })
	}
}

// score scores all probes of a gathering in each of studentScores.
func (c *crowd) score(d gathering) (found scoredGathering) {
	alike := make([][][]float32, len(d.enrolled))
	for i, crops := range d.enrolled {
		for _, a := range crops {
			row := make([]float32, len(crops))
			for j, b := range crops {
				row[j] = dot(c.stored[a], c.stored[b])
			}
			alike[i] = append(alike[i], row)
		}
	}
	n := len(studentScores)
	found.genuine, found.strange = make([][]float32, n), make([][]float32, n)
	similarities := make([]float32, len(d.enrolled[0]))
	quality := make([]float64, len(similarities))
	best := make([]float32, n)
	whose := make([]int, n)
	nearest := func(probe int) {
		for k := range best {
			best[k], whose[k] = -1, nobody
		}
		for i, crops := range d.enrolled {
			for j, e := range crops {
				similarities[j] = dot(c.stored[e], c.probes[probe])
				quality[j] = c.quality[e]
			}
			for k, way := range studentScores {
				if s := way.score(similarities, alike[i], quality); s > best[k] {
					best[k], whose[k] = s, d.students[i]
				}
			}
		}
	}
	for _, probe := range d.genuine {
		nearest(probe)
		for k, s := range best {
			if whose[k] != c.person[probe] {
				s = -1
			}
			found.genuine[k] = append(found.genuine[k], s)
		}
	}
	for _, probe := range d.strange {
		nearest(probe)
		for k, s := range best {
			found.strange[k] = append(found.strange[k], s)
		}
	}
	return found
}
