package gallery

import (
	"errors"
	"sync"

	"rollcall/index"
	"rollcall/storage"
)

// cropNames says whose vector lies at an ID, to an engine that reads vectors from
// storage while it searches: a lock of its own, since the gallery's may be held.
// The nil *cropNames is of an engine that has its vectors, and keeps nothing.
type cropNames struct {
	mu    sync.RWMutex
	names []string // by ID
}

// set names the crop at id. It precedes the vector's way into the engine; a name
// stays until the ID gets another vector.
func (n *cropNames) set(id index.ID, crop string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for int(id) >= len(n.names) {
		n.names = append(n.names, "")
	}
	n.names[id] = crop
}

func (n *cropNames) get(id index.ID) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if int(id) >= len(n.names) {
		return ""
	}
	return n.names[id]
}

// engineOptions returns the options of the engine of a model, and the names that
// go with them.
//
// Storage is ahead of the index by the change that is being made: for that moment
// a crop that got another embedding is compared by that one, and a deleted one is
// gone.
func (g *Gallery) engineOptions(m storage.Model) (index.Options, *cropNames) {
	if !g.opts.VectorsInStorage {
		return index.Options{}, nil
	}
	names := new(cropNames)
	source := func(id index.ID, vector []float32) (bool, error) {
		e, err := g.store.Embedding(names.get(id), m.Name)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return false, nil
		case err != nil:
			return false, err
		}
		return copy(vector, e.Vector) == len(vector) && len(e.Vector) == len(vector), nil
	}
	return index.Options{Source: source}, names
}
