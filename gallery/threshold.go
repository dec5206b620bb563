package gallery

import "math"

// The threshold follows from how often a search may be wrong. In the terms of
// ISO/IEC 19795-1: FMR is the share of comparisons of two different people that
// pass for a match; FPIR is the share of searches by people who are not enrolled
// that return somebody. A stranger whose probe is compared with N crops fails to
// be mistaken N times over, which for independent comparisons gives
//
//	1 - FPIR = (1 - FMR)^N    =>    FMR = 1 - (1 - FPIR)^(1/N)
//
// (Grother and Phillips, "Models of large population recognition performance",
// CVPR 2004, discuss how good the approximation is.) N counts crops, not
// students, although a student's crops resemble each other, so that several
// count for less than their number. Measured with mobilefacenet-128 on 2,500
// aligned pictures of 603 people of LFW, 4.1 crops a student: the rate aimed at
// was 0.1 %; with N the students it came to 0.3 to 0.5 % (scopes of 30 to 300),
// with N the crops to 0.07 to 0.12 %. (An experiment: no command prints it, since
// "bench accuracy" enrols one crop a student.)

// duplicateCeiling keeps the duplicate threshold from being extrapolated to
// where not even the same picture would be found: rounding takes a few
// millionths off its similarity with itself, saving it again somewhat more.
const duplicateCeiling = 0.99

// threshold returns the similarity that a match needs in a search over n crops
// (at least one) at the given FPIR: by the calibration, or else the
// published one. It does not fall as n grows, nor as fpir falls.
func (m Model) threshold(n int, fpir float64) float32 {
	if len(m.Calibration) == 0 {
		return m.Threshold
	}
	// log1p and expm1, since 1-fpir loses the digits that matter.
	fmr := -math.Expm1(math.Log1p(-fpir) / float64(max(n, 1)))
	return m.similarityAt(fmr)
}

// duplicateThreshold returns the similarity at which a face that is to be
// enrolled is taken for that of one of n crops of others (at least one). With a
// calibration it is where a stranger is refused with the chance fpir: n
// comparisons with the FMR of fpir/n, which is never less strict than the
// threshold of a match among n. Without one it is halfway between the published
// threshold and 1, for the published one is about single comparisons, and would
// refuse siblings, and strangers too in a large gallery.
func (m Model) duplicateThreshold(n int, fpir float64) float32 {
	t := (m.Threshold + 1) / 2
	if len(m.Calibration) > 0 {
		t = m.similarityAt(fpir / float64(max(n, 1)))
	}
	return min(t, duplicateCeiling)
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
