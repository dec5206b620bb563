package storage

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// model is what a partition must hold: plain values.
type model struct {
	records map[Ref]Record
	changes []Change // as they are read: the one with the number n at n-1
}

func newModel() *model { return &model{records: map[Ref]Record{}} }

func (m *model) clone() *model {
	return &model{maps.Clone(m.records), slices.Clone(m.changes)}
}

func (m *model) sequence() uint64 { return uint64(len(m.changes)) }

// ids that are easy to confuse: prefixes of one another, and every special byte.
var trickyIDs = []string{
	"a", "aa", "ab", "b", "a\x00", "a\x00\x01", "a\x00\xff", "a\x01", "a\xff", "\x00", "\x00\x00", "\x00\x01",
	"\x00\xff", "\x01", "\xff", "\xff\xff", "\xff\x00", "é", "student/7", "student/71",
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func randomTime(rng *rand.Rand) time.Time {
	return time.Unix(rng.Int64N(4e9)-1e9, rng.Int64N(1e9)).UTC()
}

func randomRef(rng *rand.Rand) Ref {
	r := Ref{Kind: pick(rng, []Kind{KindSettings, KindModel, KindStudent, KindCrop, KindCrop, KindEmbedding, KindEmbedding, KindGallery, KindToken, KindErasure})}
	if r.Kind != KindSettings {
		r.ID = pick(rng, trickyIDs)
	}
	if r.Kind == KindEmbedding {
		r.Model = pick(rng, []string{"sface", "sf", "arcface", "\x00m"})
	}
	return r
}

func randomRecord(rng *rand.Rand, ref Ref) Record {
	created, updated := randomTime(rng), randomTime(rng)
	digest := fmt.Sprintf("%064x", rng.Uint64())
	switch ref.Kind {
	case KindSettings:
		return Settings{pick(rng, []string{"", "sface"}), rng.Float64(), rng.Float32(), updated, 301 + rng.IntN(1e5), 301 + rng.IntN(1e5), rng.IntN(2) == 0}
	case KindModel:
		return Model{ref.ID, digest, 1 + rng.IntN(512), "recipe", created, randomCalibration(rng, created)}
	case KindStudent:
		s := Student{ID: ref.ID, Created: created, Updated: updated, DeleteAfter: pick(rng, []Date{"", "2026-07-31"})}
		if rng.IntN(2) == 0 {
			s.Consent = Consent{ConsentGiven, pick(rng, []string{"", "form 12"}), "2026-02-01"}
		}
		for range rng.IntN(4) {
			s.Groups = append(s.Groups, pick(rng, []string{"1a", "1b", "2a", "chess"}))
		}
		slices.Sort(s.Groups)
		s.Groups = slices.Compact(s.Groups)
		return s
	case KindCrop:
		return Crop{ref.ID, pick(rng, append(trickyIDs, "")), rng.IntN(2) == 0, created, updated, updated.Add(time.Hour)}
	case KindEmbedding:
		return Embedding{
			ref.ID, ref.Model, digest, pick(rng, []string{"", "recipe 1", "recipe 2"}), randomVector(rng, 1+rng.IntN(64)),
			Quality{rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.IntN(5000), rng.IntN(5000)}, created,
		}
	case KindGallery:
		return Gallery{ref.ID, created}
	case KindErasure:
		e := Erasure{Digest: ref.ID, Time: created, Change: rng.Uint64(), Open: rng.IntN(2) == 0}
		e.ErasedCrops, e.ErasedEmbeddings, e.LogLines, e.JournalLines = rng.IntN(9), rng.IntN(9), rng.IntN(9), rng.IntN(9)
		if e.Open {
			e.Students, e.Crops = []string{pick(rng, trickyIDs)}, []string{pick(rng, trickyIDs)}
		} else {
			e.Finished = updated
		}
		return e
	}
	t := Token{ID: ref.ID, Role: "checkin", Name: pick(rng, []string{"", "door"}), Embeddings: rng.IntN(2) == 0, Created: created,
		Parent: pick(rng, append(trickyIDs, "")), Digest: []byte(digest)}
	for _, when := range []*time.Time{&t.Expires, &t.Revoked, &t.Used} {
		if rng.IntN(2) == 0 {
			*when = randomTime(rng)
		}
	}
	for range rng.IntN(3) {
		t.Galleries = append(t.Galleries, pick(rng, trickyIDs))
		t.Groups = append(t.Groups, pick(rng, []string{"1a", "1b"}))
	}
	return t
}

// next makes random changes that go on from m, and carries them out on it.
func (m *model) next(rng *rand.Rand) (changes []Change) {
	for range 1 + rng.IntN(4) {
		c := Change{
			Sequence: rng.Uint64(), Time: noon.Add(time.Duration(rng.Int64N(int64(300 * 24 * time.Hour)))), // not trimmed
			Cause: pick(rng, []string{"", "enrol", "é"}), By: pick(rng, []string{"", "ann", "\xff"}),
		}
		writes := map[Ref]Write{}
		for range rng.IntN(7) {
			ref := randomRef(rng)
			w := Write{Ref: ref, Before: m.records[ref]}
			if rng.IntN(3) > 0 {
				w.Put = randomRecord(rng, ref)
			}
			if ref.Kind == KindEmbedding {
				w.Before = nil
			}
			writes[ref] = w
		}
		for _, ref := range slices.SortedFunc(maps.Keys(writes), byKey) {
			c.Writes = append(c.Writes, writes[ref])
		}
		changes = append(changes, c)
		m.apply(c)
	}
	return changes
}

func (m *model) apply(c Change) {
	read := c
	read.Sequence, read.Writes = m.sequence()+1, nil
	for _, w := range c.Writes {
		delete(m.records, w.Ref)
		if w.Put != nil {
			m.records[w.Ref] = w.Put
		}
		w.Put = nil
		read.Writes = append(read.Writes, w)
	}
	m.changes = append(m.changes, read)
}

// byKey is the order that Load promises.
func byKey(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Model, b.Model))
}

// sorted returns the records as Load yields them.
func (m *model) sorted() (records []Record) {
	for _, ref := range slices.SortedFunc(maps.Keys(m.records), byKey) {
		records = append(records, m.records[ref])
	}
	return records
}

// compare fails the test unless the partition holds exactly what m does, by
// every way of reading.
func (m *model) compare(t *testing.T, p *Partition, rng *rand.Rand) {
	t.Helper()
	sequence, err := p.Sequence(t.Context())
	if err != nil || sequence != m.sequence() {
		t.Errorf("Sequence = %d, %v; want %d", sequence, err, m.sequence())
	}
	equal(t, "Load", load(t, p), m.sorted())
	after := rng.Uint64N(m.sequence() + 1)
	equal(t, "Changes", collect(t, p.Changes(t.Context(), after)), slices.Clone(m.changes[after:]))
	var refs []Ref
	var want []Record
	for range rng.IntN(20) {
		ref := randomRef(rng)
		refs = append(refs, ref)
		if r := m.records[ref]; r != nil {
			want = append(want, r)
		}
	}
	got, err := p.Fetch(t.Context(), refs...)
	if err != nil {
		t.Errorf("Fetch: %v", err)
	}
	equal(t, "Fetch", got, want)
}

// load returns what Load yields, with the vectors copied.
func load(t *testing.T, p *Partition) (records []Record) {
	t.Helper()
	for r, err := range p.Load(t.Context()) {
		if err != nil {
			t.Errorf("Load: %v", err)
			break
		}
		if e, ok := r.(Embedding); ok {
			e.Vector = slices.Clone(e.Vector)
			r = e
		}
		records = append(records, r)
	}
	return records
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g := reflect.ValueOf(got); g.Kind() == reflect.Slice && g.Len() == 0 && reflect.ValueOf(want).Len() == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

// randomCalibration returns none, or a calibration with every field set.
func randomCalibration(rng *rand.Rand, made time.Time) Calibration {
	if rng.IntN(2) == 0 {
		return Calibration{}
	}
	c := Calibration{Frozen: true, ByHand: rng.IntN(2) == 0, Students: 100, Comparisons: 9900, LeftOut: rng.IntN(3), Made: made}
	for i := range 1 + rng.IntN(8) {
		c.Points = append(c.Points, OperatingPoint{1 / float64(i+2), rng.Float32()})
	}
	return c
}
