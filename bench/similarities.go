package bench

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// similarityStep is the width of a bin of similarities: finer than any threshold
// needs to be, and 20,001 counters for all pairs of any number of crops.
const (
	similarityStep = 1e-4
	similarityBins = int(2/similarityStep) + 1
)

// minErrors is how many wrong comparisons an error rate has to rest on to be
// shown: with 30 it is within 30 % of the true one with 90 % confidence, were the
// comparisons independent (the "rule of 30" of ISO/IEC 19795-1).
const minErrors = 30

// comparisons are all pairs of some embeddings, as a histogram of their
// similarities: bin i counts those from -1 + i steps to the next bin.
type comparisons struct {
	genuine, impostor   []int64
	genuines, impostors int64 // pairs of one person, of two people
}

// compareAll compares every embedding with every other one. The embeddings are of
// unit length; people[i] is the person of embedding i.
func compareAll(ctx context.Context, embeddings [][]float32, people []string) (*comparisons, error) {
	workers := runtime.GOMAXPROCS(0)
	parts := make([]*comparisons, workers)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		part := &comparisons{genuine: make([]int64, similarityBins), impostor: make([]int64, similarityBins)}
		parts[w] = part
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(embeddings)); i = next.Add(1) - 1 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				for j := range i {
					part.count(dot(embeddings[i], embeddings[j]), people[i] == people[j])
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
		for i := range similarityBins {
			sum.genuine[i] += part.genuine[i]
			sum.impostor[i] += part.impostor[i]
		}
		sum.genuines += part.genuines
		sum.impostors += part.impostors
	}
	return sum, nil
}

// similarityBin is the bin of a similarity.
func similarityBin(similarity float32) int {
	bin := int((float64(similarity) + 1) / similarityStep)
	return min(max(bin, 0), similarityBins-1) // rounding takes unit vectors beyond -1 and 1
}

func (c *comparisons) count(similarity float32, same bool) {
	bin := similarityBin(similarity)
	if same {
		c.genuine[bin]++
		c.genuines++
	} else {
		c.impostor[bin]++
		c.impostors++
	}
}

func dot(a, b []float32) float32 {
	var sum float32
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// at returns the lowest similarity which at most a share fmr of the pairs of two
// people reach, and the share of the pairs of one person that reach it. It
// reports false where there are too few pairs to say.
func (c *comparisons) at(fmr float64) (similarity, tpr float64, ok bool) {
	if fmr*float64(c.impostors) < minErrors || c.genuines == 0 {
		return 0, 0, false
	}
	var over, found int64
	bin := similarityBins
	for bin > 0 && float64(over+c.impostor[bin-1]) <= fmr*float64(c.impostors) {
		bin--
		over += c.impostor[bin]
		found += c.genuine[bin]
	}
	similarity = math.Round((float64(bin)*similarityStep-1)/similarityStep) * similarityStep
	return similarity, float64(found) / float64(c.genuines), true
}

// tprByCrop returns the share of a crop's pairs with others of its person that
// reach the similarity, as a mean over the crops that have such pairs; 0 where none
// has. Over pairs, someone with many crops counts by the square of their number.
func tprByCrop(embeddings [][]float32, people []string, similarity float64) float64 {
	crops := make(map[string][][]float32)
	for i, e := range embeddings {
		crops[people[i]] = append(crops[people[i]], e)
	}
	var sum float64
	n := 0
	for _, own := range crops {
		if len(own) < 2 {
			continue
		}
		reached := 0
		for i, a := range own {
			for _, b := range own[:i] {
				if float64(dot(a, b)) >= similarity {
					reached += 2 // a pair of each of the two
				}
			}
		}
		sum += float64(reached) / float64(len(own)-1)
		n += len(own)
	}
	return sum / float64(max(n, 1))
}

// accuracy returns the highest share of right decisions by one similarity, were
// there as many pairs of one person as of two; 0 where one of the two is missing.
func (c *comparisons) accuracy() float64 {
	if c.genuines == 0 || c.impostors == 0 {
		return 0
	}
	var most, found, over float64
	for bin := similarityBins - 1; bin >= 0; bin-- {
		found += float64(c.genuine[bin]) / float64(c.genuines)
		over += float64(c.impostor[bin]) / float64(c.impostors)
		most = max(most, (found+1-over)/2)
	}
	return most
}
