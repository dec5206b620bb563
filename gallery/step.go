package gallery

import (
	"errors"
	"fmt"
	"slices"

	"rollcall/index"
	"rollcall/storage"
)

// step is what a change to storage means in memory.
type step struct {
	seq          uint64
	models       []storage.Model   // new ones
	students     []storage.Student // new or changed
	crops        []cropStep
	goneStudents []string // after their crops have left
	stored       int      // crops that came (+) or went (-), enrolled or not
}

// cropStep is what becomes of one crop.
type cropStep struct {
	id      string
	student string              // "": leaves the index
	vectors []storage.Embedding // new to the index, or in place of the one under that model
}

// placed is a vector that is in an engine and waits for its owner.
type placed struct {
	crop  string
	place place
}

// publish makes a step part of the picture, at once: vectors first go into the
// engines under IDs that nobody owns; then, under the lock, they change owners;
// then those without owners leave. So the lock is held for microseconds, however
// long an engine takes to insert.
// REQUIRES: the step's turn has come.
func (g *Gallery) publish(s *step) error {
	spaces, err := g.newSpaces(s.models)
	if err != nil {
		return err
	}
	arrivals, err := g.insert(s, spaces)
	if err != nil {
		return err
	}
	left := g.turnOver(s, spaces, arrivals)
	for _, p := range left {
		p.leave()
	}
	if g.snapshots != nil {
		g.snapshots.note(max(1, len(arrivals)+len(left)), g.vectors(), s.deletes())
	}
	return nil
}

// deletes reports whether a crop leaves the index for good. (A vector in whose
// place another comes leaves too, but its student stays enrolled.)
func (s *step) deletes() bool {
	return slices.ContainsFunc(s.crops, func(c cropStep) bool { return c.student == "" })
}

// vectors returns how many vectors there are in the indexes.
// REQUIRES: the caller is at turn.
func (g *Gallery) vectors() (n int) {
	for _, sp := range g.state.spaces {
		n += sp.engine.Len()
	}
	return n
}

// newSpaces makes a space for each model.
func (g *Gallery) newSpaces(models []storage.Model) (map[string]*space, error) {
	spaces := make(map[string]*space, len(models))
	for _, m := range models {
		sp, err := g.newSpace(m)
		if err != nil {
			return nil, fmt.Errorf("new index of model %q: %w", m.Name, err)
		}
		spaces[m.Name] = sp
	}
	return spaces, nil
}

// insert puts the step's vectors into the engines. On an error it leaves none
// behind.
func (g *Gallery) insert(s *step, spaces map[string]*space) ([]placed, error) {
	var arrivals []placed
	for _, c := range s.crops {
		for _, e := range c.vectors {
			sp := spaces[e.Model]
			if sp == nil {
				sp = g.state.spaces[e.Model] // without the lock: only who is at turn writes it
			}
			id, err := sp.insert(c.id, e.Vector)
			if err != nil {
				for _, a := range arrivals {
					a.place.leave()
				}
				return nil, fmt.Errorf("index crop %q under model %q: %w", c.id, e.Model, err)
			}
			arrivals = append(arrivals, placed{c.id, place{sp, id}})
		}
	}
	return arrivals, nil
}

// insert puts a crop's vector into the engine under an ID that nobody owns.
func (s *space) insert(crop string, vector []float32) (index.ID, error) {
	if s == nil {
		return 0, errNoSpace
	}
	id := s.ids.take()
	s.names.set(id, crop)
	if err := s.engine.Upsert(id, vector); err != nil {
		s.ids.give(id)
		return 0, err
	}
	return id, nil
}

// errNoSpace says that an embedding on disk names a model that is not.
var errNoSpace = errors.New("model has no record")

// leave removes a vector that nobody owns, and frees its ID.
func (p place) leave() {
	p.space.engine.Delete(p.id)
	p.space.ids.give(p.id)
}

// turnOver moves the picture on by the step. It returns the places that have no
// owner any more.
func (g *Gallery) turnOver(s *step, spaces map[string]*space, arrivals []placed) (left []place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := &g.state
	for name, sp := range spaces {
		st.spaces[name] = sp
	}
	for _, record := range s.students {
		st.putStudent(record)
	}
	for _, c := range s.crops {
		if c.student == "" {
			left = append(left, st.withdraw(c.id)...)
		} else {
			st.enrol(c.id, c.student)
		}
	}
	for _, a := range arrivals {
		if old, replaced := st.place(st.crops[a.crop], a.place); replaced {
			left = append(left, old)
		}
	}
	for _, id := range s.goneStudents {
		st.dropStudent(id)
	}
	st.stored += s.stored
	st.seq = s.seq
	return left
}
