package gallery

import "math"

// The threshold follows from how often a search may be wrong. In the terms of
// ISO/IEC 19795-1: FMR is the share of comparisons of two different people that
// pass for a match; FPIR is the share of searches by people who are not enrolled
// that return somebody. A stranger is compared with N crops, and is taken for
// nobody if every comparison fails. If comparisons are independent, this gives
//
//	1 - FPIR = (1 - FMR)^N    =>    FMR = 1 - (1 - FPIR)^(1/N)
//
// (Grother and Phillips, "Models of large population recognition performance", CVPR
// 2004, discuss how good the approximation is.) N is the geometric mean of the numbers
// of students and of crops. A student has one score, and the scores of strangers for
// three crops lie little higher than those for one (by .008 to .015 with the built-in
// model), as if there were 1.3 to 1.5 comparisons. Measured with 80 students of three
// crops, for an FPIR of 1 % by the built-in model's table: 1.5 % with the number of
// students as N, .9 % with this one. (An experiment; "rollcall bench calibration"
// prints the rate.)

// duplicateCeiling is the greatest duplicate threshold. Extrapolation could give
// one that not even the same picture reaches: rounding takes a few millionths off
// its similarity with itself, and saving the picture again takes somewhat more.
const duplicateCeiling = 0.99

// MatchThreshold returns the similarity that a match needs in a search of n
// comparisons (fewer than one count as one) at an FPIR between 0 and 1: by the calibration, or
// else the published one. It does not fall as n grows, nor as fpir falls. The model
// has to make sense: a calibration out of order gives a threshold without a meaning.
func (m Model) MatchThreshold(n int, fpir float64) float32 {
	if len(m.Calibration) == 0 {
		return m.Threshold
	}
	// log1p and expm1, since 1-fpir loses the digits that matter.
	fmr := -math.Expm1(math.Log1p(-fpir) / float64(max(n, 1)))
	return m.similarityAt(fmr)
}

// duplicateRate is the share of new students, strangers to all others, who are refused as
// duplicates. Chosen with "bench duplicates --split validation --students 0": of 136 people
// with one enrolled crop 92.9 % were refused under a new id, and 0.4 % of the others (without
// one person who is in the collection twice). At an FPIR of 0.1 %, which was the rate before,
// 87.8 % were refused. Siblings are refused more often than strangers: that is what allowing
// a duplicate is for.
const duplicateRate = 0.005

// resembleRate is the share of new students who are enrolled with a hint to somebody whom
// they resemble.
const resembleRate = 0.02

// duplicateThreshold returns the similarity from which on a new face is taken for a
// duplicate of one of n crops of others (at least one). With a calibration, somebody new is
// refused with the probability duplicateRate: each of n comparisons has the FMR
// duplicateRate/n. Without one it is halfway between the published threshold and 1. The
// published one is for single comparisons: it would refuse siblings, and strangers too in
// a large gallery.
func (m Model) duplicateThreshold(n int) float32 {
	return min(m.newcomerThreshold(n, duplicateRate, (m.Threshold+1)/2), duplicateCeiling)
}

// resembleThreshold returns the similarity from which on the answer to an enrolment tells
// whom the face resembles. It is at most that of a duplicate.
func (m Model) resembleThreshold(n int) float32 {
	return min(m.newcomerThreshold(n, resembleRate, m.Threshold), m.duplicateThreshold(n))
}

// newcomerThreshold returns the similarity to the nearest of n crops that somebody new
// reaches with the probability rate; published, where there is no calibration.
func (m Model) newcomerThreshold(n int, rate float64, published float32) float32 {
	if len(m.Calibration) == 0 {
		return published
	}
	return m.similarityAt(rate / float64(max(n, 1)))
}

// similarityAt returns the similarity that comparisons of different people reach
// with the rate fmr: linear in log10(FMR) between the points of the calibration.
// Above the first point it is that point's similarity; beyond the last it goes
// on along the last segment, up to 1.
// REQUIRES: the calibration is not empty and in order.
func (m Model) similarityAt(fmr float64) float32 {
	table := m.Calibration
	first, last := table[0], table[len(table)-1]
	if fmr >= first.FMR {
		return first.Similarity
	}
	if len(table) == 1 {
		return last.Similarity
	}
	i := 1
	for i < len(table)-1 && fmr < table[i].FMR {
		i++
	}
	a, b := table[i-1], table[i]
	// A rate too small to be told from 0 is taken for the smallest number there is.
	x := math.Log10(max(fmr, math.SmallestNonzeroFloat64))
	xa, xb := math.Log10(a.FMR), math.Log10(b.FMR)
	if xa == xb { // so close that logarithms do not tell them apart
		return b.Similarity
	}
	ya, yb := float64(a.Similarity), float64(b.Similarity)
	return float32(min(ya+(yb-ya)*(x-xa)/(xb-xa), 1))
}

// fmrAt is the inverse of similarityAt: the rate at which comparisons of different people
// reach a similarity; at most that of the first point of the calibration, and 0 without a
// calibration.
func (m Model) fmrAt(similarity float32) float64 {
	table := m.Calibration
	if len(table) == 0 {
		return 0
	}
	if similarity <= table[0].Similarity || len(table) == 1 {
		return table[0].FMR
	}
	i := 1
	for i < len(table)-1 && similarity > table[i].Similarity {
		i++
	}
	a, b := table[i-1], table[i]
	if a.Similarity == b.Similarity {
		return b.FMR
	}
	xa, xb := math.Log10(a.FMR), math.Log10(b.FMR)
	at := float64(similarity-a.Similarity) / float64(b.Similarity-a.Similarity)
	return math.Pow(10, xa+(xb-xa)*at)
}
