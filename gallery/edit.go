package gallery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"rollcall/storage"
)

// edit is one change being decided. It reads what the gallery holds, what earlier
// edits of the same commit wrote, and what it wrote itself. It writes whole
// records. Edits are decided in the writer's goroutine, one at a time. An edit
// depends only on the records that it finds, so that it could be decided again.
type edit struct {
	ctx   context.Context
	now   time.Time
	batch *batch
	own   written
}

// written is records by name, in the order in which they were first written. A nil
// record is deleted.
type written struct {
	records    map[storage.Ref]storage.Record
	order      []storage.Ref
	embeddings map[string][]storage.Ref // the names of embeddings in order, by crop
}

func (w *written) set(ref storage.Ref, r storage.Record) {
	if _, known := w.records[ref]; !known {
		if w.records == nil {
			w.records = make(map[storage.Ref]storage.Record)
			w.embeddings = make(map[string][]storage.Ref)
		}
		w.order = append(w.order, ref)
		if ref.Kind == storage.KindEmbedding {
			w.embeddings[ref.ID] = append(w.embeddings[ref.ID], ref)
		}
	}
	w.records[ref] = r
}

// find returns a small record, or nil where there is none.
func (e *edit) find(ref storage.Ref) storage.Record {
	if r, ok := e.changed(ref); ok {
		return r
	}
	return e.batch.memory.find(ref)
}

// lookup returns a small record of its type; false where there is none.
func lookup[R storage.Record](e *edit, ref storage.Ref) (record R, ok bool) {
	record, ok = e.find(ref).(R)
	return record, ok
}

// embeddingsOf returns the names of the embeddings that the crop has, in the order
// of their models.
func (e *edit) embeddingsOf(cropID string) []storage.Ref {
	var refs []storage.Ref
	for ref := range e.batch.memory.embeddingsOf(cropID) {
		if r, changed := e.changed(ref); !changed || r != nil {
			refs = append(refs, ref)
		}
	}
	for _, list := range [][]storage.Ref{e.batch.written.embeddings[cropID], e.own.embeddings[cropID]} {
		for _, ref := range list {
			if r, _ := e.changed(ref); r != nil && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	slices.SortFunc(refs, compareRefs)
	return refs
}

// cropsOf returns the ids of the crops that are enrolled under the student, in
// order.
func (e *edit) cropsOf(studentID string) []string {
	var ids []string
	for id := range e.batch.memory.cropsOf(studentID) {
		if _, changed := e.changed(cropRef(id)); !changed {
			ids = append(ids, id)
		}
	}
	for _, r := range e.changes() {
		if c, ok := r.(storage.Crop); ok && c.StudentID == studentID {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// read returns embeddings with their vectors, from the disk: memory does not have the
// vectors of a crop without a student. Nothing else in an edit reads it, but for refusal.
func (e *edit) read(refs ...storage.Ref) ([]storage.Embedding, error) {
	var list []storage.Embedding
	for _, ref := range refs {
		r, changed := e.changed(ref)
		if !changed {
			stored, err := e.batch.partition.Fetch(e.ctx, ref)
			if err != nil {
				return nil, fmt.Errorf("read embedding of crop %q: %w", ref.ID, err)
			}
			if len(stored) == 0 {
				continue
			}
			r = stored[0]
		}
		if r, ok := r.(storage.Embedding); ok {
			list = append(list, r)
		}
	}
	return list, nil
}

// changed returns a record as this commit has it so far, nil if it is deleted;
// false: the commit has not touched it.
func (e *edit) changed(ref storage.Ref) (storage.Record, bool) {
	if r, ok := e.own.records[ref]; ok {
		return r, true
	}
	r, ok := e.batch.written.records[ref]
	return r, ok
}

// changes iterates over the records that this commit has changed so far; nil:
// deleted.
func (e *edit) changes() func(yield func(storage.Ref, storage.Record) bool) {
	return func(yield func(storage.Ref, storage.Record) bool) {
		for ref, r := range e.own.records {
			if !yield(ref, r) {
				return
			}
		}
		for ref, r := range e.batch.written.records {
			if _, again := e.own.records[ref]; !again && !yield(ref, r) {
				return
			}
		}
	}
}

// put writes a record, in place of what was there.
func (e *edit) put(r storage.Record) { e.own.set(r.Ref(), r) }

// gone deletes a record.
func (e *edit) gone(ref storage.Ref) { e.own.set(ref, nil) }

// batch is the edits of one commit, in their order.
type batch struct {
	memory    *memory
	partition *storage.Partition
	log       *slog.Logger
	changes   []storage.Change
	written   written // by all of them
}

// find returns a small record as it is after the edits so far, or nil.
func (b *batch) find(ref storage.Ref) storage.Record {
	if r, ok := b.written.records[ref]; ok {
		return r
	}
	return b.memory.find(ref)
}

// add makes an edit part of the batch.
func (b *batch) add(e *edit, cause string) {
	change := storage.Change{Time: e.now, Cause: cause, By: whoOf(e.ctx)}
	for _, ref := range e.own.order {
		w := storage.Write{Ref: ref, Put: e.own.records[ref]}
		if ref.Kind != storage.KindEmbedding {
			w.Before = b.find(ref)
		}
		change.Writes = append(change.Writes, w)
	}
	for _, ref := range e.own.order {
		b.written.set(ref, e.own.records[ref])
	}
	b.changes = append(b.changes, change)
}

// writes returns each record that the batch changed, once, as it is in the end.
func (b *batch) writes() []storage.Write {
	writes := make([]storage.Write, 0, len(b.written.order))
	for _, ref := range b.written.order {
		writes = append(writes, storage.Write{Ref: ref, Put: b.written.records[ref]})
	}
	return writes
}
