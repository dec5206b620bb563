package index

import (
	"iter"
	"sync/atomic"
)

// pageIDs is the number of IDs per page of a table or a set. A flat slice up to
// the largest ID would take 16 GiB for a single large ID. Pages take 8 MiB of
// page pointers and one page, and a look-up costs one more load.
const pageIDs = 4096

// idTable maps IDs to slots below 1<<32 - 1. The zero table is empty. Reading is
// safe beside one writer: a reader sees an entry as it was before or after a
// change. A reader of a new entry also sees what the writer did before setting
// it.
type idTable struct {
	pages atomic.Pointer[[]*idPage] // replaced as a whole when a page is added
}

// idPage holds the slots plus one, so that zero is absent.
type idPage [pageIDs]atomic.Uint32

func (t *idTable) page(id ID) *idPage {
	pages := t.pages.Load()
	if pages == nil || int(id/pageIDs) >= len(*pages) {
		return nil
	}
	return (*pages)[id/pageIDs]
}

func (t *idTable) get(id ID) (slot uint32, ok bool) {
	page := t.page(id)
	if page == nil {
		return 0, false
	}
	v := page[id%pageIDs].Load()
	return v - 1, v != 0
}

// set stores the slot of id. REQUIRES: the caller is the one writer.
func (t *idTable) set(id ID, slot uint32) {
	page := t.page(id)
	if page == nil {
		page = t.addPage(id)
	}
	page[id%pageIDs].Store(slot + 1)
}

func (t *idTable) addPage(id ID) *idPage {
	var old []*idPage
	if pages := t.pages.Load(); pages != nil {
		old = *pages
	}
	n := int(id / pageIDs)
	pages := make([]*idPage, max(len(old), n+1))
	copy(pages, old)
	pages[n] = new(idPage)
	t.pages.Store(&pages)
	return pages[n]
}

// all iterates over the entries in ascending order of ID.
func (t *idTable) all() iter.Seq2[ID, uint32] {
	return func(yield func(ID, uint32) bool) {
		pages := t.pages.Load()
		if pages == nil {
			return
		}
		for p, page := range *pages {
			if page == nil {
				continue
			}
			for i := range page {
				if v := page[i].Load(); v != 0 && !yield(ID(p*pageIDs+i), v-1) {
					return
				}
			}
		}
	}
}

func (t *idTable) bytes() int64 {
	pages := t.pages.Load()
	if pages == nil {
		return 0
	}
	n := int64(len(*pages)) * 8
	for _, page := range *pages {
		if page != nil {
			n += pageIDs * 4
		}
	}
	return n
}
