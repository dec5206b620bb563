package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Verified is what [Partition.Verify] has read.
type Verified struct {
	// FirstChange and LastChange are the numbers of the oldest and the newest change in the
	// log; LastChange is smaller if there are none.
	FirstChange, LastChange uint64

	// FirstLine and LastLine are the same of the journal.
	FirstLine, LastLine uint64

	// Days are the days of the journal.
	Days []Day
}

// Verify reads the log and the journal from their beginnings, and verifies their chains.
// It compares the days of the journal with the stored heads, and with the kept ones: days
// that [Partition.Days] returned at any time, open or not. A kept head proves that no line
// up to its last one has changed since; where the last line was trimmed, the day is
// compared with what is stored of it. The error is ErrCorrupt if anything differs.
func (p *Partition) Verify(ctx context.Context, kept ...Day) (v Verified, err error) {
	v.FirstChange, v.FirstLine = 1, 1
	var trimmed *TrimmedError
	for _, err := range p.Changes(ctx, 0) {
		if errors.As(err, &trimmed) {
			v.FirstChange = trimmed.After + 1
		} else if err != nil {
			return v, err
		}
		break
	}
	v.LastChange = v.FirstChange - 1
	for c, err := range p.Changes(ctx, v.LastChange) {
		if err != nil {
			return v, err
		}
		v.LastChange = c.Sequence
	}
	return v, p.verifyJournal(ctx, &v, kept)
}

func (p *Partition) verifyJournal(ctx context.Context, v *Verified, kept []Day) error {
	for d, err := range p.Days(ctx) {
		if err != nil {
			return err
		}
		v.Days = append(v.Days, d)
	}
	release, err := p.store.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	head, _, err := p.journal()
	if err != nil {
		return err
	}
	v.FirstLine, v.LastLine = head.Trimmed+1, head.Trimmed
	ends := make(map[uint64][]Day) // by their last lines
	for _, d := range append(kept, v.Days...) {
		if d.Last >= v.FirstLine {
			ends[d.Last] = append(ends[d.Last], d)
		} else if !hasDay(v.Days, d) {
			return differs(d)
		}
	}
	var other error
	err = p.lines(ctx, head.Trimmed, func(l Line, at link) bool {
		for _, d := range ends[l.Number] {
			if !dateOf(at.day).Equal(d.Date) || !bytes.Equal(at.chain, d.Head) {
				other = differs(d)
			}
		}
		delete(ends, l.Number)
		v.LastLine = l.Number
		return other == nil
	})
	if err = errors.Join(err, other); err != nil {
		return err
	}
	for _, days := range ends {
		return differs(days[0]) // its last line is not there
	}
	return nil
}

// hasDay says whether a day is stored as it was kept. Nothing is left to compare with the
// head of a day that was kept when it was open, and has grown since.
func hasDay(stored []Day, kept Day) bool {
	for _, d := range stored {
		if d.Date.Equal(kept.Date) {
			return d.First == kept.First && (d.Last > kept.Last && kept.Open || d.Last == kept.Last && bytes.Equal(d.Head, kept.Head))
		}
	}
	return false
}

func differs(d Day) error {
	return fmt.Errorf("%w: the journal of %s (lines %d to %d) is not what its head says; restore a backup",
		ErrCorrupt, d.Date.Format("2006-01-02"), d.First, d.Last)
}
