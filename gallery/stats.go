package gallery

import (
	"cmp"
	"context"
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

	// Recall is the share, 0 to 1, of sampled searches in which an approximate
	// search decided like an exact one. It is known once enough searches of an
	// approximate engine were sampled.
	Recall      float64
	RecallKnown bool
}

// Stats returns the sizes of the gallery; zero while it is closed or unavailable.
// It is cheap enough to call at every scrape of the metrics.
func (g *Gallery) Stats() Stats {
	m, release, err := g.read(context.Background())
	if err != nil {
		return Stats{}
	}
	defer release()
	s := Stats{
		Students: len(m.students),
		Crops:    len(m.crops),
		Sequence: m.seq,
	}
	for name, sp := range m.spaces {
		model := ModelStats{
			Name:     name,
			Digest:   sp.Digest,
			Engine:   sp.engine.Name(),
			Students: len(sp.students),
			Vectors:  sp.owned,
			Bytes:    sp.engine.Bytes(),
		}
		model.Recall, model.RecallKnown = sp.engine.Recall()
		s.Models = append(s.Models, model)
	}
	slices.SortFunc(s.Models, func(a, b ModelStats) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// recordBytes is about how much memory one student or crop takes beside its
// vectors.
const recordBytes = 300

// Bytes estimates the memory that the gallery holds, in bytes.
func (s Stats) Bytes() int64 {
	n := int64(s.Students+s.Crops) * recordBytes
	for _, m := range s.Models {
		n += m.Bytes
	}
	return n
}
