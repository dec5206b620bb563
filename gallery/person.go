package gallery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rollcall/storage"
)

// A Person is all that a gallery keeps of one student.
type Person struct {
	IDs     []string     // that of the student first, then those that were merged into it
	Student *StudentInfo // with the crops; nil: there is no record

	// Vectors are the embeddings of the crops, where they were asked for.
	Vectors []EmbeddingRecord

	// Changes are those that are about the person, oldest first, without what they wrote of
	// others.
	Changes []ChangeInfo
}

// Person returns all that the gallery keeps of a student, who need not have a record: the log
// may name it alone. Then, and where nothing is kept, Student is nil. The errors are
// ErrInvalidID, ErrUnavailable, ErrClosed and storage's.
func (g *Gallery) Person(ctx context.Context, id string, vectors bool) (Person, error) {
	id, err := parseID("student", id)
	if err != nil {
		return Person{}, err
	}
	var p Person
	switch student, err := g.Student(ctx, id); {
	case err == nil:
		p.Student = &student
	case !errors.Is(err, ErrStudentNotFound):
		return Person{}, err
	}
	if p.IDs, _, err = g.namesOf(ctx, id); err != nil {
		return Person{}, fmt.Errorf("read the log of changes: %w", err)
	}
	if vectors && p.Student != nil {
		if p.Vectors, err = g.vectorsOf(ctx, p.Student.Crops); err != nil {
			return Person{}, fmt.Errorf("read embeddings: %w", err)
		}
	}
	if p.Changes, err = g.changesOf(ctx, p); err != nil {
		return Person{}, fmt.Errorf("read the log of changes: %w", err)
	}
	return p, nil
}

func (g *Gallery) vectorsOf(ctx context.Context, crops []CropInfo) (list []EmbeddingRecord, err error) {
	var refs []storage.Ref
	for _, c := range crops {
		for _, e := range c.Embeddings {
			refs = append(refs, storage.Ref{Kind: storage.KindEmbedding, ID: c.ID, Model: e.Model})
		}
	}
	slices.SortFunc(refs, compareRefs)
	records, err := g.writer.partition.Fetch(ctx, refs...)
	for _, r := range records {
		list = append(list, r.(storage.Embedding))
	}
	return list, err
}

// changesOf reads the changes that are about a person. A change that names a crop alone is
// about the person if the crop is the person's now, or was at any time.
func (g *Gallery) changesOf(ctx context.Context, p Person) (list []ChangeInfo, err error) {
	isOther := func(student string) bool { return student != "" && !slices.Contains(p.IDs, student) }
	crops := make(map[string]bool)
	if p.Student != nil {
		for _, c := range p.Student.Crops {
			crops[c.ID] = true
		}
	}
	for c, err := range g.logged(ctx) {
		if err != nil {
			return nil, err
		}
		for _, w := range c.Writes {
			if crop, ok := w.Before.(storage.Crop); ok && crop.StudentID != "" && !isOther(crop.StudentID) {
				crops[crop.ID] = true
			}
		}
	}
	for c, err := range g.logged(ctx) {
		if err != nil {
			return nil, err
		}
		change := changeInfo(c)
		change.Records = slices.DeleteFunc(change.Records, func(r ChangedRecord) bool {
			return isOther(r.StudentID) || r.CropID != "" && !crops[r.CropID]
		})
		for i, r := range change.Records {
			if isOther(r.PreviousStudentID) {
				change.Records[i].PreviousStudentID = ""
			}
		}
		if len(change.Records) > 0 {
			list = append(list, change)
		}
	}
	return list, nil
}
