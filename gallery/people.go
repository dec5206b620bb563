package gallery

import (
	"iter"
	"slices"
	"strings"
	"unique"

	"rollcall/index"
	"rollcall/storage"
)

// student is a student in memory.
type student struct {
	storage.Student
	groups []*group // that the record names
	crops  []*crop  // enrolled under it, in no order
}

// crop is a crop in memory, enrolled or not.
type crop struct {
	storage.Crop
	student    *student // nil: not enrolled
	at         int      // its place among the student's crops
	embeddings []place  // one for each model that embedded it: rarely more than two
}

// place is where the vector of a crop under one model lies. The vector of a crop
// without a student is in no index, only on disk.
type place struct {
	space   *space
	id      index.ID
	indexed bool
	score   float32 // of its quality
	recipe  unique.Handle[string]
}

// place returns the crop's place in a space, or nil.
func (c *crop) place(sp *space) *place {
	for i := range c.embeddings {
		if c.embeddings[i].space == sp {
			return &c.embeddings[i]
		}
	}
	return nil
}

// vacate gives up the vector's place in the index. [space.release] takes the vector
// out later.
func (p *place) vacate() {
	if p.indexed {
		p.space.owners[p.id] = nil
		p.space.left = append(p.space.left, p.id)
		p.indexed = false
	}
}

// group is the students of a class or course.
type group struct {
	name    string
	members []*student // in the order of their ids
	vectors map[*space]*groupVectors
}

// groupVectors are the vectors in one space that belong to a group, kept up to date
// so that a search of the group need not gather them.
type groupVectors struct {
	ids      *index.Set
	students int // with a vector
}

// vectorsIn returns the group's vectors in the space.
func (g *group) vectorsIn(sp *space) *groupVectors {
	v := g.vectors[sp]
	if v == nil {
		v = &groupVectors{ids: index.NewSet()}
		g.vectors[sp] = v
	}
	return v
}

// places iterates over the places of the student's vectors.
func (st *student) places() iter.Seq[*place] {
	return func(yield func(*place) bool) {
		for _, c := range st.crops {
			for i := range c.embeddings {
				if p := &c.embeddings[i]; p.indexed && !yield(p) {
					return
				}
			}
		}
	}
}

// enrol gives the crop to the student. Its vectors in the indexes move with it; the
// others come with their own records.
func (c *crop) enrol(st *student) {
	if c.student == st {
		return
	}
	if c.student != nil {
		c.detach()
	}
	c.student, c.at = st, len(st.crops)
	st.crops = append(st.crops, c)
	for i := range c.embeddings {
		if p := &c.embeddings[i]; p.indexed {
			p.count(st)
		}
	}
}

// detach takes the crop from its student, leaving its vectors where they are.
func (c *crop) detach() {
	st := c.student
	for i := range c.embeddings {
		if p := &c.embeddings[i]; p.indexed {
			p.discount(st)
		}
	}
	last := len(st.crops) - 1
	moved := st.crops[last]
	st.crops[c.at], moved.at = moved, c.at
	st.crops[last] = nil
	st.crops = st.crops[:last]
	c.student = nil
}

// unenrol takes the crop from its student, if it has one, and out of the indexes.
func (c *crop) unenrol() {
	if c.student == nil {
		return
	}
	c.detach()
	for i := range c.embeddings {
		c.embeddings[i].vacate()
	}
}

// forget takes the embedding in the space from the crop, if it has one.
func (c *crop) forget(sp *space) {
	i := slices.IndexFunc(c.embeddings, func(p place) bool { return p.space == sp })
	if i < 0 {
		return
	}
	if p := &c.embeddings[i]; p.indexed {
		p.discount(c.student)
		p.vacate()
	}
	c.embeddings = slices.Delete(c.embeddings, i, i+1)
}

// count counts the vector for its student, and adds it to the student's groups.
func (p *place) count(st *student) {
	p.space.owned++
	p.space.changes.Add(1)
	p.space.recipes[p.recipe]++
	e := p.space.students[st]
	if e == nil {
		e = &member{}
		p.space.students[st] = e
	}
	e.vectors++
	e.united.Store(nil)
	p.space.most = max(p.space.most, e.vectors)
	for _, g := range st.groups {
		v := g.vectorsIn(p.space)
		v.ids.Add(p.id)
		if e.vectors == 1 {
			v.students++
		}
	}
}

// discount undoes count.
func (p *place) discount(st *student) {
	p.space.owned--
	p.space.changes.Add(1)
	if p.space.recipes[p.recipe]--; p.space.recipes[p.recipe] == 0 {
		delete(p.space.recipes, p.recipe)
	}
	e := p.space.students[st]
	e.vectors--
	e.united.Store(nil)
	last := e.vectors == 0
	if last {
		delete(p.space.students, st)
	}
	for _, g := range st.groups {
		v := g.vectorsIn(p.space)
		v.ids.Remove(p.id)
		if last {
			v.students--
		}
	}
}

// insertStudent puts the student into a list in the order of ids.
func insertStudent(list []*student, st *student) []*student {
	i, _ := searchStudent(list, st.ID)
	return slices.Insert(list, i, st)
}

func removeStudent(list []*student, st *student) []*student {
	i, found := searchStudent(list, st.ID)
	if !found {
		return list
	}
	return slices.Delete(list, i, i+1)
}

// searchStudent returns where the student with this id is, or would be, in a list
// that is sorted by id.
func searchStudent(list []*student, id string) (int, bool) {
	if n := len(list); n > 0 && list[n-1].ID < id { // the usual case at the start, where students come in order
		return n, false
	}
	return slices.BinarySearchFunc(list, id, func(st *student, id string) int { return strings.Compare(st.ID, id) })
}
