package gallery

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"rollcall/storage"
)

// An undo puts back what a change altered: the student of a crop and whether it was
// corrected, the groups of a student, and whether there is such a student. The log says how
// these were before the change. How the change left them is what the next change of the same
// record found, or else what there is now. If what there is now is not what the change left,
// something newer stands against the undo.
//
// What does not matter is what came to the same again, and what no undo changes: a crop may
// have been embedded with another model since, and a student may have got other crops. What
// was deleted since is final, even if there is something of the same id again.

// errMoved says that a record changed after an undo was planned.
var errMoved = errors.New("a record changed since the undo was planned")

// Undo takes back an assignment, a merge, a change of groups or an undo, by the number of
// the change, as one edit. A student that the change made goes again, unless it has other
// crops or was changed since. It returns what was undone, and the number of the undo, which
// is a change itself.
//
// The errors are ErrChangeNotFound, ErrNotUndoable, a *NewerChangeError (something newer
// stands against it), ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) Undo(ctx context.Context, seq uint64) (undone ChangeInfo, change uint64, err error) {
	for {
		var p *undoPlan
		if p, err = g.planUndo(ctx, seq); err != nil {
			break
		}
		change, err = g.writer.do(ctx, causeUndo+strconv.FormatUint(seq, 10), p.decide)
		if errors.Is(err, errMoved) {
			continue // a new plan says what stands against it
		}
		undone = changeInfo(p.change)
		break
	}
	if err != nil {
		return ChangeInfo{}, 0, fmt.Errorf("undo change %d: %w", seq, err)
	}
	return undone, change, nil
}

// undoPlan is how one change is undone.
type undoPlan struct {
	change  storage.Change
	records map[storage.Ref]*undoneRecord
	order   []storage.Ref // of records
}

// undoneRecord is what the log says of one record.
type undoneRecord struct {
	written bool           // by the change
	home    bool           // a student whom a crop goes back to
	before  storage.Record // the change; nil: there was none. REQUIRES: written
	after   storage.Record // as the change left it; nil: there was none

	last    *touch         // the last later change that wrote it; nil: none yet
	altered *touch         // the last one known to have altered it
	deleted bool           // and it was deleted: altered says by which change, for good
	now     storage.Record // as it was when the undo was planned
}

// touch is a change that wrote a record.
type touch struct {
	seq    uint64
	cause  string
	before storage.Record
}

// same reports whether two states of a record are the same to an undo. Of a student that
// the undo does not alter, only that it is there counts.
func same(a, b storage.Record, altered bool) bool {
	switch a := a.(type) {
	case storage.Student:
		b, ok := b.(storage.Student)
		return ok && (!altered || slices.Equal(a.Groups, b.Groups))
	case storage.Crop:
		b, ok := b.(storage.Crop)
		return ok && a.StudentID == b.StudentID && a.Corrected == b.Corrected
	}
	return b == nil
}

// noted reports whether a consent or a last day was noted of a student since: who was
// refused must not become somebody of whom nothing is known.
func noted(before, now storage.Record) bool {
	a, _ := before.(storage.Student)
	b, _ := now.(storage.Student)
	return a.Consent != b.Consent || a.DeleteAfter != b.DeleteAfter
}

// alters reports whether undoing changes the record.
// REQUIRES: after is known.
func (r *undoneRecord) alters() bool { return r.written && !same(r.before, r.after, true) }

// made reports whether it is a student whom the change made.
func (r *undoneRecord) made() bool { return r.written && r.before == nil }

// planUndo reads the log, and checks that nothing stands against the undo now.
func (g *Gallery) planUndo(ctx context.Context, seq uint64) (*undoPlan, error) {
	change, err := g.loggedChange(ctx, seq)
	if err != nil {
		return nil, err
	}
	p := &undoPlan{change: change, records: make(map[storage.Ref]*undoneRecord)}
	if err := p.gather(); err != nil {
		return nil, err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	newest := m.seq
	for ref, r := range p.records {
		r.now = m.find(ref)
	}
	release()
	for c, err := range g.writer.partition.Changes(ctx, seq) {
		if err != nil {
			return nil, fmt.Errorf("read the log of changes: %w", err)
		}
		if c.Sequence > newest {
			break
		}
		p.follow(c)
	}
	return p, p.check()
}

// loggedChange returns one change of the log.
func (g *Gallery) loggedChange(ctx context.Context, seq uint64) (storage.Change, error) {
	if seq > 0 {
		for c, err := range g.writer.partition.Changes(ctx, seq-1) {
			var trimmed *storage.TrimmedError
			switch {
			case err == nil:
				return c, nil
			case errors.As(err, &trimmed):
				return storage.Change{}, fmt.Errorf("%w: the log begins after change %d", ErrChangeNotFound, trimmed.After)
			case !errors.Is(err, storage.ErrTrimmed):
				return storage.Change{}, fmt.Errorf("read the log of changes: %w", err)
			}
		}
	}
	return storage.Change{}, fmt.Errorf("%w: there is no change %d", ErrChangeNotFound, seq)
}

// gather takes up the records that the change wrote, and the students whom its crops go
// back to.
func (p *undoPlan) gather() error {
	if !undoable(p.change.Cause) {
		return fmt.Errorf("%w: it is %q, and only assignments, merges, changes of groups and undos can be", ErrNotUndoable, p.change.Cause)
	}
	for _, w := range p.change.Writes {
		switch w.Ref.Kind {
		case storage.KindStudent, storage.KindCrop:
			p.record(w.Ref).written = true
			p.record(w.Ref).before = w.Before
			if crop, ok := w.Before.(storage.Crop); ok && crop.StudentID != "" {
				p.record(studentRef(crop.StudentID)).home = true
			}
		case storage.KindEmbedding: // it was written again, unchanged
		default:
			return fmt.Errorf("%w: what it did was erased from the log", ErrNotUndoable)
		}
	}
	return nil
}

func (p *undoPlan) record(ref storage.Ref) *undoneRecord {
	r := p.records[ref]
	if r == nil {
		r = &undoneRecord{}
		p.records[ref] = r
		p.order = append(p.order, ref)
	}
	return r
}

// follow takes notice of a later change.
func (p *undoPlan) follow(c storage.Change) {
	for _, w := range c.Writes {
		if r := p.records[w.Ref]; r != nil {
			r.left(w.Before)
			r.last = &touch{c.Sequence, c.Cause, w.Before}
			if c.Cause == causeDeleteCrop || c.Cause == causeDeleteStudent || strings.HasPrefix(c.Cause, causeConsent) && w.Ref.Kind == storage.KindCrop {
				r.deleted, r.altered = true, r.last
			}
		}
	}
}

// left takes notice of how the last change so far left the record.
func (r *undoneRecord) left(state storage.Record) {
	switch {
	case r.last == nil:
		r.after = state
	case !r.deleted && !same(r.last.before, state, r.alters()):
		r.altered = r.last
	}
}

// check compares what there is now with what the change left.
func (p *undoPlan) check() error {
	alters := false
	for _, r := range p.records {
		r.left(r.now)
		alters = alters || r.alters()
	}
	if !alters {
		return fmt.Errorf("%w: it altered nothing", ErrNotUndoable)
	}
	for _, ref := range p.order {
		r := p.records[ref]
		switch by := r.altered; {
		case !r.inTheWay():
		case by == nil:
			return fmt.Errorf("%w: the log does not say who changed %s %q since", ErrNotUndoable, ref.Kind, ref.ID)
		default:
			return &NewerChangeError{Seq: by.seq, Cause: by.cause, What: fmt.Sprintf("%s %q", ref.Kind, ref.ID), Final: !undoable(by.cause)}
		}
	}
	return nil
}

// inTheWay reports whether what became of the record stands against the undo. A student
// whom the change made may be as it is: it stays if it was changed.
func (r *undoneRecord) inTheWay() bool {
	return !r.made() && (r.alters() || r.home) && (r.deleted || !same(r.after, r.now, r.alters()))
}

// decide decides the undo. It goes by the plan if the records are those of the plan.
func (p *undoPlan) decide(e *edit) error {
	for ref, r := range p.records {
		if !reflect.DeepEqual(e.find(ref), r.now) {
			return errMoved
		}
	}
	for _, ref := range p.order {
		r := p.records[ref]
		if st, ok := r.before.(storage.Student); ok && r.alters() {
			if present, ok := lookup[storage.Student](e, ref); ok { // what was said since still holds
				st.Consent, st.DeleteAfter = present.Consent, present.DeleteAfter
			}
			st.Updated = e.now
			e.put(st)
		}
	}
	for _, ref := range p.order {
		r := p.records[ref]
		if before, ok := r.before.(storage.Crop); ok && r.alters() {
			crop, _ := lookup[storage.Crop](e, ref)
			if _, err := e.assign(crop, before.StudentID, before.Corrected); err != nil {
				return err
			}
		}
	}
	for _, ref := range p.order {
		r := p.records[ref]
		if r.made() && ref.Kind == storage.KindStudent && same(r.after, r.now, true) && !noted(r.after, r.now) && len(e.cropsOf(ref.ID)) == 0 {
			e.gone(ref)
		}
	}
	return nil
}
