package gallery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"rollcall/storage"
)

// An Erasure says what a deletion has erased. It is open until the names have left the log
// and the journal, and the files have been rewritten.
type Erasure = storage.Erasure

// DeleteStudent erases a student with all its crops and their embeddings, for good, and
// notes it in the list of erasures. Who was merged into the student is the same person, and
// goes with it.
//
// The erasure is open: the caller has it finished. The errors are ErrInvalidID,
// ErrStudentNotFound, ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) DeleteStudent(ctx context.Context, id string) (Erasure, error) {
	id, err := parseID("student", id)
	if err != nil {
		return Erasure{}, err
	}
	return g.deleteStudent(ctx, id, func(_ storage.Student, there bool) bool { return there })
}

// DeleteOverdue is DeleteStudent for a student whose last day is over, on the day today. It
// returns ErrStudentNotFound if that is not so any more: the student came back.
func (g *Gallery) DeleteOverdue(ctx context.Context, id string, today Date) (Erasure, error) {
	return g.deleteStudent(ctx, id, func(s storage.Student, there bool) bool { return there && overdue(s, today) })
}

// ForgetStudent is DeleteStudent for somebody who need not have a record, and is in the log
// or the journal alone: who was merged, or was never enrolled.
func (g *Gallery) ForgetStudent(ctx context.Context, id string) (Erasure, error) {
	id, err := parseID("student", id)
	if err != nil {
		return Erasure{}, err
	}
	return g.deleteStudent(ctx, id, func(storage.Student, bool) bool { return true })
}

// Logged reports whether the log names a student. The errors are ErrInvalidID and storage's.
func (g *Gallery) Logged(ctx context.Context, id string) (bool, error) {
	id, err := parseID("student", id)
	if err != nil {
		return false, err
	}
	_, logged, err := g.namesOf(ctx, id)
	return logged, err
}

// deleteStudent deletes a student, unless may says no of its record as it is then, and whether
// there is one.
func (g *Gallery) deleteStudent(ctx context.Context, id string, may func(s storage.Student, there bool) bool) (erased Erasure, err error) {
	names, _, err := g.namesOf(ctx, id)
	if err != nil {
		return Erasure{}, fmt.Errorf("delete student %q: %w", id, err)
	}
	digests, err := g.digests(ctx)
	if err != nil {
		return Erasure{}, fmt.Errorf("delete student %q: %w", id, err)
	}
	_, err = g.writer.do(ctx, causeDeleteStudent, func(e *edit) error {
		if !may(lookup[storage.Student](e, studentRef(id))) {
			return fmt.Errorf("%w: %q", ErrStudentNotFound, id)
		}
		erased = e.erase(digests, names, e.cropsOf(id))
		e.gone(studentRef(id))
		return nil
	})
	if err != nil {
		return Erasure{}, fmt.Errorf("delete student %q: %w", id, err)
	}
	return erased, nil
}

// digests returns the digests of the gallery. The errors are ErrUnavailable and ctx's.
func (g *Gallery) digests(ctx context.Context) (storage.Digests, error) {
	digests, err := g.writer.partition.Digests(ctx)
	if err != nil && ctx.Err() == nil {
		g.opts.Logger.Error("an erasure cannot be noted", "error", err)
		err = fmt.Errorf("%w: nothing was erased: try again", ErrUnavailable)
	}
	return digests, err
}

// erase deletes crops, and notes an erasure of them and of the students, whose records are
// the caller's business. Each has a digest of its own in the list; the first one has the
// rest of the erasure.
func (e *edit) erase(digests storage.Digests, students, crops []string) Erasure {
	all := Erasure{Time: e.now, Change: e.number(), Open: true, Students: students, Crops: crops, ErasedCrops: len(crops)}
	var list []string
	for _, id := range students {
		list = append(list, digests.Student(id))
	}
	for _, id := range crops {
		all.ErasedEmbeddings += e.deleteCrop(id)
		list = append(list, digests.Crop(id))
	}
	for _, digest := range list {
		e.put(Erasure{Digest: digest, Time: all.Time, Change: all.Change})
	}
	all.Digest = list[0]
	e.put(all)
	return all
}

// number is the number that the edit's change will have.
func (e *edit) number() uint64 { return e.batch.memory.seq + uint64(len(e.batch.changes)) + 1 }

// namesOf reads the log, and returns the ids that a student had: its own first, and those
// that were merged into it. Logged says that the log names the student at all.
func (g *Gallery) namesOf(ctx context.Context, id string) (names []string, logged bool, err error) {
	merged := make(map[string][]string) // into -> from
	for c, err := range g.logged(ctx) {
		if err != nil {
			return nil, false, err
		}
		logged = noteMerge(merged, c, id) || logged
	}
	return g.sameAs(id, merged), logged, nil
}

// logged yields the changes that the log still has, oldest first. An error is the last step.
func (g *Gallery) logged(ctx context.Context) iter.Seq2[storage.Change, error] {
	return func(yield func(storage.Change, error) bool) {
		for after, more := uint64(0), true; more; {
			more = false
			for c, err := range g.writer.partition.Changes(ctx, after) {
				var trimmed *storage.TrimmedError
				if more = errors.As(err, &trimmed); more {
					after = trimmed.After
					break
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// noteMerge notes who was merged into whom in a change, and reports whether it names a
// student. A merge writes the student who stays first.
func noteMerge(merged map[string][]string, c storage.Change, id string) (names bool) {
	stays := ""
	for _, w := range c.Writes {
		before, _ := w.Before.(storage.Crop)
		names = names || w.Ref == studentRef(id) || before.StudentID == id
		switch {
		case c.Cause != causeMerge || w.Ref.Kind != storage.KindStudent:
		case stays == "":
			stays = w.Ref.ID
		default:
			merged[stays] = append(merged[stays], w.Ref.ID)
		}
	}
	return names
}

// sameAs returns a student with all who were merged into it, but for those who have a
// record: the merge was undone, or somebody else has the id now.
func (g *Gallery) sameAs(id string, merged map[string][]string) []string {
	names := []string{id}
	m := g.writer.memory.Load()
	if m == nil {
		return names
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i := 0; i < len(names); i++ {
		for _, from := range merged[names[i]] {
			if m.students[from] == nil && !slices.Contains(names, from) {
				names = append(names, from)
			}
		}
	}
	return names
}

// KeepErasures writes erasures as they are now: with less left to do, or finished. One that
// was made anew since is left alone. The errors are ErrReadOnly, ErrUnavailable and
// ErrClosed.
func (g *Gallery) KeepErasures(ctx context.Context, list []Erasure) error {
	_, err := g.writer.do(ctx, storage.CauseErased, func(e *edit) error {
		for _, erasure := range list {
			present, changed := e.changed(erasure.Ref())
			if !changed {
				records, err := e.batch.partition.Fetch(e.ctx, erasure.Ref())
				if err != nil {
					return err
				}
				if len(records) > 0 {
					present = records[0]
				}
			}
			if p, ok := present.(Erasure); ok && p.Change == erasure.Change {
				e.put(erasure)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what is erased: %w", err)
	}
	return nil
}

// Overdue returns the students whose last day is over: those who are deleted on the day
// today. The errors are ErrUnavailable and ErrClosed.
func (g *Gallery) Overdue(ctx context.Context, today Date) ([]string, error) {
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var ids []string
	for _, st := range m.byID {
		if overdue(st.Student, today) {
			ids = append(ids, st.ID)
		}
	}
	return ids, nil
}

// overdue says whether the last day of a student is over.
func overdue(s storage.Student, today Date) bool { return s.DeleteAfter != "" && s.DeleteAfter < today }
