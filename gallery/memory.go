package gallery

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"unique"

	"rollcall/index"
	"rollcall/storage"
)

// memory is the gallery that searches and edits read: every small record, and the
// vectors of the enrolled crops in the indexes. Only [memory.apply] changes it: at
// the start, after a commit, and in a replay.
//
// Whoever holds mu for reading sees one state: each commit is in it whole or not at
// all. Only the gallery's writer applies, so it may read without the lock.
type memory struct {
	engine string // name of the index engine

	mu       sync.RWMutex
	seq      uint64 // of the last change that is in the state
	broken   bool   // a change panicked halfway: nothing here can be trusted
	settings storage.Settings
	students map[string]*student
	crops    map[string]*crop
	groups   map[string]*group
	spaces   map[string]*space // by model
	byID     []*student        // all of them, in the order of their ids
}

func newMemory(engine string) *memory {
	return &memory{
		engine:   engine,
		students: make(map[string]*student),
		crops:    make(map[string]*crop),
		groups:   make(map[string]*group),
		spaces:   make(map[string]*space),
	}
}

// apply takes written records into the state, all at once, with the number of the
// change that wrote them. Each record is among them at most once; apply sorts them.
//
// First the vectors go into the indexes, where no crop owns them yet. Then, under
// the lock, the records change. Last, the vectors that have lost their owner leave
// the indexes. So the lock is held for microseconds, however long an index takes to
// insert.
//
// A record that does not fit (an embedding under a model of another file, a crop
// whose student is gone) is left out, and the error names every such record. All
// others are applied.
func (m *memory) apply(seq uint64, writes []storage.Write) error {
	slices.SortStableFunc(writes, func(a, b storage.Write) int { return int(a.Ref.Kind) - int(b.Ref.Kind) })
	misfits := m.makeSpaces(writes)
	arrivals, refused := m.admit(writes)
	misfits = append(misfits, refused...)

	misfits = append(misfits, m.advance(seq, writes, arrivals)...)
	for i := range arrivals {
		if a := &arrivals[i]; a.space != nil && !a.owned {
			a.space.left = append(a.space.left, a.id)
		}
	}
	for _, sp := range m.spaces {
		sp.release()
	}
	return errors.Join(misfits...)
}

// arrival is a vector that went into an index and waits for its owner.
type arrival struct {
	space *space // nil: the vector is in none
	id    index.ID
	owned bool
}

// makeSpaces makes the space of each model that is new.
func (m *memory) makeSpaces(writes []storage.Write) (misfits []error) {
	for _, w := range writes {
		record, ok := w.Put.(storage.Model)
		if !ok || m.spaces[record.Name] != nil {
			continue
		}
		sp, err := newSpace(record, m.engine)
		if err != nil {
			misfits = append(misfits, fmt.Errorf("model %q: %w", record.Name, err))
			continue
		}
		m.mu.Lock()
		m.spaces[record.Name] = sp
		m.mu.Unlock()
	}
	return misfits
}

// admit puts vectors into the indexes: those of crops that have a student once the
// writes are made. It returns one arrival for each write.
func (m *memory) admit(writes []storage.Write) ([]arrival, []error) {
	arrivals := make([]arrival, len(writes))
	enrolled := make(map[string]bool) // of the crops among the writes
	coming := make(map[*space][]int)  // places among the writes
	for i, w := range writes {
		switch r := w.Put.(type) {
		case storage.Crop:
			enrolled[r.ID] = r.StudentID != ""
		case storage.Embedding:
			is, written := enrolled[r.CropID]
			if c := m.crops[r.CropID]; !written && c != nil {
				is = c.student != nil
			}
			if sp := m.spaces[r.Model]; is && sp != nil && sp.Digest == r.Digest {
				coming[sp] = append(coming[sp], i)
			}
		}
	}
	var misfits []error
	for sp, at := range coming {
		vectors := make([][]float32, len(at))
		for j, i := range at {
			vectors[j] = writes[i].Put.(storage.Embedding).Vector
		}
		ids, errs := sp.insert(vectors)
		for j, i := range at {
			if errs != nil && errs[j] != nil {
				ref := writes[i].Ref
				misfits = append(misfits, fmt.Errorf("embedding of crop %q under model %q: %w", ref.ID, ref.Model, errs[j]))
				continue
			}
			arrivals[i] = arrival{space: sp, id: ids[j]}
		}
	}
	return arrivals, misfits
}

// advance changes the state. A panic leaves the state marked as broken, and the
// lock free.
func (m *memory) advance(seq uint64, writes []storage.Write, arrivals []arrival) (misfits []error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = true
	for _, sp := range m.spaces {
		sp.makeRoom()
	}
	for i := range writes {
		if put := writes[i].Put; put != nil {
			if err := m.put(put, &arrivals[i]); err != nil {
				misfits = append(misfits, err)
			}
		}
	}
	for i := len(writes) - 1; i >= 0; i-- { // embeddings before crops before students
		if writes[i].Put == nil {
			m.drop(writes[i].Ref)
		}
	}
	m.seq, m.broken = seq, false
	return misfits
}

// put puts a record into the state.
// REQUIRES: mu is held for writing.
func (m *memory) put(r storage.Record, arrived *arrival) error {
	switch r := r.(type) {
	case storage.Settings:
		m.settings = r
	case storage.Model:
		return m.putModel(r)
	case storage.Student:
		m.putStudent(r)
	case storage.Crop:
		return m.putCrop(r)
	case storage.Embedding:
		return m.putEmbedding(r, arrived)
	}
	return nil
}

// drop forgets a record, with what belongs to it: the edits delete that in the
// same change.
// REQUIRES: mu is held for writing.
func (m *memory) drop(ref storage.Ref) {
	switch ref.Kind {
	case storage.KindStudent:
		m.dropStudent(ref.ID)
	case storage.KindCrop:
		m.dropCrop(ref.ID)
	case storage.KindEmbedding:
		if c := m.crops[ref.ID]; c != nil {
			c.forget(m.spaces[ref.Model])
		}
	}
}

// putModel puts the record of a model into the state.
func (m *memory) putModel(record storage.Model) error {
	sp := m.spaces[record.Name]
	if sp == nil {
		return nil // makeSpaces said why
	}
	if sp.Digest != record.Digest || sp.Dimension != record.Dimension {
		return fmt.Errorf("model %q: its file cannot change under its vectors", record.Name)
	}
	sp.Model = record
	return nil
}

func (m *memory) putStudent(record storage.Student) {
	st := m.students[record.ID]
	if st == nil {
		st = &student{}
		st.ID = record.ID
		m.students[record.ID] = st
		m.byID = insertStudent(m.byID, st)
	}
	for _, g := range slices.Clone(st.groups) {
		if !slices.Contains(record.Groups, g.name) {
			m.leave(st, g)
		}
	}
	for _, name := range record.Groups {
		if !slices.Contains(st.Groups, name) {
			m.join(st, name)
		}
	}
	st.Student = record
}

func (m *memory) dropStudent(id string) {
	st := m.students[id]
	if st == nil {
		return
	}
	for _, c := range slices.Clone(st.crops) {
		c.unenrol()
	}
	for _, g := range slices.Clone(st.groups) {
		m.leave(st, g)
	}
	delete(m.students, id)
	m.byID = removeStudent(m.byID, st)
}

// join puts the student into the group, with its vectors.
func (m *memory) join(st *student, name string) {
	g := m.groups[name]
	if g == nil {
		g = &group{name: name, vectors: make(map[*space]*groupVectors)}
		m.groups[name] = g
	}
	g.members = insertStudent(g.members, st)
	st.groups = append(st.groups, g)
	for _, sp := range m.spaces {
		if sp.students[st] != nil {
			g.vectorsIn(sp).students++
		}
	}
	for p := range st.places() {
		g.vectorsIn(p.space).ids.Add(p.id)
	}
}

// leave takes the student out of the group, with its vectors.
func (m *memory) leave(st *student, g *group) {
	g.members = removeStudent(g.members, st)
	st.groups = slices.DeleteFunc(st.groups, func(of *group) bool { return of == g })
	for _, sp := range m.spaces {
		if sp.students[st] != nil {
			g.vectorsIn(sp).students--
		}
	}
	for p := range st.places() {
		g.vectorsIn(p.space).ids.Remove(p.id)
	}
	if len(g.members) == 0 {
		delete(m.groups, g.name)
	}
}

func (m *memory) putCrop(record storage.Crop) error {
	c := m.crops[record.ID]
	if c == nil {
		c = &crop{}
		m.crops[record.ID] = c
	}
	st := m.students[record.StudentID]
	if st != nil {
		c.enrol(st)
		record.StudentID = st.ID // one copy of the text
	} else {
		c.unenrol()
	}
	c.Crop = record
	if st == nil && record.StudentID != "" {
		return fmt.Errorf("crop %q: its student has no record", record.ID)
	}
	return nil
}

func (m *memory) dropCrop(id string) {
	if c := m.crops[id]; c != nil {
		c.unenrol()
		delete(m.crops, id)
	}
}

// putEmbedding puts an embedding into the state.
func (m *memory) putEmbedding(record storage.Embedding, arrived *arrival) error {
	c, sp := m.crops[record.CropID], m.spaces[record.Model]
	wrong := ""
	switch {
	case c == nil:
		wrong = "the crop has no record"
	case sp == nil:
		wrong = "the model has no record"
	case sp.Digest != record.Digest:
		wrong = "made by another file of the model"
	}
	if wrong != "" {
		return fmt.Errorf("embedding of crop %q under model %q: %s", record.CropID, record.Model, wrong)
	}
	c.forget(sp)
	p := place{space: sp, recipe: unique.Make(record.Recipe), score: record.Quality.Score}
	if arrived.space != nil && c.student != nil {
		p.id, p.indexed, arrived.owned = arrived.id, true, true
		sp.owners[p.id] = c
		p.count(c.student)
	}
	c.embeddings = append(c.embeddings, p)
	return nil
}

// find returns a small record, or nil where there is none.
func (m *memory) find(ref storage.Ref) storage.Record {
	switch ref.Kind {
	case storage.KindSettings:
		if m.seq > 0 {
			return m.settings
		}
	case storage.KindModel:
		if sp := m.spaces[ref.ID]; sp != nil {
			return sp.Model
		}
	case storage.KindStudent:
		if st := m.students[ref.ID]; st != nil {
			return st.Student
		}
	case storage.KindCrop:
		if c := m.crops[ref.ID]; c != nil {
			return c.Crop
		}
	}
	return nil
}

// embeddingsOf iterates over the names of the crop's embeddings.
func (m *memory) embeddingsOf(cropID string) iter.Seq[storage.Ref] {
	return func(yield func(storage.Ref) bool) {
		c := m.crops[cropID]
		if c == nil {
			return
		}
		for _, p := range c.embeddings {
			if !yield(embeddingRef(cropID, p.space.Name)) {
				return
			}
		}
	}
}

// cropsOf iterates over the ids of the crops that are enrolled under the student.
func (m *memory) cropsOf(studentID string) iter.Seq[string] {
	return func(yield func(string) bool) {
		st := m.students[studentID]
		if st == nil {
			return
		}
		for _, c := range st.crops {
			if !yield(c.ID) {
				return
			}
		}
	}
}

// vectors returns how many vectors are searched.
func (m *memory) vectors() (n int) {
	for _, sp := range m.spaces {
		n += sp.owned
	}
	return n
}
