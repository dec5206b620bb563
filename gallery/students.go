package gallery

import (
	"context"
	"fmt"
	"slices"

	"rollcall/storage"
)

const (
	// DefaultPage is how many students a page lists unless asked.
	DefaultPage = 100
	// MaxPage bounds a page: some 100 KB of answer.
	MaxPage = 1000
)

// StudentInfo is what the gallery keeps of a student.
type StudentInfo struct {
	storage.Student
	Crops     []CropInfo // by id; left out of lists
	CropCount int
	Seq       uint64 // number of the change that it is the answer to; 0 otherwise
}

// Student returns a student with its crops. The errors are ErrInvalidID,
// ErrStudentNotFound, ErrUnavailable and ErrClosed.
func (g *Gallery) Student(ctx context.Context, id string) (StudentInfo, error) {
	id, err := parseID("student", id)
	if err != nil {
		return StudentInfo{}, err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return StudentInfo{}, err
	}
	st := m.students[id]
	if st == nil {
		release()
		return StudentInfo{}, fmt.Errorf("%w: %q", ErrStudentNotFound, id)
	}
	info := StudentInfo{Student: st.copy()}
	ids := slices.Sorted(m.cropsOf(id))
	release()
	crops, err := g.cropInfos(ctx, ids...)
	if err != nil {
		return StudentInfo{}, err
	}
	for _, c := range crops {
		if c.StudentID == id { // else it was moved or deleted while we read
			info.Crops = append(info.Crops, c)
		}
	}
	info.CropCount = len(info.Crops)
	return info, nil
}

// copy returns the record, with groups of its own.
func (st *student) copy() storage.Student {
	record := st.Student
	record.Groups = slices.Clone(record.Groups)
	return record
}

// Students returns a page of students in the order of their ids, without their
// crops. The page begins with the first id that follows after ("": the first page).
// Group is the group to list ("": everybody). Limit is the length of the page (0:
// [DefaultPage]; never more than [MaxPage]). Next is the after of the next page; ""
// on the last one. Total is how many students the group has, with or without crops.
// The errors are ErrInvalidID, ErrUnavailable and ErrClosed.
func (g *Gallery) Students(ctx context.Context, after string, limit int, group string) (page []StudentInfo, next string, total int, err error) {
	if after, err = parseIfAny("student", after); err != nil {
		return nil, "", 0, err
	}
	if group, err = parseIfAny("group", group); err != nil {
		return nil, "", 0, err
	}
	limit = pageLength(limit)
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, "", 0, err
	}
	defer release()
	total = len(m.studentsAfter("", group))
	list := m.studentsAfter(after, group)
	for _, st := range list[:min(limit, len(list))] {
		page = append(page, StudentInfo{Student: st.copy(), CropCount: len(st.crops)})
	}
	if len(list) > limit {
		next = page[limit-1].ID
	}
	return page, next, total, nil
}

// pageLength returns how long a page is of which limit was asked.
func pageLength(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}

// studentsAfter returns the students of a group ("": everybody) whose ids follow after
// ("": all of them), in the order of their ids.
// REQUIRES: the lock is held, also while the list is used.
func (m *memory) studentsAfter(after, group string) []*student {
	list := m.byID
	if group != "" {
		list = nil
		if g := m.groups[group]; g != nil {
			list = g.members
		}
	}
	if after == "" {
		return list
	}
	i, found := searchStudent(list, after)
	if found {
		i++
	}
	return list[i:]
}

// UpdateStudent replaces the groups of a student. The errors are ErrInvalidID,
// ErrStudentNotFound, ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) UpdateStudent(ctx context.Context, id string, groups []string) (StudentInfo, error) {
	return g.setGroups(ctx, id, groups, false)
}

// PutStudent is UpdateStudent for a student who may not be in the gallery yet, and then is
// made, without crops. It never returns ErrStudentNotFound.
func (g *Gallery) PutStudent(ctx context.Context, id string, groups []string) (StudentInfo, error) {
	return g.setGroups(ctx, id, groups, true)
}

func (g *Gallery) setGroups(ctx context.Context, id string, groups []string, create bool) (StudentInfo, error) {
	id, err := parseID("student", id)
	if err != nil {
		return StudentInfo{}, err
	}
	groups, err = groupSet(groups...)
	if err != nil {
		return StudentInfo{}, err
	}
	var st storage.Student
	seq, err := g.writer.do(ctx, causeRegroup, func(e *edit) error {
		var known bool
		switch st, known, err = e.student(id); {
		case err != nil:
			return err
		case !known && !create:
			return fmt.Errorf("%w: %q", ErrStudentNotFound, id)
		}
		st.Groups, st.Updated = groups, e.now
		e.put(st)
		return nil
	})
	if err != nil {
		return StudentInfo{}, fmt.Errorf("update student %q: %w", id, err)
	}
	return g.changedStudent(ctx, st, seq), nil
}

// changedStudent is the answer to a change that is made, whatever happened since.
func (g *Gallery) changedStudent(ctx context.Context, st storage.Student, seq uint64) StudentInfo {
	info, err := g.Student(ctx, st.ID)
	if err != nil {
		info = StudentInfo{Student: st}
	}
	info.Seq = seq
	return info
}
