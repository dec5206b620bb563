package gallery

import (
	"math"

	"rollcall/storage"
)

// A gallery calibrates a model by its own students: each is a stranger to all others.
// Its comparisons are too few to show how rarely a stranger reaches the threshold: 100
// students make 4,950 pairs, and a FPIR of 0.1 % needs what happens once in 100,000. So
// a shape is taken from elsewhere, moved and scaled to what the pairs show. The shape is
// the model's own calibration, or else nearly a normal distribution.
//
// Measured on people of train, 40 galleries of each kind, as the reached FPIR by the
// wanted one, at 1 % and at 0.1 %. The built-in model, with a table that is lower by 0.1:
// 100 students 1.2 and .9, 400 students 1.1 and 1.2, 80 with three crops 1.4 and 1.8 (its true
// table reaches 1.3 and 1.2, 1.3 and 1.4, 1.6 and 2.4 in the same galleries). mobilefacenet-128
// without its table: 1.1 and 1.1, 1.1 and 1.0, 1.2 and 1.4. Where each level counted the same, however
// few pairs were behind it, the rates spread by a fifth to two fifths more (standard deviation
// of their logarithms). A generalised Pareto tail over the 99th percentile instead: 1.5 to 7
// and 2 to 60, since a few pairs decide.
// ("rollcall bench calibration" prints what came of it.)

const (
	// similarityBins is how many bins the similarities are counted in.
	similarityBins = 4096

	// leastBehind is how many comparisons are behind each level that the shape is fitted
	// to. Each pair of students is compared twice.
	leastBehind = 40

	// levelsPerDecade is how many levels there are to a decade of the FMR.
	levelsPerDecade = 4

	// flat is how little a model's calibration may rise: with less it has no shape.
	flat = 0.02

	// tailWeight is how much heavier than a normal distribution's the tail is for a model
	// without a calibration. Chosen with mobilefacenet-128 on the people of train; with 0 the
	// rates of 100 students are larger by 1.2 at 1 % and 1.6 at 0.1 %.
	tailWeight = 0.03

	// modelBends and heavyBends are by how much a tail may bend away from the shape of a
	// model's calibration and from the heavy one: the standard deviation of the weight of
	// bend, as in tailWeight. The first is small, so that few pairs near the tail cannot
	// turn it: with .08 the rates of galleries of 100 students spread half as wide again.
	modelBends = 0.02
	heavyBends = 0.05

	// kin is the variance that a level keeps however many pairs there are, in squared
	// standard deviations of a normal distribution: pairs share students.
	kin = 0.001

	// guessed is what is added where the shape was not measured: most calibrations begin at
	// an FMR of 10 %, and the built-in model's, drawn on to the median, is too high there by
	// .04 standard deviations. That makes the tail steeper.
	guessed = 0.01

	// byChance is how often a gallery has a pair by chance that is as alike as those that
	// are left out: they may be one person under two ids.
	byChance = 0.05
)

// similarities counts comparisons of different students.
type similarities struct {
	bins    [similarityBins]int
	n       int     // comparisons
	weight  float64 // how many comparisons they count for in a search: see threshold.go
	leftOut int
}

func (s *similarities) add(similarity float32, weight float64) {
	at := int(float64(similarity+1) / 2 * similarityBins)
	s.bins[max(0, min(at, similarityBins-1))]++
	s.n++
	s.weight += weight
}

// at returns the similarity that a share of the comparisons reaches.
func (s *similarities) at(share float64) float64 {
	left := share * float64(s.n)
	for i := similarityBins - 1; i >= 0; i-- {
		n := float64(s.bins[i])
		if left <= n {
			return (float64(i)+1-left/max(n, 1))/similarityBins*2 - 1
		}
		left -= n
	}
	return -1
}

// leaveOut drops the comparisons that reach a similarity.
func (s *similarities) leaveOut(similarity float64) {
	for i := similarityBins - 1; i >= 0 && float64(i)/similarityBins*2-1 >= similarity; i-- {
		s.n -= s.bins[i]
		s.leftOut += s.bins[i]
		s.bins[i] = 0
	}
}

// shape returns a similarity by the share of comparisons that reach it, but for its
// place and scale.
type shape func(share float64) float64

// normal returns how far from the mean of a normal distribution a share lies, in
// standard deviations.
func normal(share float64) float64 {
	return math.Sqrt2 * math.Erfcinv(2*share)
}

// bend grows with the distance from the middle of a distribution, as its tail bends away
// from that of a normal one.
func bend(share float64) float64 {
	beyond := max(0, normal(share)-1)
	return beyond * beyond / 2
}

// heavy is a normal distribution whose tail is heavier by tailWeight.
func heavy(share float64) float64 { return normal(share) + tailWeight*bend(share) }

// A form is the shape that a model's similarities should have, and how well it is known.
type form struct {
	shape    shape
	measured float64 // up to this share it was measured
	bends    float64 // see modelBends
}

// form returns the shape of the model's calibration, linear in standard deviations between
// its points, or else the heavy one.
func (m Model) form() form {
	var x, y []float64
	for _, p := range m.Calibration {
		if p.FMR < 0.5 {
			x, y = append(x, normal(p.FMR)), append(y, float64(p.Similarity))
		}
	}
	if len(x) < 2 || y[len(y)-1]-y[0] < flat {
		return form{shape: heavy, measured: 1, bends: heavyBends}
	}
	return form{measured: m.Calibration[0].FMR, bends: modelBends, shape: func(share float64) float64 {
		z := normal(share)
		i := 1
		for i < len(x)-1 && z > x[i] {
			i++
		}
		return y[i-1] + (y[i]-y[i-1])*(z-x[i-1])/(x[i]-x[i-1])
	}}
}

// variance is that of the similarity that a share of the pairs reaches, in squared
// standard deviations of a normal distribution.
func (s *similarities) variance(share float64) float64 {
	z := normal(share)
	density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	pairs := float64(s.n) / 2 // each is compared twice
	return share*(1-share)/(pairs*density*density) + kin
}

// fit moves and scales the shape to the similarities, and bends its tail a little, by least
// squares over the median and the levels down to the share least, each weighted by how well
// it is known; false: they do not determine it.
func (s *similarities) fit(f form, least float64) (fitted shape, ok bool) {
	var normals [3][4]float64 // the normal equations of place, scale and bend
	add := func(share float64) {
		variance := s.variance(share)
		if share > f.measured {
			variance += guessed
		}
		row := [4]float64{1, f.shape(share), bend(share), s.at(share)}
		for i := range normals {
			for j := range row {
				normals[i][j] += row[i] * row[j] / variance
			}
		}
	}
	add(0.5)
	for i := levelsPerDecade; ; i++ {
		share := math.Pow(10, -float64(i)/levelsPerDecade)
		if share < least {
			break
		}
		add(share)
	}
	normals[2][2] += 1 / (f.bends * f.bends)
	c, ok := solve(normals)
	return func(share float64) float64 { return c[0] + c[1]*f.shape(share) + c[2]*bend(share) }, ok && c[1] > 0
}

// solve solves three linear equations by Gaussian elimination; false: they have no single
// solution.
func solve(a [3][4]float64) (x [3]float64, ok bool) {
	for i := range a {
		for k := i + 1; k < len(a); k++ { // the largest pivot
			if math.Abs(a[k][i]) > math.Abs(a[i][i]) {
				a[i], a[k] = a[k], a[i]
			}
		}
		if math.Abs(a[i][i]) < 1e-9 {
			return x, false
		}
		for k := range a {
			if k == i {
				continue
			}
			factor := a[k][i] / a[i][i]
			for j := range a[k] {
				a[k][j] -= factor * a[i][j]
			}
		}
	}
	for i := range x {
		x[i] = a[i][3] / a[i][i]
	}
	return x, true
}

// tail returns the fitted shape. First it leaves out pairs that are too alike for
// chance. A first fit, to common similarities alone, is not spoilt by them.
func (s *similarities) tail(f form) (shape, bool) {
	for _, least := range []float64{1e-2, 0, 0} {
		fitted, ok := s.fit(f, max(least, leastBehind/float64(s.n)))
		if !ok {
			return nil, false
		}
		// Each pair of students is compared twice.
		s.leaveOut(fitted(byChance * 2 / float64(s.n)))
	}
	return s.fit(f, leastBehind/float64(s.n))
}

const (
	// trustFrom is the number of students up to which only the model's own calibration, or
	// else its published threshold, counts. With 30 students the fitted one missed a target
	// of 1 % by 1.3 on average and by up to 5, the built-in model's table by 1.1 and 1.5.
	trustFrom = 30

	// trustAll is the number from which on what the gallery contradicts does not count.
	trustAll = 50

	// worth is how many students a calibration of the model is worth that the gallery does
	// not contradict.
	worth = 100

	// noise is the standard deviation of a fitted similarity, by the distance of the median
	// and the 99th percentile, with one student; with n it is an nth.
	noise = 3
)

// trust returns how much a fitted shape counts, 0 to 1, and not what was there before. Contradicted
// is by how much the two differ, by the standard deviation of the fitted one; +Inf where
// there is no calibration of the model.
func trust(students int, contradicted float64) float64 {
	enough := max(0, min(float64(students-trustFrom)/(trustAll-trustFrom), 1))
	return enough * float64(students) / (float64(students) + worth*math.Exp(-contradicted*contradicted/4))
}

// leastFMR is the last of a gallery's operating points, by powers of ten.
const leastFMR = -9

// points returns the operating points of a gallery of so many students; nil: there are
// too few, or the similarities make no sense.
func (s *similarities) points(m Model, students int) []storage.OperatingPoint {
	if students <= trustFrom || s.n == 0 {
		return nil
	}
	// A comparison with a student of several crops counts for more than one.
	countsFor := s.weight / float64(s.n)
	tail, ok := s.tail(m.form())
	if !ok {
		return nil
	}
	const almostAll = 0.99 // the shape ends
	fitted := func(fmr float64) float64 { return tail(min(fmr*countsFor, almostAll)) }
	before := func(float64) float64 { return float64(m.Threshold) }
	contradicted := math.Inf(1)
	if len(m.Calibration) > 0 {
		before = func(fmr float64) float64 { return float64(m.similarityAt(fmr)) }
		differ := max(math.Abs(fitted(1e-1)-before(1e-1)), math.Abs(fitted(1e-2)-before(1e-2)))
		contradicted = differ * float64(students) / (noise * (tail(1e-2) - tail(0.5)))
	}
	much := trust(students, contradicted)
	var points []storage.OperatingPoint
	last := float32(-1)
	for power := 0; power >= leastFMR; power-- {
		fmr := math.Pow10(power)
		if power == 0 {
			fmr = 0.5
		}
		similarity := (1-much)*before(fmr) + much*fitted(fmr)
		last = max(last, min(float32(math.Round(similarity*1e4)/1e4), 1))
		points = append(points, storage.OperatingPoint{FMR: fmr, Similarity: last})
	}
	return points
}
