package gallery

import (
	"cmp"
	"slices"
)

// oracle is what a gallery should hold, in plain maps, and searches by brute
// force in float64.
type oracle struct {
	students map[string]map[string]bool // id -> groups
	crops    map[string]*oracleCrop
}

type oracleCrop struct {
	student   string
	corrected bool
	vectors   map[string][]float32 // by model
}

func newOracle() *oracle {
	return &oracle{students: map[string]map[string]bool{}, crops: map[string]*oracleCrop{}}
}

func similarity(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func (o *oracle) join(student string, groups []string) {
	if o.students[student] == nil {
		o.students[student] = map[string]bool{}
	}
	for _, g := range groups {
		o.students[student][g] = true
	}
}

func (o *oracle) groupsOf(student string) []string {
	var groups []string
	for g := range o.students[student] {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	return groups
}

func (o *oracle) cropsOf(student string) []string {
	var ids []string
	for id, c := range o.crops {
		if c.student == student {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// nearestOther returns the greatest similarity of a crop of a student other than
// the given one, that student, and how many crops the others have a vector of.
func (o *oracle) nearestOther(e Enrolment, student string) (best float64, whose string, others int) {
	best = -2
	for id, c := range o.crops {
		v := c.vectors[e.Model.Name]
		if v == nil || c.student == "" || c.student == student {
			continue
		}
		others++
		if s := similarity(v, e.Vector); id != e.CropID && s > best {
			best, whose = s, c.student
		}
	}
	return best, whose, others
}

// inScope reports whether the student may be matched.
func (o *oracle) inScope(sc Scope, student string) bool {
	if sc.everybody() || slices.Contains(sc.StudentIDs, student) {
		return true
	}
	return slices.ContainsFunc(sc.Groups, func(g string) bool { return o.students[student][g] })
}

// scores returns each student's score, best first, without the excluded crop.
func (o *oracle) scores(vector []float32, model string, sc Scope, exclude string) []Candidate {
	best := map[string]Candidate{}
	for id, c := range o.crops {
		v := c.vectors[model]
		if v == nil || c.student == "" || id == exclude || !o.inScope(sc, c.student) {
			continue
		}
		s := float32(similarity(v, vector))
		if b, ok := best[c.student]; !ok || s > b.Similarity {
			best[c.student] = Candidate{c.student, id, s}
		}
	}
	var out []Candidate
	for _, c := range best {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Candidate) int { return cmp.Compare(b.Similarity, a.Similarity) })
	return out
}

// comparisons returns how many crops a search compares the probe with.
func (o *oracle) comparisons(model string, sc Scope, exclude string) int {
	n := 0
	for id, c := range o.crops {
		if c.vectors[model] != nil && c.student != "" && id != exclude && o.inScope(sc, c.student) {
			n++
		}
	}
	return n
}

// enrolledInScope reports whether anybody in scope has a vector, the excluded
// crop's included.
func (o *oracle) enrolledInScope(model string, sc Scope) bool {
	for _, c := range o.crops {
		if c.vectors[model] != nil && c.student != "" && o.inScope(sc, c.student) {
			return true
		}
	}
	return false
}
