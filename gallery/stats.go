package gallery

import (
	"cmp"
	"slices"
)

// Stats are the sizes of a gallery, as it is searched.
type Stats struct {
	Models   []ModelStats // by name
	Students int          // with or without crops
	Crops    int          // stored, enrolled or not
	Sequence uint64       // of the last change that is searchable
}

// ModelStats are the sizes of one model's index.
type ModelStats struct {
	Name     string
	Digest   string // SHA-256 of the model's file, in hex
	Engine   string // name of the index engine
	Students int    // with a vector
	Vectors  int
	Bytes    int64 // memory that the index holds

	// Recall is the share, 0 to 1, of samples in which approximate search found the
	// nearest vector. It is known while approximate search serves and some samples
	// have been taken.
	Recall      float64
	RecallKnown bool
}

// Stats returns the sizes of the gallery. It is cheap enough for every scrape of
// a metric.
func (g *Gallery) Stats() Stats {
	g.mu.RLock()
	defer g.mu.RUnlock()
	s := Stats{
		Students: len(g.state.students),
		Crops:    g.state.stored,
		Sequence: g.state.seq,
	}
	for name, sp := range g.state.spaces {
		m := ModelStats{
			Name:     name,
			Digest:   sp.model.Digest,
			Engine:   sp.engine.Name(),
			Students: len(sp.students),
			Vectors:  sp.owned,
			Bytes:    sp.engine.Bytes(),
		}
		m.Recall, m.RecallKnown = sp.engine.Recall()
		s.Models = append(s.Models, m)
	}
	slices.SortFunc(s.Models, func(a, b ModelStats) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
