package gallery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
}

// Student returns a student with its crops. The errors are ErrInvalidID,
// ErrStudentNotFound and ErrClosed.
func (g *Gallery) Student(ctx context.Context, id string) (StudentInfo, error) {
	if err := g.readable(ctx); err != nil {
		return StudentInfo{}, err
	}
	if err := checkID("student", id); err != nil {
		return StudentInfo{}, err
	}
	st, err := g.findStudent(id)
	if err != nil {
		return StudentInfo{}, err
	}
	return g.withCrops(st)
}

// withCrops adds to a student's record what is kept of its crops.
func (g *Gallery) withCrops(st storage.Student) (StudentInfo, error) {
	info := StudentInfo{Student: st}
	ids, err := g.cropsOf(st.ID)
	if err != nil {
		return StudentInfo{}, err
	}
	for _, id := range ids {
		crop, err := g.cropInfo(id)
		if errors.Is(err, ErrCropNotFound) || err == nil && crop.StudentID != st.ID {
			continue // it left while we read
		}
		if err != nil {
			return StudentInfo{}, err
		}
		info.Crops = append(info.Crops, crop)
	}
	info.CropCount = len(info.Crops)
	return info, nil
}

// cropsOf returns the ids of the student's crops, in order.
func (g *Gallery) cropsOf(studentID string) ([]string, error) {
	var ids []string
	for id, err := range g.store.CropsOf(studentID) {
		if err != nil {
			return nil, fmt.Errorf("read crops of student %q: %w", studentID, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// findStudent returns the student's record, or ErrStudentNotFound.
func (g *Gallery) findStudent(id string) (storage.Student, error) {
	st, err := g.store.Student(id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.Student{}, fmt.Errorf("%w: %q", ErrStudentNotFound, id)
	case err != nil:
		return storage.Student{}, fmt.Errorf("read student %q: %w", id, err)
	}
	return st, nil
}

// Students returns a page of students by id, without their crops: those strictly
// after the given id ("" for the first page), of the group ("" for all), at most
// limit of them (0: [DefaultPage]; never more than [MaxPage]). Next is what to
// give as after for the next page; "" on the last one. The errors are
// ErrInvalidID and ErrClosed.
func (g *Gallery) Students(ctx context.Context, after string, limit int, group string) (page []StudentInfo, next string, err error) {
	if err := g.readable(ctx); err != nil {
		return nil, "", err
	}
	if after != "" {
		if err := checkID("student", after); err != nil {
			return nil, "", err
		}
	}
	if group != "" {
		if err := checkID("group", group); err != nil {
			return nil, "", err
		}
	}
	if limit <= 0 {
		limit = DefaultPage
	}
	limit = min(limit, MaxPage)

	for st, err := range g.store.Students(after) {
		if err != nil {
			return nil, "", fmt.Errorf("read students: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		if group != "" && !slices.Contains(st.Groups, group) {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].ID, nil
		}
		crops, err := g.cropsOf(st.ID)
		if err != nil {
			return nil, "", err
		}
		page = append(page, StudentInfo{Student: st, CropCount: len(crops)})
	}
	return page, "", nil
}

// CountStudents returns how many students there are in the group ("": in all),
// with or without crops.
func (g *Gallery) CountStudents(group string) int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if group == "" {
		return len(g.state.students)
	}
	return len(g.state.groups[group])
}

// UpdateStudent replaces the groups of a student. The errors are ErrInvalidID,
// ErrStudentNotFound, ErrReadOnly and ErrClosed.
func (g *Gallery) UpdateStudent(ctx context.Context, id string, groups []string) (StudentInfo, error) {
	if err := checkID("student", id); err != nil {
		return StudentInfo{}, err
	}
	groups, err := groupSet(groups...)
	if err != nil {
		return StudentInfo{}, err
	}
	var st storage.Student
	_, err = g.change(ctx, func(c *storage.Change, s *step) (err error) {
		if st, err = g.findStudent(id); err != nil {
			return err
		}
		st.Groups, st.Updated = groups, time.Now().UTC()
		c.PutStudent(st)
		s.students = append(s.students, st)
		return nil
	})
	if err != nil {
		return StudentInfo{}, fmt.Errorf("update student %q: %w", id, err)
	}
	return g.withCrops(st)
}

// DeleteStudent erases a student with all its crops and their embeddings. It
// returns how many crops that were. The errors are ErrInvalidID,
// ErrStudentNotFound, ErrReadOnly and ErrClosed.
func (g *Gallery) DeleteStudent(ctx context.Context, id string) (crops int, err error) {
	if err := checkID("student", id); err != nil {
		return 0, err
	}
	_, err = g.change(ctx, func(c *storage.Change, s *step) error {
		if _, err := g.findStudent(id); err != nil {
			return err
		}
		ids, err := g.cropsOf(id)
		if err != nil {
			return err
		}
		for _, crop := range ids {
			c.DeleteCrop(crop)
			s.crops = append(s.crops, cropStep{id: crop})
		}
		c.DeleteStudent(id)
		s.goneStudents = append(s.goneStudents, id)
		crops = len(ids)
		s.stored -= crops
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete student %q: %w", id, err)
	}
	return crops, nil
}
