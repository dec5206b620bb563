package bench

import (
	"fmt"
	"math"
	"strings"

	"rollcall/embedder"
)

// qualityFit is what "bench quality --fit" prints.
type qualityFit struct {
	Crops   int            `json:"crops"`
	Best    float64        `json:"best_similarity"` // as a logit
	Weights embedder.Terms `json:"weights"`
}

func (r qualityFit) tables() []table {
	words := make([]string, len(r.Weights))
	for i, w := range r.Weights {
		words[i] = fmt.Sprintf("%.2f", w)
	}
	t := table{title: fmt.Sprintf("the score, fitted to %d crops", r.Crops), header: []string{"", ""}}
	t.row("bestSimilarity", fmt.Sprintf("%.3f", r.Best))
	t.row("weights", strings.Join(words, ", "))
	return []table{t}
}

// fitQuality foretells how similar a crop is to the person's other upright crops, on average, by its terms:
// a logistic function (Papke and Wooldridge, "Econometric methods for fractional response variables", 1996).
// A term may only take away: as long as one does not, the most generous of them is left out.
func fitQuality(x qualityProbes) qualityFit {
	var rows []embedder.Terms
	var wanted []float64
	byPerson := make(map[string][]int)
	for i, c := range x.crops {
		if usable(x.upright[i]) {
			byPerson[c.person] = append(byPerson[c.person], i)
		}
	}
	for _, results := range [][]*embedder.Result{x.upright, x.poor} {
		for i, c := range x.crops {
			var sum float64
			others := 0
			for _, j := range byPerson[c.person] {
				if j != i && results[i].Embedding != nil {
					sum += float64(dot(x.upright[j].Embedding, results[i].Embedding))
					others++
				}
			}
			if others > 0 {
				rows = append(rows, results[i].Quality.Terms())
				wanted = append(wanted, min(max(sum/float64(others), 0), 1))
			}
		}
	}
	var used []int
	for i := range (embedder.Terms{}) {
		used = append(used, i)
	}
	for {
		weights := fitLogistic(rows, wanted, used)
		worst := 0
		for k, w := range weights[1:] {
			if w > 0 && (worst == 0 || w > weights[worst]) {
				worst = k + 1
			}
		}
		if worst == 0 {
			fit := qualityFit{Crops: len(rows), Best: weights[0]}
			for k, i := range used {
				fit.Weights[i] = weights[k+1]
			}
			return fit
		}
		used = append(used[:worst-1:worst-1], used[worst:]...)
	}
}

// fitLogistic returns a constant and the weights of the used terms, by Newton's method. A little shrinkage
// keeps a term that never occurs at 0.
func fitLogistic(rows []embedder.Terms, wanted []float64, used []int) []float64 {
	const steps, shrinkage = 30, 1e-3
	n := len(used) + 1
	weights := make([]float64, n)
	x := make([]float64, n)
	for range steps {
		gradient, curvature := make([]float64, n), make([][]float64, n)
		for i := range curvature {
			curvature[i] = make([]float64, n)
			curvature[i][i] = shrinkage
			gradient[i] = -shrinkage * weights[i]
		}
		for r, row := range rows {
			x[0] = 1
			logit := weights[0]
			for k, i := range used {
				x[k+1] = row[i]
				logit += weights[k+1] * row[i]
			}
			p := 1 / (1 + math.Exp(-logit))
			for i := range n {
				gradient[i] += x[i] * (wanted[r] - p)
				for j := range n {
					curvature[i][j] += x[i] * x[j] * p * (1 - p)
				}
			}
		}
		for i, step := range solve(curvature, gradient) {
			weights[i] += step
		}
	}
	return weights
}

// solve returns x of a x = b, for a positive definite matrix, by elimination. It changes both.
func solve(a [][]float64, b []float64) []float64 {
	for i := range a {
		for k := i + 1; k < len(a); k++ {
			f := a[k][i] / a[i][i]
			for j := i; j < len(a); j++ {
				a[k][j] -= f * a[i][j]
			}
			b[k] -= f * b[i]
		}
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := i + 1; j < len(a); j++ {
			b[i] -= a[i][j] * b[j]
		}
		b[i] /= a[i][i]
	}
	return b
}
