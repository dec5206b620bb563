package gallery

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unique"

	"rollcall/index"
)

// checkMemory compares what memory derives (who is in a group, whose a vector is,
// how many there are) with what follows from the small records. No change may be
// under way.
func checkMemory(m *memory) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := memoryCheck{m: m}
	c.students()
	c.crops()
	for name, sp := range m.spaces {
		c.space(name, sp)
	}
	c.groups()
	return errors.Join(c.wrong...)
}

type memoryCheck struct {
	m     *memory
	wrong []error
}

func (c *memoryCheck) want(ok bool, format string, args ...any) {
	if !ok {
		c.wrong = append(c.wrong, fmt.Errorf(format, args...))
	}
}

func byID(a, b *student) int { return cmp.Compare(a.ID, b.ID) }

func (c *memoryCheck) students() {
	want := slices.SortedFunc(maps.Values(c.m.students), byID)
	c.want(slices.Equal(c.m.byID, want), "the list of all students is not that of the records")
	for id, st := range c.m.students {
		c.want(st.ID == id && slices.IsSorted(st.Groups), "student %q: %+v", id, st.Student)
		var want []*crop
		for _, crop := range c.m.crops {
			if crop.StudentID == id {
				want = append(want, crop)
			}
		}
		c.want(len(st.crops) == len(want), "student %q has %d crops, want %d", id, len(st.crops), len(want))
		for _, crop := range want {
			c.want(crop.student == st && slices.Contains(st.crops, crop), "crop %q is not that of student %q", crop.ID, id)
		}
	}
}

func (c *memoryCheck) crops() {
	for id, crop := range c.m.crops {
		c.want(crop.ID == id, "crop %q calls itself %q", id, crop.ID)
		c.want((crop.student == nil) == (crop.StudentID == ""), "crop %q of %q has a student: %v", id, crop.StudentID, crop.student != nil)
		seen := map[*space]bool{}
		for _, p := range crop.embeddings {
			c.want(!seen[p.space] && c.m.spaces[p.space.Name] == p.space, "crop %q has two embeddings under %q, or a lost one", id, p.space.Name)
			seen[p.space] = true
			c.want(p.indexed == (crop.student != nil), "crop %q under %q is searched: %v", id, p.space.Name, p.indexed)
			if p.indexed {
				c.want(p.space.owner(p.id) == crop, "crop %q under %q: another one's vector", id, p.space.Name)
			}
		}
	}
}

// space checks a space, whose owners the crops were compared with.
func (c *memoryCheck) space(name string, sp *space) {
	owned := map[index.ID]bool{}
	students := map[*student]int{}
	recipes := map[unique.Handle[string]]int{}
	for _, crop := range c.m.crops {
		if p := crop.place(sp); p != nil && p.indexed {
			recipes[p.recipe]++
			owned[p.id] = true
			students[crop.student]++
		}
	}
	c.want(sp.owned == len(owned), "model %q: %d vectors, want %d", name, sp.owned, len(owned))
	c.want(maps.Equal(sp.recipes, recipes), "model %q: vectors by recipe %v, want %v", name, sp.recipes, recipes)
	counted := map[*student]int{}
	for st, e := range sp.students {
		counted[st] = e.vectors
	}
	c.want(maps.Equal(counted, students), "model %q: the students' counts are not those of the crops", name)
	for id, crop := range sp.owners {
		c.want((crop != nil) == owned[index.ID(id)], "model %q: who owns vector %d", name, id)
	}
	engine := map[index.ID]bool{}
	for id := range sp.engine.Vectors() {
		engine[id] = true
	}
	c.want(maps.Equal(engine, owned) && sp.engine.Len() == len(owned) && len(sp.left) == 0, "model %q: the engine holds %d vectors, want %d", name, sp.engine.Len(), len(owned))
	free := map[index.ID]bool{}
	for _, id := range sp.free {
		c.want(!free[id] && !owned[id] && id < sp.next, "model %q: place %d is free twice, taken or unknown", name, id)
		free[id] = true
	}
	c.want(len(free)+len(owned) == int(sp.next), "model %q: %d places free and %d taken of %d", name, len(free), len(owned), sp.next)
}

func (c *memoryCheck) groups() {
	members := map[string][]*student{}
	for _, st := range c.m.byID {
		for _, name := range st.Groups {
			members[name] = append(members[name], st)
		}
	}
	c.want(len(c.m.groups) == len(members), "%d groups, want %d", len(c.m.groups), len(members))
	for name, want := range members {
		g := c.m.groups[name]
		if g == nil {
			c.want(false, "no group %q", name)
			continue
		}
		c.want(slices.Equal(g.members, want), "group %q has other members", name)
		for _, sp := range c.m.spaces {
			c.vectorsOf(name, sp, g.vectors[sp], want)
		}
	}
}

// vectorsOf checks a group's vectors in a space. One that never had a vector may
// have none.
func (c *memoryCheck) vectorsOf(name string, sp *space, got *groupVectors, members []*student) {
	if got == nil {
		got = &groupVectors{ids: index.NewSet()}
	}
	students, vectors := 0, 0
	for _, st := range members {
		if sp.students[st] != nil {
			students++
		}
		for p := range st.places() {
			if p.space == sp {
				vectors++
				c.want(got.ids.Has(p.id), "group %q under %q lacks a vector of student %q", name, sp.Name, st.ID)
			}
		}
	}
	c.want(got.students == students && got.ids.Len() == vectors, "group %q under %q: %d students with %d vectors, want %d with %d",
		name, sp.Name, got.students, got.ids.Len(), students, vectors)
}
