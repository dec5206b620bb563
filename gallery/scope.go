package gallery

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"rollcall/index"
)

// Scope is the part of the gallery that a probe may match: the students of the
// groups together with the listed ones. The empty scope is everybody.
type Scope struct {
	Groups, StudentIDs []string
}

func (sc Scope) everybody() bool { return len(sc.Groups) == 0 && len(sc.StudentIDs) == 0 }

// parse returns the scope with its ids as the gallery keeps them, or ErrInvalidID.
func (sc Scope) parse() (parsed Scope, err error) {
	if parsed.Groups, err = parseIDs("group", sc.Groups); err != nil {
		return Scope{}, err
	}
	parsed.StudentIDs, err = parseIDs("student", sc.StudentIDs)
	return parsed, err
}

// empty returns ErrEmptyScope with the first names of the scope: there may be
// thousands.
func (sc Scope) empty() error {
	const most = 3
	return fmt.Errorf("%w: groups %q, students %q (%d and %d named)", ErrEmptyScope,
		sc.Groups[:min(most, len(sc.Groups))], sc.StudentIDs[:min(most, len(sc.StudentIDs))],
		len(sc.Groups), len(sc.StudentIDs))
}

// members iterates over the students in scope. A student who is named twice, or
// is in two of the groups, comes twice.
func (m *memory) members(sc Scope) iter.Seq[*student] {
	return func(yield func(*student) bool) {
		if sc.everybody() {
			for _, st := range m.byID {
				if !yield(st) {
					return
				}
			}
			return
		}
		for _, name := range sc.Groups {
			if g := m.groups[name]; g != nil {
				for _, st := range g.members {
					if !yield(st) {
						return
					}
				}
			}
		}
		for _, id := range sc.StudentIDs {
			if st := m.students[id]; st != nil && !yield(st) {
				return
			}
		}
	}
}

// roster is a scope under one model: what a search may find. It is valid as long as
// the lock is held under which it was made.
type roster struct {
	space    *space     // nil: nothing is enrolled under the model
	allow    *index.Set // nil: every vector of the space
	students int        // with a vector in scope, other than the excluded crop's
	vectors  int        // in scope, other than the excluded crop's
	exclude  *crop      // never found; may be nil
}

// comparisons returns how many independent comparisons a search makes, for the
// threshold: see threshold.go.
func (r *roster) comparisons() int {
	return int(math.Ceil(math.Sqrt(float64(r.students) * float64(r.vectors))))
}

// roster resolves a scope. The errors are ErrEmptyScope, and a DigestError where
// the gallery was built with another file of the model.
// REQUIRES: the lock is held.
func (m *memory) roster(model Model, sc Scope, excludeCrop string) (roster, error) {
	r := roster{space: m.spaces[model.Name], exclude: m.crops[excludeCrop]}
	if r.space == nil {
		if !sc.everybody() {
			return roster{}, sc.empty()
		}
		return r, nil
	}
	if err := model.agrees(r.space.Model); err != nil {
		return roster{}, err
	}
	if sc.everybody() {
		r.vectors, r.students = r.space.owned, len(r.space.students)
	} else {
		r.restrict(m, sc)
		if r.vectors == 0 {
			return roster{}, sc.empty()
		}
	}
	r.leaveOut()
	return r, nil
}

// restrict limits the roster to some groups and students. A single group costs
// nothing: there is a set of its vectors already.
func (r *roster) restrict(m *memory, sc Scope) {
	groups := make([]*group, 0, len(sc.Groups))
	for _, name := range sc.Groups {
		if g := m.groups[name]; g != nil && g.vectors[r.space] != nil && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	// The largest group first: the others are added to it.
	slices.SortFunc(groups, func(a, b *group) int { return len(b.members) - len(a.members) })
	first := &group{}
	r.allow = index.NewSet()
	if len(groups) > 0 {
		first, groups = groups[0], groups[1:]
		v := first.vectors[r.space]
		r.allow, r.students = v.ids, v.students
	}
	if len(groups)+len(sc.StudentIDs) > 0 {
		r.allow = r.allow.Clone()
		counted := make(map[*student]bool)
		count := func(st *student) {
			if _, in := searchStudent(first.members, st.ID); !in && !counted[st] && r.space.students[st] != nil {
				counted[st] = true
				r.students++
			}
		}
		for _, g := range groups {
			r.allow.Or(g.vectors[r.space].ids)
			for _, st := range g.members {
				count(st)
			}
		}
		for _, id := range sc.StudentIDs {
			st := m.students[id]
			if st == nil {
				continue
			}
			count(st)
			for p := range st.places() {
				if p.space == r.space {
					r.allow.Add(p.id)
				}
			}
		}
	}
	r.vectors = r.allow.Len()
}

// leaveOut takes the excluded crop out of the counts. A search may still find it,
// and then skips it.
func (r *roster) leaveOut() {
	if r.exclude == nil {
		return
	}
	p := r.exclude.place(r.space)
	if p == nil || !p.indexed || r.allow != nil && !r.allow.Has(p.id) {
		return
	}
	r.vectors--
	if r.space.students[r.exclude.student].vectors == 1 {
		r.students--
	}
}
