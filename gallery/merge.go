package gallery

import (
	"context"
	"fmt"

	"rollcall/storage"
)

// MergeStudents gives all crops and groups of one student to another, in one edit, and
// deletes the first: one person was enrolled under two ids. The crops count as corrected, so
// that enrolling them again under the old id does not move them back. [Gallery.Undo] takes
// it back. It returns the student who stays, and how many crops moved.
//
// The errors are ErrInvalidID (also where there would be more than [MaxGroups] groups),
// ErrSameStudent, ErrStudentNotFound, a *NoConsentError, ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) MergeStudents(ctx context.Context, from, into string) (st StudentInfo, moved int, err error) {
	if from, err = parseID("student", from); err != nil {
		return StudentInfo{}, 0, err
	}
	if into, err = parseID("student", into); err != nil {
		return StudentInfo{}, 0, err
	}
	if from == into {
		return StudentInfo{}, 0, fmt.Errorf("%w: %q", ErrSameStudent, from)
	}
	var stays storage.Student
	seq, err := g.writer.do(ctx, causeMerge, func(e *edit) error {
		stays, moved, err = e.merge(from, into)
		return err
	})
	if err != nil {
		return StudentInfo{}, 0, fmt.Errorf("merge student %q into %q: %w", from, into, err)
	}
	return g.changedStudent(ctx, stays, seq), moved, nil
}

func (e *edit) merge(from, into string) (stays storage.Student, moved int, err error) {
	gone, ok := lookup[storage.Student](e, studentRef(from))
	if !ok {
		return storage.Student{}, 0, fmt.Errorf("%w: %q", ErrStudentNotFound, from)
	}
	if stays, ok = lookup[storage.Student](e, studentRef(into)); !ok {
		return storage.Student{}, 0, fmt.Errorf("%w: %q", ErrStudentNotFound, into)
	}
	if gone.Consent.State.Refuses() {
		return storage.Student{}, 0, &NoConsentError{gone.ID, gone.Consent.State}
	}
	if stays.Consent == (Consent{}) {
		stays.Consent = gone.Consent
	}
	all := append(append([]string(nil), stays.Groups...), gone.Groups...)
	if stays.Groups, err = groupSet(all...); err != nil {
		return storage.Student{}, 0, err
	}
	// The record is written even if the groups are the same: so the log names both.
	stays.Updated = e.now
	e.put(stays)
	for _, id := range e.cropsOf(from) {
		crop, _ := lookup[storage.Crop](e, cropRef(id))
		if _, err := e.assign(crop, into, true); err != nil {
			return storage.Student{}, 0, err
		}
		moved++
	}
	e.gone(studentRef(from))
	return stays, moved, nil
}
