package roster

import (
	"maps"
	"slices"
)

// Known is what a gallery has of a student.
type Known struct {
	ID      string
	Groups  []string // sorted
	Leaves  bool     // it is to be deleted after some day
	Refused bool     // its consent was refused or withdrawn: it has no groups
}

// A Change is a student whose groups change.
type Change struct {
	ID     string   `json:"student_id"`
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
}

// A Difference is what has to be done so that a gallery is as a roster. Lists are in the order of the ids.
type Difference struct {
	New      []Change `json:"new,omitempty"`      // they are not in the gallery
	Moved    []Change `json:"moved,omitempty"`    // their groups are others
	Returned []string `json:"returned,omitempty"` // they were to be deleted; some may be in Moved too
	Leavers  []Change `json:"leavers,omitempty"`  // they are not in the roster, and are to be deleted and in no group

	Unchanged int `json:"unchanged"` // students of the roster about whom nothing is to do
	Gone      int `json:"gone"`      // students of the gallery about whom nothing is to do, as they are to be deleted
	Present   int `json:"-"`         // students of the gallery who were not to be deleted
}

// Nothing reports whether there is nothing to do.
func (d Difference) Nothing() bool {
	return len(d.New)+len(d.Moved)+len(d.Returned)+len(d.Leavers) == 0
}

// Compare compares a roster with what a gallery has.
func Compare(r Roster, gallery []Known) (d Difference) {
	known := make(map[string]Known, len(gallery))
	for _, k := range gallery {
		known[k.ID] = k
	}
	for _, id := range slices.Sorted(maps.Keys(r)) {
		k, isKnown := known[id]
		switch moves := !k.Refused && !slices.Equal(k.Groups, r[id]); {
		case !isKnown:
			d.New = append(d.New, Change{ID: id, After: r[id]})
			continue
		case moves:
			d.Moved = append(d.Moved, Change{ID: id, Before: k.Groups, After: r[id]})
		case !k.Leaves:
			d.Unchanged++
		}
		if k.Leaves {
			d.Returned = append(d.Returned, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(known)) {
		k := known[id]
		if !k.Leaves {
			d.Present++
		}
		if _, stays := r[id]; stays {
			continue
		}
		if k.Leaves {
			d.Gone++
			continue
		}
		d.Leavers = append(d.Leavers, Change{ID: id, Before: k.Groups})
	}
	return d
}

// Without returns the students of the roster who are not in the set, in the order of their ids.
func (r Roster) Without(set map[string]bool) (left []string) {
	for _, id := range slices.Sorted(maps.Keys(r)) {
		if !set[id] {
			left = append(left, id)
		}
	}
	return left
}
