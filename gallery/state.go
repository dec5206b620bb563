package gallery

import (
	"slices"

	"rollcall/index"
	"rollcall/storage"
)

// state is the gallery in memory: who is enrolled with which crops, and where
// their vectors lie in the indexes. It changes only in [Gallery.publish] and at
// Open, each time from one consistent picture to the next, while Gallery.mu is
// held for writing; whoever holds it for reading sees one picture throughout.
type state struct {
	seq      uint64 // of the last change that is in the picture
	stored   int    // crops, enrolled or not
	students map[string]*student
	crops    map[string]*crop // the enrolled ones
	groups   map[string]map[*student]struct{}
	spaces   map[string]*space // by model
}

func newState() state {
	return state{
		students: make(map[string]*student),
		crops:    make(map[string]*crop),
		groups:   make(map[string]map[*student]struct{}),
		spaces:   make(map[string]*space),
	}
}

// student is a student in memory. The id never changes, so a pointer to it may
// be read after the lock is gone; the rest is state.
type student struct {
	id     string
	groups []string // sorted
	crops  []*crop  // the enrolled ones, in no order
}

// crop is an enrolled crop: one that has a student.
type crop struct {
	id      string
	student *student
	places  []place // one for each model that embedded it: rarely more than two
}

// place is where a crop's vector under one model lies.
type place struct {
	space *space
	id    index.ID
}

// space is the vectors of one model. An ID in the engine that has no owner is
// either on its way in or on its way out, and not part of the picture: that is
// how a change of several vectors appears at once, and why a vector is never
// replaced under its ID.
type space struct {
	model    storage.Model
	engine   index.Engine
	owners   []*crop          // by ID; nil where the ID is free
	students map[*student]int // how many vectors of the student are here; never 0
	owned    int              // vectors with an owner: the engine may hold more

	names *cropNames // nil unless the engine reads vectors from storage

	ids idPool // touched only by whoever is at turn
}

func (g *Gallery) newSpace(model storage.Model) (*space, error) {
	opts, names := g.engineOptions(model)
	engine, err := index.New(g.opts.Engine, model.Dimension, opts)
	if err != nil {
		return nil, err
	}
	return &space{model: model, engine: engine, students: make(map[*student]int), names: names}, nil
}

// idPool hands out dense IDs, freed ones first.
type idPool struct {
	next index.ID
	free []index.ID
}

func (p *idPool) take() index.ID {
	if n := len(p.free); n > 0 {
		id := p.free[n-1]
		p.free = p.free[:n-1]
		return id
	}
	p.next++
	return p.next - 1
}

func (p *idPool) give(id index.ID) { p.free = append(p.free, id) }

// owner returns the crop whose vector lies at id, or nil.
func (s *space) owner(id index.ID) *crop {
	if int(id) >= len(s.owners) {
		return nil
	}
	return s.owners[id]
}

// own makes c (or nobody, when nil) the owner of id.
func (s *space) own(id index.ID, c *crop) {
	for int(id) >= len(s.owners) {
		s.owners = append(s.owners, nil)
	}
	s.owners[id] = c
}

// count adds n to the number of the student's vectors here.
func (s *space) count(st *student, n int) {
	s.owned += n
	if s.students[st] += n; s.students[st] == 0 {
		delete(s.students, st)
	}
}

// putStudent takes over a student's record.
func (s *state) putStudent(record storage.Student) {
	st := s.students[record.ID]
	if st == nil {
		st = &student{id: record.ID}
		s.students[record.ID] = st
	}
	s.leaveGroups(st)
	st.groups = slices.Clone(record.Groups)
	for _, group := range st.groups {
		members := s.groups[group]
		if members == nil {
			members = make(map[*student]struct{})
			s.groups[group] = members
		}
		members[st] = struct{}{}
	}
}

func (s *state) leaveGroups(st *student) {
	for _, group := range st.groups {
		delete(s.groups[group], st)
		if len(s.groups[group]) == 0 {
			delete(s.groups, group)
		}
	}
	st.groups = nil
}

// dropStudent forgets a student.
// REQUIRES: the student has no enrolled crop left.
func (s *state) dropStudent(id string) {
	if st := s.students[id]; st != nil {
		s.leaveGroups(st)
		delete(s.students, id)
	}
}

// enrol makes the crop the student's, moving it with its vectors if it is
// another's.
// REQUIRES: the student is in the picture.
func (s *state) enrol(cropID, studentID string) *crop {
	st := s.students[studentID]
	c := s.crops[cropID]
	if c == nil {
		c = &crop{id: cropID}
		s.crops[cropID] = c
	}
	if c.student == st {
		return c
	}
	if c.student != nil {
		s.part(c)
	}
	c.student = st
	st.crops = append(st.crops, c)
	for _, p := range c.places {
		p.space.count(st, 1)
	}
	return c
}

// part takes the crop from its student, leaving its vectors where they are.
func (s *state) part(c *crop) {
	st := c.student
	for _, p := range c.places {
		p.space.count(st, -1)
	}
	i := slices.Index(st.crops, c)
	st.crops = slices.Delete(st.crops, i, i+1)
	c.student = nil
}

// place puts the vector at p under the crop, in place of the one that it had
// under the model. It returns that one's place, if any.
func (s *state) place(c *crop, p place) (old place, replaced bool) {
	p.space.own(p.id, c)
	for i, q := range c.places {
		if q.space == p.space {
			c.places[i] = p
			p.space.own(q.id, nil)
			return q, true
		}
	}
	c.places = append(c.places, p)
	p.space.count(c.student, 1)
	return place{}, false
}

// withdraw takes a crop out of the picture. It returns the places of its
// vectors; none if the crop is not enrolled.
func (s *state) withdraw(cropID string) []place {
	c := s.crops[cropID]
	if c == nil {
		return nil
	}
	s.part(c)
	delete(s.crops, cropID)
	for _, p := range c.places {
		p.space.own(p.id, nil)
	}
	return c.places
}
