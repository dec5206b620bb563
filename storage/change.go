package storage

// Change is a set of puts and deletes that is applied whole or not at all.
// The zero value is ready to use. It is built by one goroutine and given to
// [Store.Apply] once.
//
// Its puts and deletes take effect in the order they were called in, so the
// last one for a record wins. A put replaces; deleting what is not there does
// nothing. What is wrong with one (an invalid id) is reported by Apply. Slices
// within the records are read by Apply: leave them alone until it returns.
type Change struct {
	steps   []func(*writer) error
	applied bool
}

// PutStudent stores a student.
func (c *Change) PutStudent(student Student) {
	c.add(func(w *writer) error { return w.putStudent(student) })
}

// DeleteStudent deletes a student's record, and nothing else: delete its crops
// in the same change, or they keep naming a student that is gone.
func (c *Change) DeleteStudent(id string) {
	c.add(func(w *writer) error { return w.delete(kindStudent, id) })
}

// PutCrop stores a crop. It changes which student the crop is listed under.
func (c *Change) PutCrop(crop Crop) {
	c.add(func(w *writer) error { return w.putCrop(crop) })
}

// DeleteCrop deletes a crop with its embeddings under every model.
func (c *Change) DeleteCrop(id string) {
	c.add(func(w *writer) error { return w.deleteCrop(id) })
}

// PutEmbedding stores an embedding. Its Seq is set by Apply.
func (c *Change) PutEmbedding(embedding Embedding) {
	c.add(func(w *writer) error { return w.putEmbedding(embedding) })
}

// DeleteEmbedding deletes the embedding of a crop under one model.
func (c *Change) DeleteEmbedding(cropID, model string) {
	c.add(func(w *writer) error { return w.deleteEmbedding(cropID, model) })
}

// PutModel stores a model.
func (c *Change) PutModel(model Model) {
	c.add(func(w *writer) error { return w.putModel(model) })
}

// DeleteModel deletes a model's record; embeddings under it stay.
func (c *Change) DeleteModel(name string) {
	c.add(func(w *writer) error { return w.delete(kindModel, name) })
}

func (c *Change) add(step func(*writer) error) {
	c.steps = append(c.steps, step)
}
