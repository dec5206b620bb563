package index

import (
	"iter"
	"math/bits"
)

// setPageWords is the size of a set's page: 64 words of 64 bits hold
// [pageIDs] IDs in 512 bytes, so that a few dozen IDs out of a large index cost
// a few kilobytes.
const setPageWords = pageIDs / 64

// A Set is a set of IDs, kept as a bitmap in pages. The zero Set is empty and
// ready to use. Several goroutines may read it at the same time. While one
// changes it, nobody else may use it, not even a search that it restricts.
type Set struct {
	pages []*setPage // by ID / pageIDs; nil where there is nothing
	n     int
}

type setPage [setPageWords]uint64

// NewSet returns a set of ids.
func NewSet(ids ...ID) *Set {
	s := new(Set)
	for _, id := range ids {
		s.Add(id)
	}
	return s
}

// Add puts id into the set, if it is not there yet.
func (s *Set) Add(id ID) {
	n := int(id / pageIDs)
	if n >= len(s.pages) {
		s.pages = append(s.pages, make([]*setPage, n+1-len(s.pages))...)
	}
	if s.pages[n] == nil {
		s.pages[n] = new(setPage)
	}
	word, bit := &s.pages[n][id%pageIDs/64], uint64(1)<<(id%64)
	if *word&bit == 0 {
		*word |= bit
		s.n++
	}
}

// Remove takes id out of the set, if it is there.
func (s *Set) Remove(id ID) {
	if s.Has(id) {
		s.pages[id/pageIDs][id%pageIDs/64] &^= 1 << (id % 64)
		s.n--
	}
}

// Or adds all IDs of another set, 64 at a time.
func (s *Set) Or(other *Set) {
	if n := len(other.pages) - len(s.pages); n > 0 {
		s.pages = append(s.pages, make([]*setPage, n)...)
	}
	for p, from := range other.pages {
		if from == nil {
			continue
		}
		if s.pages[p] == nil {
			s.pages[p] = new(setPage)
		}
		to := s.pages[p]
		for w, word := range from {
			s.n += bits.OnesCount64(word &^ to[w])
			to[w] |= word
		}
	}
}

// Clone returns an independent copy of the set.
func (s *Set) Clone() *Set {
	c := new(Set)
	c.Or(s)
	return c
}

// Has reports whether id is in the set.
func (s *Set) Has(id ID) bool {
	n := int(id / pageIDs)
	return n < len(s.pages) && s.pages[n] != nil && s.pages[n][id%pageIDs/64]&(1<<(id%64)) != 0
}

// Len returns the number of IDs in the set.
func (s *Set) Len() int { return s.n }

// All iterates over the IDs in ascending order.
func (s *Set) All() iter.Seq[ID] {
	return func(yield func(ID) bool) {
		for p, page := range s.pages {
			if page == nil {
				continue
			}
			for w, word := range page {
				for ; word != 0; word &= word - 1 {
					if !yield(ID(p*pageIDs + w*64 + bits.TrailingZeros64(word))) {
						return
					}
				}
			}
		}
	}
}
