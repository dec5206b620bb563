package gallery

import (
	"math"

	"rollcall/storage"
)

// A gallery calibrates a model by its own students: each is a stranger to all others.
// Its comparisons are too few to show how rarely a stranger reaches the threshold: 100
// students make 4,950 pairs, and a FPIR of 0.1 % needs what happens once in 100,000. So
// a shape is taken from elsewhere, moved and scaled to what the pairs show. The shape is
// the model's own calibration, or else a normal distribution.
//
// Measured on people of train (20 galleries each; rates by which the target FPIR was
// missed, at 1 % and 0.1 %): the built-in model with the shape of its table, 100 students
// .96 and .89, 400 .85 and 1.5, 80 with three crops .94 and .78. mobilefacenet-128 with
// the normal one: 1.4 and 1.8, 1.3 and 1.6, 1.4 and 2.5. A generalised Pareto tail over
// the 99th percentile instead: 1.5 to 7 and 2 to 60, since a few pairs decide.
// ("rollcall bench calibration" prints what came of it.)

const (
	// similarityBins is how many bins the similarities are counted in.
	similarityBins = 4096

	// leastBehind is how many comparisons are behind each level that the shape is fitted
	// to. Each pair of students is compared twice.
	leastBehind = 40

	// levelsPerDecade is how many levels there are to a decade of the FMR.
	levelsPerDecade = 4

	// flat is how little a model's calibration may rise from an FMR of 10 % to one of
	// 0.1 %: with less it has no shape.
	flat = 0.02

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

// shape returns that of the model's calibration, or a normal one.
func (m Model) shape() shape {
	if len(m.Calibration) < 2 {
		return normal
	}
	first, second := m.Calibration[0], m.Calibration[1]
	if m.similarityAt(1e-3)-m.similarityAt(1e-1) < flat || first.FMR >= 0.5 && second.FMR >= 0.5 {
		return normal
	}
	slope := float64(second.Similarity-first.Similarity) / (normal(second.FMR) - normal(first.FMR))
	return func(share float64) float64 {
		if share > first.FMR { // the calibration ends here
			return float64(first.Similarity) + slope*(normal(share)-normal(first.FMR))
		}
		return float64(m.similarityAt(share))
	}
}

// fit moves and scales the shape to the similarities, by least squares over the median
// and the levels down to the share least; false: they do not determine it.
func (s *similarities) fit(f shape, least float64) (fitted shape, ok bool) {
	var n, x, y, xx, xy float64
	add := func(share float64) {
		a, b := f(share), s.at(share)
		n, x, y, xx, xy = n+1, x+a, y+b, xx+a*a, xy+a*b
	}
	add(0.5)
	for i := levelsPerDecade; ; i++ {
		share := math.Pow(10, -float64(i)/levelsPerDecade)
		if share < least {
			break
		}
		add(share)
	}
	spread := n*xx - x*x
	if n < 2 || !(spread > 0) {
		return nil, false
	}
	scale := (n*xy - x*y) / spread
	place := (y - scale*x) / n
	return func(share float64) float64 { return place + scale*f(share) }, scale > 0
}

// tail returns the fitted shape. First it leaves out pairs that are too alike for
// chance. A first fit, to common similarities alone, is not spoilt by them.
func (s *similarities) tail(f shape) (shape, bool) {
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

	// trustAll is the number from which on only the fitted one counts.
	trustAll = 80
)

// trust returns how much the similarities of so many students count, 0 to 1.
func trust(students int) float64 {
	return max(0, min(float64(students-trustFrom)/(trustAll-trustFrom), 1))
}

// leastFMR is the last of a gallery's operating points, by powers of ten.
const leastFMR = -9

// points returns the operating points of a gallery of so many students; nil: there are
// too few, or the similarities make no sense.
func (s *similarities) points(m Model, students int) []storage.OperatingPoint {
	much := trust(students)
	if much == 0 || s.n == 0 {
		return nil
	}
	// A comparison with a student of several crops counts for more than one.
	countsFor := s.weight / float64(s.n)
	fitted, ok := s.tail(m.shape())
	if !ok {
		return nil
	}
	var points []storage.OperatingPoint
	last := float32(-1)
	for power := 0; power >= leastFMR; power-- {
		fmr := math.Pow10(power)
		if power == 0 {
			fmr = 0.5
		}
		before := float64(m.Threshold)
		if len(m.Calibration) > 0 {
			before = float64(m.similarityAt(fmr))
		}
		const almostAll = 0.99 // the shape ends
		similarity := (1-much)*before + much*fitted(min(fmr*countsFor, almostAll))
		last = max(last, min(float32(math.Round(similarity*1e4)/1e4), 1))
		points = append(points, storage.OperatingPoint{FMR: fmr, Similarity: last})
	}
	return points
}
