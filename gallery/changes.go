package gallery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rollcall/storage"
)

// The causes of the changes that undo knows, as the log has them.
const (
	causeAssign        = "assign"
	causeMerge         = "merge students"
	causeRegroup       = "change groups"
	causeDeleteCrop    = "delete crop"
	causeDeleteStudent = "delete student"
	causeUndo          = "undo "    // with the number of what was undone
	causeConsent       = "consent " // with what was said
)

// undoable says whether changes of this cause can be undone.
func undoable(cause string) bool {
	return cause == causeAssign || cause == causeMerge || cause == causeRegroup || strings.HasPrefix(cause, causeUndo)
}

// A ChangeInfo is one change of the gallery.
type ChangeInfo struct {
	Seq      uint64
	Time     time.Time
	Cause    string          // what was done: "enrol", "assign", …
	By       string          // who did it, as [By] was told; "": not known
	Undoable bool            // its kind can be undone; a later change may still stand against it
	Records  []ChangedRecord // the students and crops that it wrote
}

// A ChangedRecord is a student or a crop that a change wrote, as it was before.
type ChangedRecord struct {
	StudentID string // "" if it is a crop
	CropID    string // "" if it is a student
	Created   bool   // there was none before

	PreviousStudentID string   // of a crop: whose it was; "": nobody's
	PreviousGroups    []string // of a student
}

// ChangeFilter says which changes are wanted. The zero value is all of them.
type ChangeFilter struct {
	StudentID string // that wrote the student, or a crop that was the student's; "": any
	CropID    string // that wrote the crop; "": any
	Undoable  bool   // of a kind that can be undone
}

func (f ChangeFilter) parse() (ChangeFilter, error) {
	var err error
	if f.StudentID, err = parseIfAny("student", f.StudentID); err != nil {
		return f, err
	}
	f.CropID, err = parseIfAny("crop", f.CropID)
	return f, err
}

func (f ChangeFilter) wants(c ChangeInfo) bool {
	if f.Undoable && !c.Undoable {
		return false
	}
	student, crop := f.StudentID == "", f.CropID == ""
	for _, r := range c.Records {
		student = student || r.StudentID == f.StudentID || r.PreviousStudentID == f.StudentID
		crop = crop || r.CropID == f.CropID
	}
	return student && crop
}

const (
	// linesTogether is how many lines of the log are read at a time: the log is read
	// forwards, and listed backwards.
	linesTogether = 1000

	// linesOfPage bounds the lines that one page reads: a fraction of a second's work.
	linesOfPage = 50 * linesTogether
)

// Changes returns a page of the log of changes, newest first: changes before the one with
// the number before (0: the newest). Limit is the length of the page (0: [DefaultPage];
// never more than [MaxPage]). Next is the before of the next page; 0: there is none. A page
// may be shorter than limit, or empty, though there is a next one: that is where no change
// of many was wanted. The log reaches back as far as [Settings] keep it. The errors are ErrInvalidID,
// ErrUnavailable, ErrClosed and storage's.
func (g *Gallery) Changes(ctx context.Context, before uint64, limit int, filter ChangeFilter) (page []ChangeInfo, next uint64, err error) {
	if filter, err = filter.parse(); err != nil {
		return nil, 0, err
	}
	if limit <= 0 {
		limit = DefaultPage
	}
	limit = min(limit, MaxPage)
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, 0, err
	}
	newest := m.seq
	release()
	if before == 0 || before > newest {
		before = newest + 1
	}
	for last := before - min(before-1, linesOfPage); before > last; {
		after := before - 1 - min(before-1, linesTogether)
		lines, trimmed, err := g.changesBetween(ctx, after, before)
		if err != nil {
			return nil, 0, fmt.Errorf("read the log of changes: %w", err)
		}
		for i := len(lines) - 1; i >= 0; i-- {
			if !filter.wants(lines[i]) {
				continue
			}
			if len(page) == limit {
				return page, lines[i].Seq + 1, nil
			}
			page = append(page, lines[i])
		}
		if before = after + 1; trimmed {
			return page, 0, nil
		}
	}
	if before == 1 {
		before = 0
	}
	return page, before, nil
}

// changesBetween returns the changes between two numbers, without both. Trimmed says that
// the log does not reach back to all of them.
func (g *Gallery) changesBetween(ctx context.Context, after, before uint64) (list []ChangeInfo, trimmed bool, err error) {
	for {
		for c, failed := range g.writer.partition.Changes(ctx, after) {
			if failed != nil {
				err = failed
				break
			}
			if c.Sequence >= before {
				return list, trimmed, nil
			}
			list = append(list, changeInfo(c))
		}
		var end *storage.TrimmedError
		if !errors.As(err, &end) {
			return list, trimmed, err
		}
		if end.After+1 >= before {
			return nil, true, nil
		}
		list, err, trimmed, after = nil, nil, true, end.After
	}
}

func changeInfo(c storage.Change) ChangeInfo {
	info := ChangeInfo{Seq: c.Sequence, Time: c.Time, Cause: c.Cause, By: c.By, Undoable: undoable(c.Cause)}
	for _, w := range c.Writes {
		r := ChangedRecord{Created: w.Before == nil}
		switch w.Ref.Kind {
		case storage.KindStudent:
			r.StudentID = w.Ref.ID
		case storage.KindCrop:
			r.CropID = w.Ref.ID
		default:
			continue
		}
		switch before := w.Before.(type) {
		case storage.Student:
			r.PreviousGroups = before.Groups
		case storage.Crop:
			r.PreviousStudentID = before.StudentID
		}
		info.Records = append(info.Records, r)
	}
	return info
}
