package gallery

import (
	"errors"

	"rollcall/index"
	"rollcall/storage"
)

// bulk is embeddings on their way into an index, which takes many at once in less
// time than one by one.
type bulk struct {
	crops   []*crop
	vectors [][]float32
}

// bulkSize is how many go in at once: enough to keep all cores at work, 8 MiB at
// 512 dimensions.
const bulkSize = 4096

// errOtherDigest says that an embedding on disk was made by another file than
// the gallery's other ones under the model.
var errOtherDigest = errors.New("made by another file of the model")

// add puts a stored embedding into the index of its model, at once or with the
// next flush.
func (r *restoring) add(c *crop, e storage.Embedding) {
	sp := r.g.state.spaces[e.Model]
	switch {
	case sp == nil:
		r.leaveOut(c.id, e.Model, errNoSpace)
		return
	case sp.model.Digest != e.Digest:
		r.leaveOut(c.id, e.Model, errOtherDigest)
		return
	}
	b := r.bulks[sp]
	if b == nil {
		b = new(bulk)
		r.bulks[sp] = b
	}
	b.crops, b.vectors = append(b.crops, c), append(b.vectors, e.Vector)
	if len(b.crops) == bulkSize {
		r.flush(sp, b)
	}
}

func (r *restoring) leaveOut(crop, model string, err error) {
	r.leftOut++
	r.g.opts.Logger.Error("embedding left out of the index", "crop", crop, "model", model, "error", err)
}

func (r *restoring) flushAll() {
	for sp, b := range r.bulks {
		r.flush(sp, b)
	}
}

func (r *restoring) flush(sp *space, b *bulk) {
	ids := make([]index.ID, len(b.crops))
	for i := range ids {
		ids[i] = sp.ids.take()
		sp.names.set(ids[i], b.crops[i].id)
	}
	allIn := sp.engine.UpsertAll(ids, b.vectors) == nil
	for i, c := range b.crops {
		if !allIn { // none is in: find those that can be
			if err := sp.engine.Upsert(ids[i], b.vectors[i]); err != nil {
				sp.ids.give(ids[i])
				r.leaveOut(c.id, sp.model.Name, err)
				continue
			}
		}
		r.g.state.place(c, place{sp, ids[i]})
	}
	b.crops, b.vectors = b.crops[:0], b.vectors[:0]
}
