package gallery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"rollcall/index"
	"rollcall/storage"
)

// comparison is a copy of the picture in memory, from which everything that
// agrees with storage is struck off.
type comparison struct {
	ctx    context.Context
	store  *storage.Store
	seed   maphash.Seed
	report Report
	buf    []byte // of hash

	groups map[string][]string      // by student
	stored int                      // crops
	models map[string]*indexedModel // by name

	// As storage has them, filled in on the way.
	studentsOnDisk map[string]struct{}
	cropsOnDisk    map[string]string // crop -> student
}

// indexedModel is one model's index.
type indexedModel struct {
	digest    string
	dimension int
	crops     map[string]indexedCrop
	vectors   map[index.ID]uint64 // hashes
}

type indexedCrop struct {
	student string
	id      index.ID
}

// copyState copies what is to be compared, but for the vectors, so that the lock
// is held for no longer than that takes: some milliseconds at 100,000 crops.
func (c *comparison) copyState(g *Gallery) map[string]index.Engine {
	g.mu.RLock()
	defer g.mu.RUnlock()
	c.report.Sequence = g.state.seq
	c.stored = g.state.stored
	c.groups = make(map[string][]string, len(g.state.students))
	for id := range g.state.students {
		c.groups[id] = nil
	}
	for group, members := range g.state.groups { // what scopes go by
		for st := range members {
			c.groups[st.id] = append(c.groups[st.id], group)
		}
	}
	c.models = make(map[string]*indexedModel)
	engines := make(map[string]index.Engine)
	for name, sp := range g.state.spaces {
		m := &indexedModel{
			digest:    sp.model.Digest,
			dimension: sp.engine.Dim(),
			crops:     make(map[string]indexedCrop),
			vectors:   make(map[index.ID]uint64),
		}
		for id, owner := range sp.owners {
			if owner != nil {
				m.crops[owner.id] = indexedCrop{owner.student.id, index.ID(id)}
			}
		}
		c.models[name], engines[name] = m, sp.engine
	}
	return engines
}

// interrupted returns ctx's error, now and then.
func (c *comparison) interrupted(n int) error {
	if n%progressEvery != 0 {
		return nil
	}
	return c.ctx.Err()
}

// hashVectors reads a model's index.
func (c *comparison) hashVectors(model string, engine index.Engine) error {
	m := c.models[model]
	owned := make(map[index.ID]struct{}, len(m.crops))
	for _, crop := range m.crops {
		owned[crop.id] = struct{}{}
	}
	for id, vector := range engine.Vectors() {
		if err := c.interrupted(c.report.Indexed); err != nil {
			return err
		}
		c.report.Indexed++
		m.vectors[id] = c.hash(vector)
		if _, ok := owned[id]; !ok {
			c.report.add(Difference{Kind: diffUnownedVector, Model: model})
		}
	}
	return nil
}

// hash returns a hash of the vector's bits: of vectors that differ, a share of
// 2^-64 goes unnoticed.
func (c *comparison) hash(vector []float32) uint64 {
	c.buf = c.buf[:0]
	for _, x := range vector {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, math.Float32bits(x))
	}
	return maphash.Bytes(c.seed, c.buf)
}

// checkModels compares the models' records.
func (c *comparison) checkModels() error {
	n := 0
	for m, err := range c.store.Models() {
		if err != nil {
			return fmt.Errorf("read models: %w", err)
		}
		n++
		have := c.models[m.Name]
		if have == nil || have.digest != m.Digest || have.dimension != m.Dimension {
			c.report.add(Difference{Kind: diffModel, Model: m.Name})
		}
	}
	if n < len(c.models) {
		c.report.add(Difference{Kind: diffNoModelRecord})
	}
	return nil
}

// checkStudents compares the students and their groups.
func (c *comparison) checkStudents() error {
	c.studentsOnDisk = make(map[string]struct{})
	for st, err := range c.store.Students("") {
		if err = errors.Join(err, c.interrupted(len(c.studentsOnDisk))); err != nil {
			return fmt.Errorf("read students: %w", err)
		}
		c.studentsOnDisk[st.ID] = struct{}{}
		groups, ok := c.groups[st.ID]
		slices.Sort(groups)
		switch {
		case !ok:
			c.report.add(Difference{Kind: diffMissingStudent, StudentID: st.ID})
		case !slices.Equal(groups, st.Groups):
			c.report.add(Difference{Kind: diffGroups, StudentID: st.ID})
		}
		delete(c.groups, st.ID)
	}
	for id := range c.groups {
		c.report.add(Difference{Kind: diffExtraStudent, StudentID: id})
	}
	return nil
}

// checkCrops notes whose the crops are.
func (c *comparison) checkCrops() error {
	c.cropsOnDisk = make(map[string]string)
	for crop, err := range c.store.Crops("") {
		if err = errors.Join(err, c.interrupted(len(c.cropsOnDisk))); err != nil {
			return fmt.Errorf("read crops: %w", err)
		}
		c.cropsOnDisk[crop.ID] = crop.StudentID
		if _, found := c.studentsOnDisk[crop.StudentID]; !found && crop.StudentID != "" {
			c.report.add(Difference{Kind: diffNoStudentRecord, CropID: crop.ID, StudentID: crop.StudentID})
		}
	}
	if len(c.cropsOnDisk) != c.stored {
		c.report.add(Difference{Kind: diffCropCount})
	}
	return nil
}

// checkEmbeddings compares the vectors, and whose they are.
func (c *comparison) checkEmbeddings() error {
	n := 0
	for e, err := range c.store.Embeddings() {
		if err = errors.Join(err, c.interrupted(n)); err != nil {
			return fmt.Errorf("read embeddings: %w", err)
		}
		n++
		d := Difference{Model: e.Model, CropID: e.CropID}
		student, found := c.cropsOnDisk[e.CropID]
		m := c.models[e.Model]
		switch {
		case !found:
			d.Kind = diffNoCropRecord
		case m == nil:
			d.Kind = diffNoModelRecord
		case m.digest != e.Digest:
			d.Kind = diffEmbeddingOfOthers
		case student == "":
			// Not enrolled: if it is indexed all the same, it is left over below.
		default:
			d.StudentID = student
			c.report.Stored++
			d.Kind = c.strike(m, e, student)
		}
		if d.Kind != "" {
			c.report.add(d)
		}
	}
	for name, m := range c.models {
		for id, crop := range m.crops {
			c.report.add(Difference{Kind: diffExtraVector, Model: name, CropID: id, StudentID: crop.student})
		}
	}
	return nil
}

// strike takes an enrolled embedding off what was found in memory. It returns
// the kind of the difference, or "".
func (c *comparison) strike(m *indexedModel, e storage.Embedding, student string) string {
	crop, ok := m.crops[e.CropID]
	if !ok {
		return diffMissingVector
	}
	delete(m.crops, e.CropID)
	hash, ok := m.vectors[crop.id]
	switch {
	case !ok:
		return diffMissingVector
	case hash != c.hash(e.Vector):
		return diffVector
	case crop.student != student:
		return diffCropStudent
	}
	return ""
}
