package gallery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"rollcall/storage"
)

// A Difference is one thing that storage and memory disagree on.
type Difference struct {
	Kind      string // what is wrong, for a person: "missing in index"
	Model     string // whose index it is in; "" where it is about no model
	CropID    string // "" where it is about no crop
	StudentID string // "" where it is about no student
}

// The kinds of differences. The first three follow the kind of record: "crop
// missing in memory".
const (
	diffMissing           = " missing in memory"
	diffExtra             = " in memory, but not on disk"
	diffOther             = " not the same in memory"
	diffGroups            = "groups in memory differ"
	diffOwner             = "crop belongs to another student in memory"
	diffNoStudentRecord   = "student of the crop has no record"
	diffMissingVector     = "missing in index"
	diffExtraVector       = "in index, but not enrolled on disk"
	diffUnownedVector     = "in index, but no crop owns it"
	diffVector            = "vector in index differs"
	diffNoCropRecord      = "embedding of a crop without a record"
	diffNoModelRecord     = "embedding under a model without a record"
	diffEmbeddingOfOthers = "embedding made by another file of the model"
	diffSequence          = "sequence number in memory differs"
)

// MaxDifferences is how many differences a report lists: enough to see what is
// wrong, even if everything is.
const MaxDifferences = 1000

// A Report is what CheckConsistency found.
type Report struct {
	Sequence    uint64       // of the last change in the comparison
	Stored      int          // embeddings of enrolled crops on disk
	Indexed     int          // vectors that are searched
	Differences []Difference // at most MaxDifferences; there should be none
	Total       int          // how many differences there are, or at least
	Coverage    Coverage     // under the gallery's model
}

func (r *Report) add(d Difference) {
	if r.Total++; r.Total <= MaxDifferences {
		r.Differences = append(r.Differences, d)
	}
}

// checkBatch is how many records are compared under one hold of the lock, or in one
// turn of the writer: a few milliseconds' work.
const checkBatch = 500

// CheckConsistency compares what is on disk with what is searched: settings,
// models, students and their groups, the student of each crop, and each vector bit
// for bit. It also verifies the log of changes.
//
// It may be called on a live server. Searches go on, and so do changes, which wait
// for a few milliseconds at a time at most. A first difference may be a change
// under way, so it is looked at again between two changes. The errors are
// ErrClosed, ErrUnavailable, ctx's and storage's.
func (g *Gallery) CheckConsistency(ctx context.Context) (Report, error) {
	c := check{g: g, ctx: ctx, seen: make(map[storage.Ref]struct{}), suspects: make(map[storage.Ref]struct{})}
	for _, step := range []func() error{c.readDisk, c.readMemory, c.settle, c.conclude} {
		if err := step(); err != nil {
			return Report{}, fmt.Errorf("check consistency: %w", err)
		}
	}
	return c.report, nil
}

// check is one check under way.
type check struct {
	g        *Gallery
	ctx      context.Context
	seen     map[storage.Ref]struct{} // on disk
	vector   []float32                // of memory, to compare
	suspects map[storage.Ref]struct{} // seem to differ
	report   Report
}

// readDisk compares every record with memory.
func (c *check) readDisk() error {
	var p portion
	for r, err := range c.g.writer.partition.Load(c.ctx) {
		if err != nil {
			return err
		}
		if _, ok := r.(storage.Erasure); ok {
			continue // memory has none
		}
		if p.add(r); len(p.writes) == checkBatch {
			if err := c.compare(&p); err != nil {
				return err
			}
		}
	}
	return c.compare(&p)
}

// compare compares a portion of what is on disk with memory, and empties it.
func (c *check) compare(p *portion) error {
	m, release, err := c.g.read(c.ctx)
	if err != nil {
		return err
	}
	defer release()
	for _, w := range p.writes {
		c.seen[w.Ref] = struct{}{}
		if e, ok := w.Put.(storage.Embedding); ok && enrolled(m, e.CropID) {
			c.report.Stored++
		}
		if c.differs(m, w.Put) != "" {
			c.suspects[w.Ref] = struct{}{}
		}
	}
	p.empty()
	return nil
}

// readMemory looks for what memory has and the disk has not.
func (c *check) readMemory() error {
	m, release, err := c.g.read(c.ctx)
	if err != nil {
		return err
	}
	refs := []storage.Ref{settingsRef}
	for name := range m.spaces {
		refs = append(refs, modelRef(name))
	}
	for id := range m.students {
		refs = append(refs, studentRef(id))
	}
	crops := slices.Collect(maps.Keys(m.crops))
	release()
	for _, ref := range refs {
		c.expect(ref)
	}
	for batch := range slices.Chunk(crops, checkBatch) {
		if m, release, err = c.g.read(c.ctx); err != nil {
			return err
		}
		for _, id := range batch {
			c.expect(cropRef(id))
			for ref := range m.embeddingsOf(id) {
				c.expect(ref)
			}
		}
		release()
	}
	return nil
}

// expect makes a record in memory suspect if it was not seen on disk.
func (c *check) expect(ref storage.Ref) {
	if _, ok := c.seen[ref]; !ok {
		c.suspects[ref] = struct{}{}
	}
}

// settle looks at the suspects again, in the writer, where nothing changes.
func (c *check) settle() error {
	refs := slices.SortedFunc(maps.Keys(c.suspects), compareRefs)
	for batch := range slices.Chunk(refs, checkBatch) {
		if c.report.Total >= MaxDifferences {
			c.report.Total += len(batch) // not looked at again: there are too many to be changes under way
			continue
		}
		_, err := c.g.writer.do(c.ctx, "check", func(e *edit) error { return c.settleBatch(e.batch.memory, batch) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *check) settleBatch(m *memory, refs []storage.Ref) error {
	for _, ref := range refs {
		stored, err := c.g.writer.partition.Fetch(c.ctx, ref)
		if err != nil {
			return err
		}
		kind := ""
		if len(stored) > 0 {
			kind = c.differs(m, stored[0])
		} else {
			kind = extra(m, ref)
		}
		if kind != "" {
			c.report.add(difference(m, kind, ref))
		}
	}
	return nil
}

// conclude checks the gallery as a whole, in the writer: the sequence numbers are
// equal, and the indexes hold no other vectors.
func (c *check) conclude() error {
	if err := c.verifyLog(); err != nil {
		return err
	}
	_, err := c.g.writer.do(c.ctx, "check", func(e *edit) error {
		m := e.batch.memory
		seq, err := c.g.writer.partition.Sequence(c.ctx)
		if err != nil {
			return err
		}
		c.report.Sequence = m.seq
		if seq != m.seq {
			c.report.add(Difference{Kind: diffSequence})
		}
		for name, sp := range m.spaces {
			c.report.Indexed += sp.owned
			if sp.engine.Len() == sp.owned {
				continue
			}
			for id := range sp.engine.Vectors() {
				if sp.owner(id) == nil {
					c.report.add(Difference{Kind: diffUnownedVector, Model: name})
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.report.Coverage, err = c.g.Coverage(c.ctx, "")
	return err
}

// verifyLog reads the log, which verifies its chain.
func (c *check) verifyLog() error {
	var trimmed *storage.TrimmedError
	err := c.readLog(0)
	for errors.As(err, &trimmed) { // the log was trimmed meanwhile: read what is left
		err = c.readLog(trimmed.After)
	}
	return err
}

func (c *check) readLog(after uint64) error {
	for _, err := range c.g.writer.partition.Changes(c.ctx, after) {
		if err != nil {
			return err
		}
	}
	return nil
}

// enrolled reports whether the crop has a student.
func enrolled(m *memory, cropID string) bool {
	c := m.crops[cropID]
	return c != nil && c.student != nil
}

// differs compares a record on disk with memory, and returns what is wrong; "" if
// nothing is.
func (c *check) differs(m *memory, r storage.Record) string {
	if r, ok := r.(storage.Embedding); ok {
		return c.embeddingDiffers(m, r)
	}
	ref := r.Ref()
	switch have := m.find(ref); {
	case have == nil:
		return ref.Kind.String() + diffMissing
	case !reflect.DeepEqual(have, r):
		return ref.Kind.String() + diffOther
	}
	switch r := r.(type) {
	case storage.Student:
		return groupsDiffer(m, r)
	case storage.Crop:
		return ownerDiffers(m, r)
	}
	return ""
}

func groupsDiffer(m *memory, r storage.Student) string {
	for _, name := range r.Groups { // scopes use these
		g := m.groups[name]
		if g == nil {
			return diffGroups
		}
		if _, in := searchStudent(g.members, r.ID); !in {
			return diffGroups
		}
		for p := range m.students[r.ID].places() {
			if v := g.vectors[p.space]; v == nil || !v.ids.Has(p.id) {
				return diffGroups
			}
		}
	}
	return ""
}

func ownerDiffers(m *memory, r storage.Crop) string {
	c := m.crops[r.ID]
	switch {
	case r.StudentID != "" && m.students[r.StudentID] == nil:
		return diffNoStudentRecord
	case c.student != m.students[r.StudentID] || c.student != nil && (c.at >= len(c.student.crops) || c.student.crops[c.at] != c):
		return diffOwner
	}
	return ""
}

func (c *check) embeddingDiffers(m *memory, r storage.Embedding) string {
	crop, sp := m.crops[r.CropID], m.spaces[r.Model]
	switch {
	case crop == nil:
		return diffNoCropRecord
	case sp == nil:
		return diffNoModelRecord
	case sp.Digest != r.Digest:
		return diffEmbeddingOfOthers
	}
	p := crop.place(sp)
	switch {
	case crop.student == nil && (p == nil || p.indexed):
		return diffExtraVector
	case crop.student == nil:
		return ""
	case p == nil || !p.indexed || sp.owner(p.id) != crop:
		return diffMissingVector
	}
	if len(c.vector) != sp.Dimension {
		c.vector = make([]float32, sp.Dimension)
	}
	if !sp.engine.Vector(p.id, c.vector) {
		return diffMissingVector
	}
	if !slices.EqualFunc(c.vector, r.Vector, sameBits) {
		return diffVector
	}
	return ""
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// extra returns what is wrong about a record that is not on disk; "" if memory does
// not have it either.
func extra(m *memory, ref storage.Ref) string {
	switch {
	case ref.Kind == storage.KindEmbedding && slices.Contains(slices.Collect(m.embeddingsOf(ref.ID)), ref):
		return diffExtraVector
	case ref.Kind != storage.KindEmbedding && m.find(ref) != nil:
		return ref.Kind.String() + diffExtra
	}
	return ""
}

// difference names what is different.
func difference(m *memory, kind string, ref storage.Ref) Difference {
	d := Difference{Kind: kind}
	switch ref.Kind {
	case storage.KindModel:
		d.Model = ref.ID
	case storage.KindStudent:
		d.StudentID = ref.ID
	case storage.KindCrop, storage.KindEmbedding:
		d.CropID, d.Model = ref.ID, ref.Model
		if c := m.crops[ref.ID]; c != nil {
			d.StudentID = c.StudentID
		}
	}
	return d
}
