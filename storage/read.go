package storage

import (
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"
)

// The methods of this file read. They see every change that Apply has
// returned for, whether or not it is on disk yet, and are safe for concurrent
// use, with each other and with writers.
//
// A sequence is one consistent view: of the moment its loop begins, untouched
// by changes that are applied while it runs (the loop may apply some itself).
// An error ends the sequence, as its last pair. A loop holds the store open:
// Close waits for it, so a loop must not call Close.

// Student returns the student with this id, or ErrNotFound.
func (s *Store) Student(id string) (Student, error) {
	return read(s, decodeStudent, kindStudent, id)
}

// Students returns the students whose ids sort strictly after the given one,
// in the order of the bytes of their ids; an empty after means all of them.
func (s *Store) Students(after string) iter.Seq2[Student, error] {
	keys, err := kindSpan(kindStudent, after)
	return scan(s, keys, err, decodeStudent)
}

// Crop returns the crop with this id, or ErrNotFound.
func (s *Store) Crop(id string) (Crop, error) {
	return read(s, decodeCrop, kindCrop, id)
}

// Crops returns the crops whose ids sort strictly after the given one, in the
// order of the bytes of their ids; an empty after means all of them.
func (s *Store) Crops(after string) iter.Seq2[Crop, error] {
	keys, err := kindSpan(kindCrop, after)
	return scan(s, keys, err, decodeCrop)
}

// CropsOf returns the ids of the crops enrolled under a student, in the order
// of their bytes. It reads the secondary key only, so it is cheap.
func (s *Store) CropsOf(studentID string) iter.Seq2[string, error] {
	keys, err := idSpan(kindEnrolled, studentID)
	return scan(s, keys, err, decodeEnrolled)
}

// Embedding returns the embedding of a crop under a model, or ErrNotFound.
func (s *Store) Embedding(cropID, model string) (Embedding, error) {
	return read(s, decodeEmbedding, kindEmbedding, cropID, model)
}

// EmbeddingsOf returns the embeddings of a crop, by the name of the model.
func (s *Store) EmbeddingsOf(cropID string) iter.Seq2[Embedding, error] {
	keys, err := idSpan(kindEmbedding, cropID)
	return scan(s, keys, err, decodeEmbedding)
}

// Embeddings returns every embedding, by crop and then by model: one pass over
// the disk, for rebuilding an index.
func (s *Store) Embeddings() iter.Seq2[Embedding, error] {
	keys, err := kindSpan(kindEmbedding, "")
	return scan(s, keys, err, decodeEmbedding)
}

// Model returns the model with this name, or ErrNotFound.
func (s *Store) Model(name string) (Model, error) {
	return read(s, decodeModel, kindModel, name)
}

// Models returns every model, by name.
func (s *Store) Models() iter.Seq2[Model, error] {
	keys, err := kindSpan(kindModel, "")
	return scan(s, keys, err, decodeModel)
}

// A decoder makes a record of a key and a value, and copies what it keeps.
type decoder[T any] func(key, value []byte) (T, error)

// read returns one record of an open store.
func read[T any](s *Store, decode decoder[T], k kind, ids ...string) (record T, err error) {
	release, err := s.acquire()
	if err != nil {
		return record, err
	}
	defer release()
	return get(s.db, decode, k, ids...)
}

// scan returns the records of a span of an open store, or spanErr.
func scan[T any](s *Store, keys span, spanErr error, decode decoder[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if spanErr != nil {
			yield(none, spanErr)
			return
		}
		release, err := s.acquire()
		if err != nil {
			yield(none, err)
			return
		}
		defer release()
		for record, err := range walk(s.db, keys, decode) {
			if !yield(record, err) {
				return
			}
		}
	}
}

// get returns one record of r, a store or an indexed batch.
func get[T any](r pebble.Reader, decode decoder[T], k kind, ids ...string) (record T, err error) {
	key, err := makeKey(k, ids...)
	if err != nil {
		return record, err
	}
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return record, fmt.Errorf("%w: %s", ErrNotFound, k)
	}
	if err != nil {
		return record, readError(k, err)
	}
	record, err = decode(key, value)
	if closeErr := closer.Close(); closeErr != nil && err == nil {
		err = readError(k, closeErr)
	}
	return record, err
}

// walk returns the records of a span of r, a store or an indexed batch.
func walk[T any](r pebble.Reader, keys span, decode decoder[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		it, err := r.NewIter(&pebble.IterOptions{LowerBound: keys.lower, UpperBound: keys.upper})
		if err != nil {
			yield(none, readError(keys.kind, err))
			return
		}
		// Close returns again what Error said below, and has nothing to add.
		defer func() { _ = it.Close() }()
		for valid := it.First(); valid; valid = it.Next() {
			value, err := it.ValueAndErr()
			if err != nil {
				yield(none, readError(keys.kind, err))
				return
			}
			record, err := decode(it.Key(), value)
			if !yield(record, err) || err != nil {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(none, readError(keys.kind, err))
		}
	}
}
