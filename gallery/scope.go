package gallery

import (
	"fmt"
	"iter"

	"rollcall/index"
)

// Scope is the part of the gallery that a probe may match: the students of the
// groups together with the listed ones. The empty scope is everybody.
type Scope struct {
	Groups, StudentIDs []string
}

func (sc Scope) everybody() bool { return len(sc.Groups) == 0 && len(sc.StudentIDs) == 0 }

// check returns ErrInvalidID unless all names are well formed.
func (sc Scope) check() error {
	for _, id := range sc.Groups {
		if err := checkID("group", id); err != nil {
			return err
		}
	}
	for _, id := range sc.StudentIDs {
		if err := checkID("student", id); err != nil {
			return err
		}
	}
	return nil
}

// empty returns ErrEmptyScope with the names that led nowhere: the first of
// them, since there may be thousands.
func (sc Scope) empty() error {
	const most = 3
	return fmt.Errorf("%w: groups %q, students %q (%d and %d named)", ErrEmptyScope,
		sc.Groups[:min(most, len(sc.Groups))], sc.StudentIDs[:min(most, len(sc.StudentIDs))],
		len(sc.Groups), len(sc.StudentIDs))
}

// members iterates over the students in scope. A student who is named twice, or
// is in two of the groups, comes twice.
func (s *state) members(sc Scope) iter.Seq[*student] {
	return func(yield func(*student) bool) {
		if sc.everybody() {
			for _, st := range s.students {
				if !yield(st) {
					return
				}
			}
			return
		}
		for _, group := range sc.Groups {
			for st := range s.groups[group] {
				if !yield(st) {
					return
				}
			}
		}
		for _, id := range sc.StudentIDs {
			if st := s.students[id]; st != nil && !yield(st) {
				return
			}
		}
	}
}

// roster is a scope under one model: what a search may find. It is valid while
// the lock is held under which it was made.
type roster struct {
	space    *space     // nil: nothing is enrolled under the model
	allow    *index.Set // nil: every vector of the space
	students int        // with a vector in scope, other than the excluded crop's
	vectors  int        // in scope, other than the excluded crop's: how many comparisons a search makes
	exclude  *crop      // never found; may be nil
}

// roster resolves a scope. The errors are ErrEmptyScope, and a DigestError where
// the gallery was built with another file of the model.
// REQUIRES: Gallery.mu is held.
func (s *state) roster(m Model, sc Scope, excludeCrop string) (roster, error) {
	r := roster{space: s.spaces[m.Name], exclude: s.crops[excludeCrop]}
	if r.space != nil {
		if err := m.agrees(r.space.model); err != nil {
			return roster{}, err
		}
	}
	if sc.everybody() {
		if r.space != nil {
			r.vectors = r.space.owned
			r.students = len(r.space.students)
			r.leaveOut()
		}
		return r, nil
	}
	found := 0
	if r.space != nil {
		r.allow = index.NewSet()
		for st := range s.members(sc) {
			found += r.add(st)
		}
	}
	if found == 0 {
		return roster{}, sc.empty()
	}
	return r, nil
}

// leaveOut takes the excluded crop from the counts of everybody.
func (r *roster) leaveOut() {
	if r.exclude == nil || r.exclude.student == nil {
		return
	}
	for _, p := range r.exclude.places {
		if p.space != r.space {
			continue
		}
		r.vectors--
		if r.space.students[r.exclude.student] == 1 {
			r.students--
		}
	}
}

// add allows the student's vectors. It returns 0 if there are none.
func (r *roster) add(st *student) (found int) {
	counted := false
	for _, c := range st.crops {
		for _, p := range c.places {
			if p.space != r.space {
				continue
			}
			found = 1
			if c == r.exclude || r.allow.Has(p.id) { // or the student came before
				continue
			}
			r.allow.Add(p.id)
			r.vectors++
			counted = true
		}
	}
	if counted {
		r.students++
	}
	return found
}
