package gallery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// act lets one thing happen.
func (s *simulation) act() error {
	if s.g == nil && s.opening == nil {
		return s.open()
	}
	if s.batch != nil && s.rng.IntN(100) < s.haste {
		return s.release(s.fault())
	}
	n := s.rng.IntN(100)
	switch {
	case s.opening != nil:
		return nil // nobody has the gallery yet
	case n < 36:
		return s.enrol()
	case n < 43:
		return s.assign()
	case n < 46:
		return s.merge()
	case n < 50:
		return s.undo()
	case n < 57:
		return s.deleteCrop()
	case n < 64:
		return s.deleteStudent()
	case n < 68:
		return s.regroup()
	case n < 71:
		return s.configure()
	case n < 73:
		return s.panic()
	case n < 77:
		return s.cancel()
	case n < 93:
		return s.read()
	case n < 95:
		return s.check()
	case n < 97 && len(s.queue) == 0 && s.closing == nil:
		return s.shut()
	case n < 98 && s.batch == nil && s.closing == nil:
		s.logf("%d: compared with the disk", s.step)
		return asStored(s.g)
	case n < 99 && s.closing == nil:
		s.breakIndex()
	default:
		time.Sleep(time.Duration(s.rng.IntN(1000)) * time.Millisecond)
	}
	return nil
}

// breakIndex makes the indexes refuse the next vectors: what is stored then must be
// loaded, and nobody may notice.
func (s *simulation) breakIndex() {
	s.logf("%d: the indexes break", s.step)
	for _, sp := range s.g.writer.memory.Load().spaces {
		sp.engine = brokenEngine{sp.engine}
	}
}

// fault returns what the commit at the disk is to fail with; mostly nil.
func (s *simulation) fault() error {
	switch {
	case s.rng.Float64() >= s.faulty:
		return nil
	case s.disk.held == before && s.rng.IntN(2) == 0:
		return ErrReadOnly
	}
	return errDisk
}

// Few ids, so that they meet.
func (s *simulation) cropID() string    { return fmt.Sprint("crop-", s.rng.IntN(8)) }
func (s *simulation) studentID() string { return fmt.Sprint("student-", s.rng.IntN(4)) }
func (s *simulation) model() Model      { return []Model{plain, small}[s.rng.IntN(2)] }

func (s *simulation) groups() []string {
	var groups []string
	for range s.rng.IntN(3) {
		groups = append(groups, fmt.Sprint("group-", s.rng.IntN(3)))
	}
	return groups
}

func (s *simulation) scope() Scope {
	var sc Scope
	if s.rng.IntN(2) == 0 {
		sc.Groups = s.groups()
	}
	if s.rng.IntN(3) == 0 {
		sc.StudentIDs = []string{s.studentID(), s.studentID()}
	}
	return sc
}

// embedding returns one of a few: those of one person are so like each other, and
// those of two so unlike, that no threshold lies between them and their oracle.
func (s *simulation) embedding(m Model) Embedding {
	v := base(m, s.rng.IntN(4))
	v[4+s.rng.IntN(3)] = 0.15
	e := made(m, unit(v))
	if s.rng.IntN(6) == 0 {
		e.Recipe = "another"
	}
	return e
}

func (s *simulation) enrol() error {
	m := s.model()
	e := Enrolment{CropID: s.cropID(), Groups: s.groups(), Embedding: s.embedding(m), AllowDuplicate: s.rng.IntN(3) == 0, AllowUnlike: s.rng.IntN(2) == 0}
	if s.rng.IntN(5) > 0 {
		e.StudentID = s.studentID()
	}
	var out Enrolled
	var want enrolment
	return s.edit(fmt.Sprintf("enrol %+v", e), func(ctx context.Context) (err error) {
		out, err = s.g.Enroll(ctx, e)
		return err
	}, func(o *oracle) (bool, error) {
		want = o.expect(e, m)
		if want.refused != nil {
			return false, want.refused
		}
		o.enrol(e, want)
		return true, nil
	}, func(seq uint64) error {
		if out.Seq != seq || out.Crop.StudentID != want.student || out.Student.ID != want.student ||
			out.Corrected != want.corrected || out.Replaced != want.replaced || (len(out.Warnings) > 0) != want.otherwise {
			return fmt.Errorf("enrolled %+v, want %+v with %d", out, want, seq)
		}
		return nil
	})
}

func (s *simulation) assign() error {
	if s.rng.IntN(3) == 0 {
		return s.reassign()
	}
	crop, student := s.cropID(), s.studentID()
	if s.rng.IntN(3) == 0 {
		student = ""
	}
	return s.edit(fmt.Sprintf("assign %s to %q", crop, student), func(ctx context.Context) error {
		_, err := s.g.AssignCrop(ctx, crop, student)
		return err
	}, func(o *oracle) (bool, error) {
		if !o.assign(crop, student) {
			return false, ErrCropNotFound
		}
		return true, nil
	}, nil)
}

// reassign is assign by somebody who takes the crop to be a student's.
func (s *simulation) reassign() error {
	crop, from, student := s.cropID(), s.studentID(), s.studentID()
	return s.edit(fmt.Sprintf("assign %s of %s to %q", crop, from, student), func(ctx context.Context) error {
		_, err := s.g.ReassignCrop(ctx, crop, from, student)
		return err
	}, func(o *oracle) (bool, error) {
		switch c := o.crops[crop]; {
		case c == nil:
			return false, ErrCropNotFound
		case c.student != from:
			return false, errChanged
		}
		o.assign(crop, student)
		return true, nil
	}, nil)
}

func (s *simulation) merge() error {
	from, into := s.studentID(), s.studentID()
	var moved, want int
	return s.edit(fmt.Sprintf("merge %s into %s", from, into), func(ctx context.Context) (err error) {
		if from == into { // it is refused before it is an edit
			into = "nobody"
		}
		_, moved, err = s.g.MergeStudents(ctx, from, into)
		return err
	}, func(o *oracle) (known bool, err error) {
		if want, known = o.merge(from, into); !known {
			return false, ErrStudentNotFound
		}
		return true, nil
	}, func(uint64) error {
		if moved != want {
			return fmt.Errorf("%d crops moved, want %d", moved, want)
		}
		return nil
	})
}

// undo asks for the undo of a change. It reads the log before it is an edit,
// so only while nothing else is under way is it known what it finds.
func (s *simulation) undo() error {
	if s.batch != nil || len(s.queue) > 0 || s.closing != nil || s.seq == 0 {
		return nil
	}
	seq := uint64(1 + s.rng.IntN(int(s.seq)))
	for range 10 { // mostly one that can be
		if undoable(s.o.history[seq-1].cause) {
			break
		}
		seq = uint64(1 + s.rng.IntN(int(s.seq)))
	}
	return s.edit(fmt.Sprint("undo ", seq), func(ctx context.Context) error {
		_, _, err := s.g.Undo(ctx, seq)
		return err
	}, func(o *oracle) (bool, error) {
		err := o.undo(seq)
		return err == nil, err
	}, nil)
}

func (s *simulation) deleteCrop() error {
	id := s.cropID()
	return s.edit("delete "+id, func(ctx context.Context) error { return s.g.DeleteCrop(ctx, id) },
		func(o *oracle) (bool, error) {
			if o.crops[id] == nil {
				return false, ErrCropNotFound
			}
			delete(o.crops, id)
			return true, nil
		}, nil)
}

func (s *simulation) deleteStudent() error {
	id := s.studentID()
	var got int
	var want []string
	return s.edit("delete "+id, func(ctx context.Context) (err error) {
		erased, err := s.g.DeleteStudent(ctx, id)
		got = erased.ErasedCrops
		return err
	}, func(o *oracle) (known bool, err error) {
		if want, known = o.deleteStudent(id); !known {
			return false, ErrStudentNotFound
		}
		return true, nil
	}, func(uint64) error {
		if got != len(want) {
			return fmt.Errorf("%d crops deleted, want %v", got, want)
		}
		return nil
	})
}

func (s *simulation) regroup() error {
	id, groups := s.studentID(), s.groups()
	return s.edit(fmt.Sprintf("groups of %s: %v", id, groups), func(ctx context.Context) error {
		_, err := s.g.UpdateStudent(ctx, id, groups)
		return err
	}, func(o *oracle) (bool, error) {
		if !o.regroup(id, groups) {
			return false, ErrStudentNotFound
		}
		return true, nil
	}, nil)
}

func (s *simulation) configure() error {
	want := kept(Settings{FPIR: []float64{0.01, 0.1}[s.rng.IntN(2)], Margin: []float32{0, DefaultMargin, 0.5}[s.rng.IntN(3)]})
	m := s.model()
	want.Model = m.Name
	return s.edit(fmt.Sprintf("settings %+v", want), func(ctx context.Context) error {
		_, err := s.g.UpdateSettings(ctx, SettingsChange{Model: &want.Model, FPIR: &want.FPIR, Margin: &want.Margin})
		return err
	}, func(o *oracle) (bool, error) {
		o.settings = want
		if _, locked := o.models[m.Name]; locked {
			o.models[m.Name] = m.Recipe
		}
		return true, nil
	}, nil)
}

// panic asks for an edit that panics halfway.
func (s *simulation) panic() error {
	id := s.studentID()
	return s.edit("panic", func(ctx context.Context) error {
		_, err := s.g.writer.do(ctx, "panic", func(e *edit) error {
			e.gone(studentRef(id))
			panic("halfway")
		})
		return err
	}, func(*oracle) (bool, error) { return false, errPanic }, nil)
}

// cancel ends the context of a call that waits.
func (s *simulation) cancel() error {
	waiting := append(slices.Clone(s.batch), s.queue...)
	if len(waiting) == 0 {
		return nil
	}
	c := waiting[s.rng.IntN(len(waiting))]
	if c.late() {
		return nil // it would look at what it made with that context
	}
	s.logf("%d: cancel %d", s.step, c.id)
	c.cancel()
	s.wait()
	if i := slices.Index(s.queue, c); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		return s.mustAnswer(c, context.Canceled)
	}
	// At the disk nothing changes; but it gets no second turn where the disk is full.
	c.decide = func(*oracle) (bool, error) { return false, context.Canceled }
	return s.advance()
}

// read asks something that is answered at once, from what is searchable now.
func (s *simulation) read() error {
	m, crop, student := s.model(), s.cropID(), s.studentID()
	p := Probe{Embedding: s.embedding(m), Scope: s.scope(), Candidates: s.rng.IntN(4)}
	switch s.rng.IntN(3) {
	case 0:
		p.Embedding.Vector = face(s.rng, 1, m.Dimension, 2)
	case 1: // between two persons
		v := base(m, s.rng.IntN(4))
		v[s.rng.IntN(4)] += 0.4 + s.rng.Float32()
		p.Embedding.Vector = unit(v)
	}
	var ask func() (check func() error, err error)
	name := ""
	switch s.rng.IntN(6) {
	case 0:
		name, ask = "identify", func() (func() error, error) {
			got, err := s.g.Identify(ctx, p)
			return func() error { return s.o.checkIdentification(p, m, "", got, err) }, err
		}
	case 1:
		name, ask = "identify "+crop, func() (func() error, error) {
			got, err := s.g.IdentifyCrop(ctx, crop, p)
			return func() error { return s.checkCropIdentification(crop, p, m, got, err) }, err
		}
	case 2:
		probes := []Embedding{p.Embedding, s.embedding(m)}
		name, ask = "roll call", func() (func() error, error) {
			got, err := s.g.RollCall(ctx, m.Name, probes, p.Scope, 0)
			return func() error { return s.o.checkRoll(m, probes, p.Scope, got, err) }, err
		}
	case 3:
		name, ask = "students", func() (func() error, error) {
			page, _, total, err := s.g.Students(ctx, "", 0, "group-1")
			return func() error { return s.o.checkPage(page, total, "group-1") }, err
		}
	case 4:
		name, ask = student, func() (func() error, error) {
			got, err := s.g.Student(ctx, student)
			return func() error { return s.o.checkStudent(student, got, err) }, err
		}
	case 5:
		name, ask = "coverage", func() (func() error, error) {
			got, err := s.g.Coverage(ctx, m.Name)
			return func() error {
				if want := s.o.coverage(m.Name); got != want {
					return fmt.Errorf("coverage %+v, want %+v", got, want)
				}
				return nil
			}, err
		}
	}
	var check func() error
	c := s.start(fmt.Sprintf("%s %+v", name, p), func(context.Context) (err error) { check, err = ask(); return err })
	if s.closing != nil {
		return s.mustAnswer(c, ErrClosed)
	}
	if err := s.mustAnswer(c, c.err); err != nil {
		return err
	}
	return check()
}

// checkCropIdentification is as the oracle's. A commit that is on disk already, but
// not searchable yet, may have given the crop another embedding, or none.
func (s *simulation) checkCropIdentification(id string, p Probe, m Model, got Identification, err error) error {
	wrong := s.o.checkCropIdentification(id, p, m, got, err)
	if wrong == nil || s.disk.held != after || s.o.crops[id] == nil {
		return wrong
	}
	c := s.next.crops[id]
	if c == nil || c.vectors[m.Name] == nil {
		return wantError(err, ErrNoEmbedding)
	}
	p.Embedding = made(m, c.vectors[m.Name])
	p.Embedding.Recipe = c.recipes[m.Name]
	return s.o.checkIdentification(p, m, id, got, err)
}

// checkPage compares the first page of a group's students, which is the only one.
func (o *oracle) checkPage(page []StudentInfo, total int, group string) error {
	want := 0
	for _, groups := range o.students {
		if groups[group] {
			want++
		}
	}
	if len(page) != want || total != want {
		return fmt.Errorf("%d of %d students, want %d", len(page), total, want)
	}
	for _, st := range page {
		if !o.students[st.ID][group] || st.CropCount != len(o.cropsOf(st.ID)) {
			return fmt.Errorf("listed %+v", st)
		}
	}
	return nil
}

func (o *oracle) checkStudent(id string, got StudentInfo, err error) error {
	if o.students[id] == nil {
		return wantError(err, ErrStudentNotFound)
	}
	if err != nil {
		return err
	}
	if !slices.Equal(got.Groups, o.groupsOf(id)) || got.CropCount != len(o.cropsOf(id)) {
		return fmt.Errorf("student %+v, want %v with %v", got, o.groupsOf(id), o.cropsOf(id))
	}
	return nil
}

// check starts a check of consistency, which may wait for commits.
func (s *simulation) check() error {
	s.checks = append(s.checks, s.start("check", func(ctx context.Context) error {
		r, err := s.g.CheckConsistency(ctx)
		if r.Total != 0 {
			return fmt.Errorf("differences on a live gallery: %v", r.Differences)
		}
		return err
	}))
	return errors.Join(s.checked(), s.advance())
}
