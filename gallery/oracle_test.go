package gallery

import (
	"cmp"
	"maps"
	"slices"
)

// oracle is what a gallery should hold, in plain maps, and searches by brute
// force in float64.
type oracle struct {
	settings Settings
	models   map[string]string          // name -> recipe
	students map[string]map[string]bool // id -> groups
	crops    map[string]*oracleCrop
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
	c := &oracle{o.settings, maps.Clone(o.models), maps.Clone(o.students), maps.Clone(o.crops)}
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

	checked   bool // for duplicates
	nearest   float64
	whose     string // the nearest crop is
	threshold float64
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
	want.threshold = float64(m.duplicateThreshold(others, o.settings.FPIR))
	want.checked = want.student != "" && !e.AllowDuplicate && !old.corrected &&
		(old.student != want.student || !slices.Equal(old.vectors[m.Name], e.Embedding.Vector))
	return want
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
func (o *oracle) warnings(e Embedding) []string {
	var list []string
	if o.settings.Model != "" && o.settings.Model != e.Model {
		list = append(list, WarningOtherModel)
	}
	if recipe, locked := o.models[e.Model]; locked && recipe != e.Recipe {
		list = append(list, WarningOtherRecipe)
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
