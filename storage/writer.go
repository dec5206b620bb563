package storage

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// writer turns the steps of a change into one batch. The batch is indexed, so
// that a step reads what the steps before it wrote.
type writer struct {
	batch   *pebble.Batch
	seq     uint64   // of the change
	touched []string // ids of crops whose record or embeddings were put or deleted
}

// touch notes a crop for the log of changes.
func (w *writer) touch(cropID string) { w.touched = append(w.touched, cropID) }

func (w *writer) putStudent(s Student) error {
	value, err := encodeStudent(s)
	if err != nil {
		return err
	}
	return w.set(value, kindStudent, s.ID)
}

func (w *writer) putCrop(c Crop) error {
	w.touch(c.ID)
	if err := w.unlist(c.ID); err != nil {
		return err
	}
	value, err := encodeCrop(c)
	if err != nil {
		return err
	}
	if err := w.set(value, kindCrop, c.ID); err != nil {
		return err
	}
	if c.StudentID == "" {
		return nil
	}
	return w.set(nil, kindEnrolled, c.StudentID, c.ID)
}

func (w *writer) deleteCrop(id string) error {
	w.touch(id)
	if err := w.unlist(id); err != nil {
		return err
	}
	if err := w.delete(kindCrop, id); err != nil {
		return err
	}
	keys, err := idSpan(kindEmbedding, id)
	if err != nil {
		return err
	}
	// One by one and not as a range: a crop has an embedding or two, and a
	// range tombstone per deleted crop would slow every later scan down.
	for model, err := range walk(w.batch, keys, modelOfEmbedding) {
		if err != nil {
			return err
		}
		if err := w.delete(kindEmbedding, id, model); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) putEmbedding(e Embedding) error {
	w.touch(e.CropID)
	e.Seq = w.seq
	value, err := encodeEmbedding(e)
	if err != nil {
		return err
	}
	return w.set(value, kindEmbedding, e.CropID, e.Model)
}

func (w *writer) deleteEmbedding(cropID, model string) error {
	w.touch(cropID)
	return w.delete(kindEmbedding, cropID, model)
}

func (w *writer) putModel(m Model) error {
	value, err := encodeModel(m)
	if err != nil {
		return err
	}
	return w.set(value, kindModel, m.Name)
}

// unlist takes a crop off the list of the student that its record names.
func (w *writer) unlist(cropID string) error {
	old, err := get(w.batch, decodeCrop, kindCrop, cropID)
	if errors.Is(err, ErrNotFound) || err == nil && old.StudentID == "" {
		return nil
	}
	if err != nil {
		return err
	}
	return w.delete(kindEnrolled, old.StudentID, cropID)
}

func (w *writer) set(value []byte, k kind, ids ...string) error {
	key, err := makeKey(k, ids...)
	if err != nil {
		return err
	}
	if err := w.batch.Set(key, value, nil); err != nil {
		return fmt.Errorf("storage: putting %s record: %w", k, err)
	}
	return nil
}

func (w *writer) delete(k kind, ids ...string) error {
	key, err := makeKey(k, ids...)
	if err != nil {
		return err
	}
	if err := w.batch.Delete(key, nil); err != nil {
		return fmt.Errorf("storage: deleting %s record: %w", k, err)
	}
	return nil
}

// modelOfEmbedding reads the model's name from the key of an embedding.
func modelOfEmbedding(key, _ []byte) (string, error) {
	var cropID, model string
	if err := parseKey(kindEmbedding, key, &cropID, &model); err != nil {
		return "", err
	}
	return model, nil
}
