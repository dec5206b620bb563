package gallery

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"rollcall/index"
)

// A student's score is the similarity of the probe and the centroid of the student's
// crops, made unit length: what the crops have in common is the face, and what differs
// is the picture. The centroid takes the crops that agree with each other. One that
// does not, because it is poor or shows somebody else, stands alone, and the score is
// the greatest of all. So a wrong crop draws no centroid away from the face, and a
// student with one crop has that crop's similarity.
//
// Measured against the best crop, the mean of the best two, and a centroid weighted
// by quality: "rollcall bench calibration"
// prints the comparison. Scores of strangers lie nearly as those of
// single crops do, however many crops there are, so that one calibration fits all.

// agreement is the least mean similarity of a crop with the others of a centroid. With
// the built-in model, crops of one person are less alike in 1 % of the pairs, and crops
// of different people more alike in .3 %. (An experiment on train: no command prints it.)
const agreement = 0.4

// mostTogether is how many crops make a centroid at most. A student's others count alone,
// the oldest pictures. More would bring the centroid nothing, and choosing takes time with
// the square of their number: .3 ms for 32 of 512 dimensions, but 1.5 s for 2,000.
const mostTogether = 32

// unite says how a student's crops make the score.
type unite struct {
	ids   []index.ID // of the crops' vectors, first those of the centroid
	crops []*crop    // in the same order
	core  int        // how many make up the centroid; 0: none
	sum   float32    // length of the sum of their vectors
}

// unite returns how the student's crops in the space make the score; exclude is left
// out, if it is one of them.
// REQUIRES: the memory's lock is held.
func (sp *space) unite(st *student, exclude *crop) *unite {
	u := &unite{}
	for _, c := range st.crops {
		if p := c.place(sp); p != nil && p.indexed && c != exclude {
			u.crops = append(u.crops, c)
		}
	}
	byID := func(a, b *crop) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(u.crops, func(a, b *crop) int { return cmp.Or(b.Pictured.Compare(a.Pictured), byID(a, b)) })
	vectors := make([][]float32, min(len(u.crops), mostTogether))
	slices.SortFunc(u.crops[:len(vectors)], byID)
	for i := range vectors {
		vectors[i] = sp.vector(u.crops[i])
	}
	inCore, sum := centroid(vectors)
	ordered := make([]*crop, 0, len(u.crops))
	for _, in := range []bool{true, false} {
		for i, c := range u.crops {
			if (i < len(inCore) && inCore[i]) == in {
				ordered = append(ordered, c)
			}
		}
		if in {
			u.core, u.sum = len(ordered), sum
		}
	}
	u.crops = ordered
	for _, c := range ordered {
		u.ids = append(u.ids, c.place(sp).id)
	}
	return u
}

// centroid chooses the vectors, of unit length, that agree, and returns the length of
// their sum. As long as one of them has a mean similarity with the others of less than
// agreement, the one with the lowest is left out; of equal ones the last. If only one is
// left, there is none.
func centroid(vectors [][]float32) (in []bool, sum float32) {
	n := len(vectors)
	in = make([]bool, n)
	alike := make([][]float64, n)
	total := make([]float64, n) // the similarities of each with the others that are in
	for i := range vectors {
		in[i] = true
		alike[i] = make([]float64, n)
		for j := range i {
			s := float64(dot(vectors[i], vectors[j]))
			alike[i][j], alike[j][i] = s, s
			total[i] += s
			total[j] += s
		}
	}
	for left := n; left > 1; left-- {
		worst := -1
		for i := range vectors {
			if in[i] && (worst < 0 || total[i] <= total[worst]) {
				worst = i
			}
		}
		if total[worst] >= agreement*float64(left-1) {
			square := float64(left)
			for i := range vectors {
				if in[i] {
					square += total[i]
				}
			}
			return in, float32(math.Sqrt(square))
		}
		in[worst] = false
		for i := range vectors {
			total[i] -= alike[i][worst]
		}
	}
	clear(in)
	return in, 0
}

// score returns the student's score for a probe with these similarities to the crops.
func (u *unite) score(similarities []float32) float32 {
	best := float32(-1)
	for _, s := range similarities[u.core:] {
		best = max(best, s)
	}
	if u.core > 0 {
		var sum float32
		for _, s := range similarities[:u.core] {
			sum += s
		}
		best = max(best, min(sum/u.sum, 1))
	}
	return best
}

// most returns the greatest score that the student can have if no crop is more similar
// than this.
func (u *unite) most(similarity float32) float32 {
	const rounding = 1e-5
	if u.core == 0 || similarity <= 0 {
		return similarity + rounding
	}
	return max(similarity, similarity*float32(u.core)/u.sum) + rounding
}

// leastCrop returns a similarity that a crop of every student reaches whose score is at
// least score, in a space whose students have at most n crops.
//
// A score is a crop's similarity, or the sum of k similarities by the length of the
// sum of k vectors. The square of that length is the sum of all their k*k similarities
// with each other. By the definition of agreement it is at least k + k*(k-1)*agreement.
// So if the greatest of the k similarities is x, and not negative, the score is at most
// k*x by the square root of that. The factor grows with k. If x is negative, the score
// is at most x, since the length is at most k.
func leastCrop(score float32, n int) float32 {
	const rounding = 1e-5 // far above the errors of the sums, and without an effect on the cost
	if score > 0 {
		k := float64(max(n, 1))
		score *= float32(math.Sqrt((1 + (k-1)*agreement) / k))
	}
	return score - rounding
}

// member is what a space keeps of one student.
type member struct {
	vectors int                   // how many of the student's are here; never 0
	united  atomic.Pointer[unite] // of all of them; nil: nobody asked yet
}

// united returns how the student's crops make the score. It keeps the answer until a
// crop comes or goes.
// REQUIRES: the memory's lock is held.
func (r *roster) united(st *student) *unite {
	if r.exclude != nil && r.exclude.student == st {
		return r.space.unite(st, r.exclude)
	}
	e := r.space.students[st]
	if u := e.united.Load(); u != nil {
		return u
	}
	u := r.space.unite(st, nil)
	e.united.Store(u)
	return u
}

// A CropSimilarity is how similar a probe is to one crop of a student.
type CropSimilarity struct {
	CropID     string
	Similarity float32 // [-1, 1]
	Alone      bool    // it does not agree with the others, or mostTogether newer ones are enough: it counts alone
}

// explain returns the similarities of the student's crops to a vector, the nearest first.
// REQUIRES: the memory's lock is held.
func (r *roster) explain(vector []float32, st *student) []CropSimilarity {
	u := r.united(st)
	similarities := make([]float32, len(u.ids))
	r.space.engine.Similarities(vector, u.ids, similarities)
	list := make([]CropSimilarity, len(u.ids))
	for i, c := range u.crops {
		list[i] = CropSimilarity{c.ID, similarities[i], i >= u.core && len(u.crops) > 1}
	}
	slices.SortFunc(list, func(a, b CropSimilarity) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), strings.Compare(a.CropID, b.CropID))
	})
	return list
}
