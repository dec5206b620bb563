package bench

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// impostors are the comparisons of different people. Every pair of people counts the same: otherwise people
// with many pictures, and those who resemble them, would make most of the rare comparisons.
//
// Two of them who are as alike as one person's crops are with each other are left out: in a collection
// from the web these are people who are listed twice (17 pairs of 9.2 million in faces.csv), and a
// single such pair would make up the whole tail.
type impostors struct {
	weights []float64 // by bin of similarity, see similarityBins
	total   float64   // pairs of people
	same    int       // pairs of people left out
}

// someone is a person with several embeddings.
type someone struct {
	embeddings [][]float32
	mean       []float32
}

// gatherPeople sorts embeddings by person, in the order in which they come first.
func gatherPeople(embeddings [][]float32, people []string) []someone {
	place := make(map[string]int)
	var all []someone
	for i, e := range embeddings {
		at, ok := place[people[i]]
		if !ok {
			at = len(all)
			place[people[i]] = at
			all = append(all, someone{mean: make([]float32, len(e))})
		}
		all[at].embeddings = append(all[at].embeddings, e)
	}
	for _, p := range all {
		for _, e := range p.embeddings {
			for k, v := range e {
				p.mean[k] += v / float32(len(p.embeddings))
			}
		}
	}
	return all
}

// alike is the median of how alike a person's crops are with each other, over the people who have
// several; more than any two people can be where there are none.
func alike(all []someone) float32 {
	var means []float32
	for _, p := range all {
		if n := float32(len(p.embeddings)); n > 1 {
			// The mean of all pairs, those of a crop with itself taken out.
			means = append(means, (n*dot(p.mean, p.mean)-1)/(n-1))
		}
	}
	if len(means) == 0 {
		return 2
	}
	slices.Sort(means)
	return means[len(means)/2]
}

// compareImpostors compares the embeddings of every two people. The embeddings are of unit length;
// people[i] is the person of embedding i.
func compareImpostors(ctx context.Context, embeddings [][]float32, people []string) (*impostors, error) {
	all := gatherPeople(embeddings, people)
	limit := alike(all)
	parts := make([]*impostors, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for w := range parts {
		part := &impostors{weights: make([]float64, similarityBins)}
		parts[w] = part
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				for j := range i {
					part.add(all[i], all[j], limit)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	sum := parts[0]
	for _, part := range parts[1:] {
		for i, weight := range part.weights {
			sum.weights[i] += weight
		}
		sum.total += part.total
		sum.same += part.same
	}
	return sum, nil
}

// add counts the comparisons of two people.
func (m *impostors) add(a, b someone, limit float32) {
	if dot(a.mean, b.mean) >= limit {
		m.same++
		return
	}
	weight := 1 / float64(len(a.embeddings)*len(b.embeddings))
	for _, x := range a.embeddings {
		for _, y := range b.embeddings {
			m.weights[similarityBin(dot(x, y))] += weight
		}
	}
	m.total++
}

// at returns the lowest similarity which at most a share fmr of the comparisons reach.
func (m *impostors) at(fmr float64) float64 {
	over, bin := 0.0, similarityBins
	for bin > 0 && over+m.weights[bin-1] <= fmr*m.total {
		bin--
		over += m.weights[bin]
	}
	return float64(bin)*similarityStep - 1
}

// paretoTail is a generalised Pareto distribution of the similarities over a limit (Pickands 1975): the share
// rate of all is over it, and of these a share (1 - shape*(x-limit)/scale)^(1/shape) over x.
type paretoTail struct{ limit, rate, scale, shape float64 }

// fitTail fits the similarities over the one at the FMR rate, by probability-weighted moments (Hosking and
// Wallis 1987, "Parameter and quantile estimation for the generalized Pareto distribution").
func (m *impostors) fitTail(rate float64) paretoTail {
	t := paretoTail{limit: m.at(rate)}
	first := int(math.Round((t.limit + 1) / similarityStep))
	var count float64
	for _, weight := range m.weights[first:] {
		count += weight
	}
	var below, mean, lesser float64 // lesser is the mean of each excess times the share that is over it
	for i, weight := range m.weights[first:] {
		if weight == 0 {
			continue
		}
		excess := (float64(i) + 0.5) * similarityStep
		over := 1 - (below+weight/2)/count
		mean += weight / count * excess
		lesser += weight / count * excess * over
		below += weight
	}
	t.rate = count / m.total
	t.shape = mean/(mean-2*lesser) - 2
	t.scale = 2 * mean * lesser / (mean - 2*lesser)
	return t
}

// at returns the similarity that a share fmr, at most rate, reaches.
func (t paretoTail) at(fmr float64) float64 {
	const straight = 1e-6 // a shape under which the distribution is the exponential one
	if math.Abs(t.shape) < straight {
		return t.limit - t.scale*math.Log(fmr/t.rate)
	}
	return t.limit + t.scale/t.shape*(1-math.Pow(fmr/t.rate, t.shape))
}
