package gallery

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// oracle is what a gallery should hold, in plain maps, and searches by brute
// force in float64.
type oracle struct {
	settings Settings
	models   map[string]string          // name -> recipe
	students map[string]map[string]bool // id -> groups
	crops    map[string]*oracleCrop
	history  []moment // the changes so far, from number 1
}

// moment is a change: its cause, and what the gallery held before it.
type moment struct {
	cause  string
	before *oracle
}

type oracleCrop struct {
	student   string
	corrected bool
	vectors   map[string][]float32 // by model
	recipes   map[string]string    // by model
}

func newOracle(s Settings) *oracle {
	return &oracle{settings: kept(s), models: map[string]string{}, students: map[string]map[string]bool{}, crops: map[string]*oracleCrop{}}
}

// clone returns a copy that shares the vectors only.
func (o *oracle) clone() *oracle {
	c := &oracle{o.settings, maps.Clone(o.models), maps.Clone(o.students), maps.Clone(o.crops), slices.Clip(o.history)}
	for id, groups := range c.students {
		c.students[id] = maps.Clone(groups)
	}
	for id, crop := range c.crops {
		c.crops[id] = &oracleCrop{crop.student, crop.corrected, maps.Clone(crop.vectors), maps.Clone(crop.recipes)}
	}
	return c
}

// enrolment is what an Enrolment should come to.
type enrolment struct {
	student   string // whose the crop will be
	corrected bool
	replaced  bool
	otherwise bool // made by another recipe than the model's

	checked   bool // for duplicates, and for unlike crops
	nearest   float64
	whose     string // the nearest crop is
	threshold float64
	own       float64 // similarity of the student's nearest other crop
	floor     float64 // that it must reach; -2: there is no other crop
	refused   error   // nil: it is not; otherwise errDuplicate or errUnlike
}

// expect returns what the enrolment should come to.
func (o *oracle) expect(e Enrolment, m Model) enrolment {
	old := o.crops[e.CropID]
	if old == nil {
		old = &oracleCrop{}
	}
	want := enrolment{student: e.StudentID, replaced: old.vectors[m.Name] != nil}
	if old.corrected || e.StudentID == "" {
		want.student, want.corrected = old.student, e.StudentID != "" && e.StudentID != old.student
	}
	recipe, locked := o.models[m.Name]
	want.otherwise = locked && recipe != e.Embedding.Recipe
	var others int
	want.nearest, want.whose, others = o.nearestOther(e, want.student)
	want.threshold = float64(m.duplicateThreshold(others))
	want.own, want.floor = o.nearestOwn(e, want.student, m)
	want.checked = want.student != "" && !old.corrected &&
		(old.student != want.student || !slices.Equal(old.vectors[m.Name], e.Embedding.Vector))
	switch {
	case !want.checked:
	case !e.AllowDuplicate && want.nearest > want.threshold:
		want.refused = errDuplicate
	case !e.AllowUnlike && want.own < want.ownLimit(e):
		want.refused = errUnlike
	}
	return want
}

// ownLimit is what own must reach; -2: there is no other crop.
func (want enrolment) ownLimit(e Enrolment) float64 {
	if want.floor == -2 || e.AllowDuplicate {
		return want.floor
	}
	return max(want.floor, want.nearest)
}

// nearestOwn returns the greatest similarity of another crop of the student, and the
// floor that it must reach.
func (o *oracle) nearestOwn(e Enrolment, student string, m Model) (best, floor float64) {
	best = -2
	crops := 0
	for id, c := range o.crops {
		if v := c.vectors[m.Name]; v != nil && c.student == student && id != e.CropID {
			best = max(best, similarity(v, e.Embedding.Vector))
			crops++
		}
	}
	if crops == 0 {
		return best, -2
	}
	return best, float64(m.unlikeFloor(crops))
}

// enrol makes an enrolment that was not refused.
func (o *oracle) enrol(e Enrolment, want enrolment) {
	model := e.Embedding.Model
	if _, locked := o.models[model]; !locked {
		o.models[model] = e.Embedding.Recipe
	}
	if o.settings.Model == "" {
		o.settings.Model = model
	}
	c := o.crops[e.CropID]
	if c == nil {
		c = &oracleCrop{vectors: map[string][]float32{}, recipes: map[string]string{}}
		o.crops[e.CropID] = c
	}
	c.student = want.student
	c.vectors[model], c.recipes[model] = e.Embedding.Vector, e.Embedding.Recipe
	if want.student != "" {
		o.join(want.student, nil)
		if e.StudentID == want.student {
			o.join(want.student, e.Groups)
		}
	}
}

// assign corrects a crop, and reports whether there is one.
func (o *oracle) assign(crop, student string) bool {
	c := o.crops[crop]
	if c == nil {
		return false
	}
	c.student, c.corrected = student, true
	if student != "" {
		o.join(student, nil)
	}
	return true
}

// merge gives what one student has to another, and returns how many crops that were; false:
// one of the two is not there.
func (o *oracle) merge(from, into string) (crops int, known bool) {
	if from == into || o.students[from] == nil || o.students[into] == nil {
		return 0, false
	}
	o.join(into, o.groupsOf(from))
	for _, id := range o.cropsOf(from) {
		o.assign(id, into)
		crops++
	}
	delete(o.students, from)
	return crops, true
}

// after is what the gallery held after a change.
func (o *oracle) after(seq uint64) *oracle {
	if int(seq) == len(o.history) {
		return o
	}
	return o.history[seq].before
}

// undo takes a change back, by comparing what the gallery held before it, after it, and
// holds now.
func (o *oracle) undo(seq uint64) error {
	if seq == 0 || int(seq) > len(o.history) {
		return ErrChangeNotFound
	}
	was, left := o.history[seq-1].before, o.after(seq)
	if !undoable(o.history[seq-1].cause) {
		return ErrNotUndoable
	}
	deleted := map[string]bool{} // since, by "crop ID" or "student ID"
	for later := seq + 1; int(later) <= len(o.history); later++ {
		if m := o.history[later-1]; m.cause == causeDeleteCrop || m.cause == causeDeleteStudent {
			for id := range m.before.crops {
				deleted["crop "+id] = deleted["crop "+id] || o.after(later).crops[id] == nil
			}
			for id := range m.before.students {
				deleted["student "+id] = deleted["student "+id] || o.after(later).students[id] == nil
			}
		}
	}
	equal := func(a, b map[string]bool) bool { return (a == nil) == (b == nil) && maps.Equal(a, b) }
	var students, made []string
	for id := range was.students {
		if !equal(was.students[id], left.students[id]) {
			if students = append(students, id); deleted["student "+id] || !equal(o.students[id], left.students[id]) {
				return errNewer
			}
		}
	}
	for id := range left.students {
		if was.students[id] == nil {
			made = append(made, id)
		}
	}
	var crops []string
	for id, c := range was.crops {
		then, now := left.crops[id], o.crops[id]
		if c.student == then.student && c.corrected == then.corrected {
			continue
		}
		crops = append(crops, id)
		if deleted["crop "+id] || now == nil || now.student != then.student || now.corrected != then.corrected {
			return errNewer
		}
		if home := c.student; home != "" && !slices.Contains(students, home) && (deleted["student "+home] || o.students[home] == nil) {
			return errNewer
		}
	}
	if len(students)+len(made)+len(crops) == 0 {
		return ErrNotUndoable
	}
	for _, id := range students {
		o.students[id] = maps.Clone(was.students[id])
	}
	for _, id := range crops {
		o.crops[id].student, o.crops[id].corrected = was.crops[id].student, was.crops[id].corrected
	}
	for _, id := range made {
		if equal(o.students[id], left.students[id]) && len(o.cropsOf(id)) == 0 {
			delete(o.students, id)
		}
	}
	return nil
}

// deleteStudent returns the crops that go with the student; false: there is none.
func (o *oracle) deleteStudent(id string) (crops []string, known bool) {
	if o.students[id] == nil {
		return nil, false
	}
	crops = o.cropsOf(id)
	for _, c := range crops {
		delete(o.crops, c)
	}
	delete(o.students, id)
	return crops, true
}

// regroup replaces a student's groups, and reports whether there is one.
func (o *oracle) regroup(id string, groups []string) bool {
	if o.students[id] == nil {
		return false
	}
	o.students[id] = nil
	o.join(id, groups)
	return true
}

// warnings are those of a probe.
func (o *oracle) warnings(e Embedding, m Model) []string {
	var list []string
	if o.settings.Model != "" && o.settings.Model != e.Model {
		list = append(list, WarningOtherModel)
	}
	if recipe, locked := o.models[e.Model]; locked && recipe != e.Recipe {
		list = append(list, WarningOtherRecipe)
	}
	if o.settings.FPIR != DefaultFPIR && len(m.Calibration) == 0 {
		list = append(list, WarningNotCalibrated)
	}
	return list
}

// coverage counts what Gallery.Coverage should.
func (o *oracle) coverage(model string) Coverage {
	c := Coverage{Model: model, Recipe: o.models[model]}
	for _, crop := range o.crops {
		if crop.student == "" {
			continue
		}
		c.Crops++
		if crop.vectors[model] == nil {
			c.Without++
		} else if crop.recipes[model] != o.models[model] {
			c.Otherwise++
		}
	}
	return c
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
		v := c.vectors[e.Embedding.Model]
		if v == nil || c.student == "" || c.student == student {
			continue
		}
		others++
		if s := similarity(v, e.Embedding.Vector); id != e.CropID && s > best {
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
	crops := map[string][]string{}
	for id, c := range o.crops {
		v := c.vectors[model]
		if v == nil || c.student == "" || id == exclude || !o.inScope(sc, c.student) {
			continue
		}
		crops[c.student] = append(crops[c.student], id)
	}
	var out []Candidate
	for student, ids := range crops {
		slices.Sort(ids)
		nearest := slices.MaxFunc(ids, func(a, b string) int {
			return cmp.Compare(similarity(o.crops[a].vectors[model], vector), similarity(o.crops[b].vectors[model], vector))
		})
		var vectors [][]float32
		for _, id := range ids {
			vectors = append(vectors, o.crops[id].vectors[model])
		}
		out = append(out, Candidate{student, nearest, float32(plainScore(vector, vectors))})
	}
	slices.SortFunc(out, func(a, b Candidate) int { return cmp.Compare(b.Similarity, a.Similarity) })
	return out
}

// plainScore is a student's score by its definition: the vector's similarity to the
// centroid of the crops that agree, or to one that does not.
func plainScore(vector []float32, crops [][]float32) float64 {
	best := math.Inf(-1)
	for len(crops) > 1 {
		worst, least := -1, math.Inf(1) // the mean similarity with the others
		for i, a := range crops {
			var sum float64
			for j, b := range crops {
				if i != j {
					sum += similarity(a, b)
				}
			}
			if mean := sum / float64(len(crops)-1); mean <= least {
				worst, least = i, mean
			}
		}
		if least >= agreement {
			break
		}
		best = max(best, similarity(crops[worst], vector))
		crops = slices.Delete(slices.Clone(crops), worst, worst+1)
	}
	sum := make([]float32, len(vector))
	for _, c := range crops {
		for i, x := range c {
			sum[i] += x
		}
	}
	return max(best, similarity(sum, vector)/math.Sqrt(similarity(sum, sum)))
}

// comparisons returns how many comparisons a search counts for.
func (o *oracle) comparisons(model string, sc Scope, exclude string) int {
	n := 0
	students := map[string]bool{}
	for id, c := range o.crops {
		if c.vectors[model] != nil && c.student != "" && id != exclude && o.inScope(sc, c.student) {
			n++
			students[c.student] = true
		}
	}
	return int(math.Ceil(math.Sqrt(float64(n) * float64(len(students)))))
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
