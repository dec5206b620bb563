package bench

import (
	"fmt"
	"maps"
	"slices"
)

// A holding is what a gallery holds of one client: its students, with their groups in order,
// and its crops. Nobody else changes these, so the client knows what they must be.
type holding struct {
	students map[string][]string
	crops    map[string]heldCrop
}

// A heldCrop is a crop as it must be.
type heldCrop struct {
	student   string // "": nobody's
	corrected bool   // assigned by hand: enrolling it again does not move it
	picture   int    // of the client's pictures: that which it was embedded from last
}

func newHolding() holding {
	return holding{make(map[string][]string), make(map[string]heldCrop)}
}

func (h holding) clone() holding { return holding{maps.Clone(h.students), maps.Clone(h.crops)} }

// join makes a student, if there is none, and adds groups to those that the student has.
func (h holding) join(student string, groups ...string) {
	all := append(slices.Clone(h.students[student]), groups...)
	slices.Sort(all)
	h.students[student] = slices.Compact(all)
}

func (h holding) enrol(crop, student string, groups []string, picture int) {
	c := h.crops[crop]
	c.picture = picture
	if student != "" && !c.corrected {
		c.student = student
	}
	h.crops[crop] = c
	if c.student != "" && c.student == student {
		h.join(student, groups...)
	}
}

func (h holding) assign(crop, student string) {
	c := h.crops[crop]
	c.student, c.corrected = student, true
	h.crops[crop] = c
	if student != "" {
		h.join(student)
	}
}

func (h holding) merge(from, into string) {
	for id, c := range h.crops {
		if c.student == from {
			c.student, c.corrected = into, true
			h.crops[id] = c
		}
	}
	h.join(into, h.students[from]...)
	delete(h.students, from)
}

func (h holding) deleteStudent(student string) {
	maps.DeleteFunc(h.crops, func(_ string, c heldCrop) bool { return c.student == student })
	delete(h.students, student)
}

// differs says how what is there differs from what must be; "": it does not. The pictures are
// not compared: a gallery does not keep them.
func (h holding) differs(there holding) string {
	for _, id := range union(h.students, there.students) {
		want, must := h.students[id]
		got, is := there.students[id]
		if must != is || !slices.Equal(want, got) {
			return fmt.Sprintf("student %s: there %v %v, must be %v %v", id, is, got, must, want)
		}
	}
	for _, id := range union(h.crops, there.crops) {
		want, must := h.crops[id]
		got, is := there.crops[id]
		if must != is || want.student != got.student || want.corrected != got.corrected {
			return fmt.Sprintf("crop %s: there %v (of %q, corrected %v), must be %v (of %q, corrected %v)", id, is, got.student, got.corrected, must, want.student, want.corrected)
		}
	}
	return ""
}

// union returns the keys of both maps, in order.
func union[V any](a, b map[string]V) []string {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(ids)
	return slices.Compact(ids)
}
