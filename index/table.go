package index

import "iter"

// pageIDs is the number of IDs per page of a table or a set. A flat slice up to
// the largest ID would be 16 GiB for one stray ID; in pages it is 8 MiB of page
// pointers and one page, and a look-up costs one load more.
const pageIDs = 4096

// pages are the pages of something kept by ID, nil where there is nothing.
type pages[Page any] []*Page

// at returns the page of id, or nil.
func (p pages[Page]) at(id ID) *Page {
	if n := int(id / pageIDs); n < len(p) {
		return p[n]
	}
	return nil
}

// ensure returns the page of id, a zero one if there was none.
func (p *pages[Page]) ensure(id ID) *Page {
	n := int(id / pageIDs)
	if n >= len(*p) {
		*p = append(*p, make([]*Page, n+1-len(*p))...)
	}
	if (*p)[n] == nil {
		(*p)[n] = new(Page)
	}
	return (*p)[n]
}

// idTable maps IDs to numbers below 1<<32 - 1. The zero table is empty.
type idTable struct {
	pages pages[[pageIDs]uint32] // the numbers plus one, so that zero is absent
}

func (t *idTable) get(id ID) (uint32, bool) {
	page := t.pages.at(id)
	if page == nil {
		return 0, false
	}
	v := page[id%pageIDs]
	return v - 1, v != 0
}

func (t *idTable) set(id ID, number uint32) { t.pages.ensure(id)[id%pageIDs] = number + 1 }

// remove forgets id. Its page stays: IDs are reused.
func (t *idTable) remove(id ID) {
	if page := t.pages.at(id); page != nil {
		page[id%pageIDs] = 0
	}
}

// ascend iterates over the entries with an ID of at least from, in ascending
// order of ID. From is wider than an ID, so that it can be one after the last.
func (t *idTable) ascend(from uint64) iter.Seq2[ID, uint32] {
	return func(yield func(ID, uint32) bool) {
		for p := from / pageIDs; p < uint64(len(t.pages)); p++ {
			page := t.pages[p]
			if page == nil {
				continue
			}
			for i := max(from, p*pageIDs) % pageIDs; i < pageIDs; i++ {
				if v := page[i]; v != 0 && !yield(ID(p*pageIDs+i), v-1) {
					return
				}
			}
		}
	}
}

func (t *idTable) bytes() int64 {
	n := int64(cap(t.pages)) * 8
	for _, page := range t.pages {
		if page != nil {
			n += pageIDs * 4
		}
	}
	return n
}
