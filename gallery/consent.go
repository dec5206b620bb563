package gallery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"rollcall/storage"
)

// Consent is what was said about enrolling a student's face.
type Consent = storage.Consent

// Date is a day, as "2026-07-31"; "": none.
type Date = storage.Date

// ConsentState is what was said.
type ConsentState = storage.ConsentState

// What can be said.
const (
	ConsentGiven     = storage.ConsentGiven
	ConsentRefused   = storage.ConsentRefused
	ConsentWithdrawn = storage.ConsentWithdrawn
)

// ErrInvalidConsent says that a consent names no state, no day of the calendar, or a
// reference that is too long: the request is at fault.
var ErrInvalidConsent = errors.New("invalid consent")

// A NoConsentError refuses an enrolment: the student has not consented to it. Note the
// consent, or leave the student without a face.
type NoConsentError struct {
	StudentID string
	State     ConsentState // "": nothing was noted, and the gallery requires it
}

func (e *NoConsentError) Error() string {
	switch e.State {
	case "":
		return fmt.Sprintf("student %q has no consent, and the gallery enrols nobody without: note it (rollcall students consent), or let the student check in without a face", e.StudentID)
	default:
		return fmt.Sprintf("the consent of student %q was %s: let the student check in without a face, or note a new consent (rollcall students consent)", e.StudentID, e.State)
	}
}

// mayEnrol returns a *NoConsentError unless crops may be enrolled under the student.
func (e *edit) mayEnrol(id string) error {
	st, _, err := e.student(id)
	if err != nil {
		return err
	}
	settings, _ := lookup[storage.Settings](e, settingsRef)
	if st.Consent.State.Refuses() || settings.RequireConsent && st.Consent.State != ConsentGiven {
		return &NoConsentError{id, st.Consent.State}
	}
	return nil
}

// student returns a student. One without a record is new, and has refused if the list of
// erasures says so.
func (e *edit) student(id string) (st storage.Student, known bool, err error) {
	if st, known = lookup[storage.Student](e, studentRef(id)); known {
		return st, true, nil
	}
	st = storage.Student{ID: id, Created: e.now}
	if st.Consent, err = e.refusal(id); err != nil {
		if e.ctx.Err() == nil {
			e.batch.log.Error("the list of erasures cannot be read", "error", err)
			err = fmt.Errorf("%w: nothing was stored: try again", ErrUnavailable)
		}
		return st, false, err
	}
	return st, false, nil
}

// refusal returns what the list of erasures has of a student. It reads the disk: only for
// somebody who has no record.
func (e *edit) refusal(id string) (Consent, error) {
	digests, err := e.batch.partition.Digests(e.ctx)
	if err != nil {
		return Consent{}, err
	}
	if r, ok := e.changed(Erasure{Digest: digests.Consent(id)}.Ref()); ok {
		return r.(Erasure).Refusal(), nil
	}
	return e.batch.partition.Refusal(e.ctx, id)
}

// note brings what a student said to the list of erasures. Only a refusal and its end
// matter there.
func (e *edit) note(digests storage.Digests, id string, before, now ConsentState) {
	if before.Refuses() || now.Refuses() {
		e.put(Erasure{Digest: digests.Consent(id), Time: e.now, Consent: now})
	}
}

// SetConsent notes what was said about enrolling a student's face; no date means today.
// A student that does not exist is created. Where consent was refused or withdrawn, the
// student's crops and groups are erased. The record stays, so that nobody enrols the
// student again; without it, after the student was deleted or an older backup was restored,
// the list of erasures says the same. Then the erasure is open: the caller has it finished. If its digest is
// empty nothing was erased.
//
// The errors are ErrInvalidID, ErrInvalidConsent, ErrReadOnly, ErrUnavailable and
// ErrClosed.
func (g *Gallery) SetConsent(ctx context.Context, id string, c Consent) (info StudentInfo, erased Erasure, err error) {
	if id, err = parseID("student", id); err != nil {
		return StudentInfo{}, Erasure{}, err
	}
	c.Date = cmp.Or(c.Date, storage.DateOf(time.Now()))
	if err := checkConsent(c); err != nil {
		return StudentInfo{}, Erasure{}, err
	}
	digests, err := g.digests(ctx)
	var names []string
	if err == nil && c.State.Refuses() {
		names, _, err = g.namesOf(ctx, id)
	}
	if err != nil {
		return StudentInfo{}, Erasure{}, fmt.Errorf("note the consent of student %q: %w", id, err)
	}
	var st storage.Student
	seq, err := g.writer.do(ctx, causeConsent+string(c.State), func(e *edit) error {
		var known bool
		if st, known, err = e.student(id); err != nil {
			return err
		}
		before := st.Consent.State
		st.Consent, st.Updated = c, e.now
		if c.State.Refuses() {
			erased = e.refuse(digests, names, &st, known)
		} else {
			e.note(digests, id, before, c.State)
		}
		e.put(st)
		return nil
	})
	if err != nil {
		return StudentInfo{}, Erasure{}, fmt.Errorf("note the consent of student %q: %w", id, err)
	}
	return g.changedStudent(ctx, st, seq), erased, nil
}

// refuse erases the crops and groups of a student whose consent does not allow them, if
// there is a record, and notes the refusal, also for who was merged into the student.
func (e *edit) refuse(digests storage.Digests, names []string, st *storage.Student, known bool) (erased Erasure) {
	for _, id := range names {
		e.note(digests, id, "", st.Consent.State)
	}
	st.Groups = nil
	if known {
		st.Created = e.now.Add(1) // what stays is newer than the erasure
		erased = e.erase(digests, names, e.cropsOf(st.ID))
	}
	return erased
}

func checkConsent(c Consent) error {
	switch c.State {
	case ConsentGiven, ConsentRefused, ConsentWithdrawn:
	default:
		return fmt.Errorf("%w: its state is none of given, refused and withdrawn", ErrInvalidConsent)
	}
	if len(c.Reference) > storage.MaxIDBytes || !utf8.ValidString(c.Reference) {
		return fmt.Errorf("%w: the reference is not UTF-8 of at most %d bytes", ErrInvalidConsent, storage.MaxIDBytes)
	}
	return checkDate(c.Date)
}

// checkDate returns ErrInvalidConsent for what is no day of the calendar.
func checkDate(d Date) error {
	if _, err := time.Parse(time.DateOnly, string(d)); err != nil {
		return fmt.Errorf("%w: %q is no day; write it as 2026-07-31", ErrInvalidConsent, d)
	}
	return nil
}

// SetDeleteAfter sets the last day, in UTC, on which a student is kept; "": none. The
// errors are ErrInvalidID, ErrInvalidConsent (it is no day), ErrStudentNotFound,
// ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) SetDeleteAfter(ctx context.Context, id string, day Date) (StudentInfo, error) {
	id, err := parseID("student", id)
	if err != nil {
		return StudentInfo{}, err
	}
	if day != "" {
		if err := checkDate(day); err != nil {
			return StudentInfo{}, err
		}
	}
	var st storage.Student
	seq, err := g.writer.do(ctx, "set delete after", func(e *edit) error {
		var ok bool
		if st, ok = lookup[storage.Student](e, studentRef(id)); !ok {
			return fmt.Errorf("%w: %q", ErrStudentNotFound, id)
		}
		if st.DeleteAfter == day {
			return nil
		}
		st.DeleteAfter, st.Updated = day, e.now
		e.put(st)
		return nil
	})
	if err != nil {
		return StudentInfo{}, fmt.Errorf("set until when student %q is kept: %w", id, err)
	}
	return g.changedStudent(ctx, st, seq), nil
}
