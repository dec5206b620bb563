package gallery

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"rollcall/index"
)

// A Lookalike is a pair of students of whom one could be taken for the other: their nearest
// crops reach the threshold of a match.
type Lookalike struct {
	// First has the crop that Advice is about, if it is about one; else it is the student
	// with the lower id.
	First, Second LookalikeSide
	Similarity    float32 // of the two crops, [-1, 1]
	FMR           float64 // share of the comparisons of two different people that reach it; 0: the model has no calibration
	Advice        Advice
}

// A LookalikeSide is one student of a pair.
type LookalikeSide struct {
	StudentID string
	CropID    string  // the one that is nearest to the other student
	Own       float32 // similarity of the crop to the nearest other one of its student, [-1, 1]; 0: there is none

	only bool // there is none
}

// Advice says what to do about two students who look alike. A person decides, who has
// looked at both.
type Advice int

const (
	// AdviceMerge: the crops are as alike as those of one person. If it is one person,
	// [Gallery.MergeStudents].
	AdviceMerge Advice = iota + 1
	// AdviceAssign: the first crop matches the other student, and not its own. If it
	// shows the other student, [Gallery.AssignCrop].
	AdviceAssign
	// AdviceEnrolMore: they may be siblings, or alike by chance. Leave both, and enrol more
	// crops of both, which keeps them apart.
	AdviceEnrolMore
)

// LookalikePage says where a page of pairs begins: after which student, and after how many
// pairs of the next one. The zero value is the first page.
type LookalikePage struct {
	After string
	Skip  int
}

// Lookalikes are a page of pairs.
type Lookalikes struct {
	Pairs     []Lookalike // nearest first
	Next      *LookalikePage
	Done      int     // students that were compared, on this page and those before it
	Students  int     // in all
	Threshold float32 // of a match among all crops: from it on pairs are listed
}

const (
	// lookalikeWork bounds what a page compares, in elements of vectors: some seconds of
	// one core. A gallery of 20,000 crops of 128 elements is one page.
	lookalikeWork = 1 << 36

	// cropsTogether is how many crops are searched for under one hold of the lock: see
	// seatsTogether.
	cropsTogether = 32
)

// Lookalikes returns a page of the pairs of students who look alike, under the gallery's
// model. Each student's crops are compared with all crops, exactly, whatever the engine. A
// pair is found with the student of the lower id, so it is on one page alone. A page ends
// at limit pairs (0: [DefaultPage]; never more than [MaxPage]), or earlier if there is much
// to compare. So it needs memory for one page, and for the pairs of one student. Changes
// made between pages may or may not be seen.
//
// The errors are ErrInvalidID, those of [Options.Models], a *DigestError, ErrUnavailable,
// ErrClosed and ctx's.
func (g *Gallery) Lookalikes(ctx context.Context, from LookalikePage, limit int) (Lookalikes, error) {
	after, err := parseIfAny("student", from.After)
	if err != nil {
		return Lookalikes{}, err
	}
	if limit <= 0 {
		limit = DefaultPage
	}
	s := lookalikeSearch{g: g, ctx: ctx, after: after, skip: max(from.Skip, 0), limit: min(limit, MaxPage)}
	if err := s.run(); err != nil {
		return Lookalikes{}, fmt.Errorf("look for look-alikes: %w", err)
	}
	slices.SortFunc(s.page.Pairs, comparePairs)
	return s.page, nil
}

// lookalikeSearch is a page being made.
type lookalikeSearch struct {
	g     *Gallery
	ctx   context.Context
	after string // the student compared last
	skip  int    // pairs of the next student that earlier pages have
	limit int
	work  int // elements compared
	page  Lookalikes
}

func (s *lookalikeSearch) run() error {
	for s.work < lookalikeWork {
		more, err := s.portion()
		if err != nil || !more {
			return err
		}
	}
	s.page.Next = &LookalikePage{After: s.after}
	return nil
}

// portion compares the next few students with all others, under one hold of the lock. It
// reports false when the page is done.
func (s *lookalikeSearch) portion() (more bool, err error) {
	m, release, err := s.g.read(s.ctx)
	if err != nil {
		return false, err
	}
	defer release()
	s.page.Students = len(m.byID)
	name := m.settings.Model
	sp := m.spaces[name]
	if sp == nil {
		s.page.Done = len(m.byID)
		return false, nil
	}
	model, err := s.g.model(name)
	if err != nil {
		return false, err
	}
	if err := model.agrees(sp.Model); err != nil {
		return false, err
	}
	model = m.calibrated(model)
	s.page.Threshold = model.MatchThreshold(sp.owned, m.settings.FPIR)
	from, found := searchStudent(m.byID, s.after)
	if found {
		from++
	}
	crops, to := sp.cropsFrom(m.byID, from)
	pairs, err := sp.lookalikesOf(crops, s.page.Threshold)
	if err != nil {
		return false, err
	}
	s.work += len(crops) * sp.owned * sp.Dimension
	for _, st := range m.byID[from:to] {
		full := s.take(m, model, sp, st, pairs[st])
		s.page.Done, _ = searchStudent(m.byID, st.ID)
		if full {
			return false, nil
		}
		s.page.Done++
	}
	return to < len(m.byID), nil
}

// take adds the pairs of a student to the page, and reports whether the page is full before
// they all are on it.
func (s *lookalikeSearch) take(m *memory, model Model, sp *space, st *student, pairs map[*student]cropPair) (full bool) {
	var list []Lookalike
	duplicate := model.duplicateThreshold(sp.owned)
	for _, p := range pairs {
		list = append(list, sp.lookalike(model, p, s.page.Threshold, duplicate))
	}
	slices.SortFunc(list, comparePairs)
	skipped := min(s.skip, len(list))
	list = list[skipped:]
	if room := s.limit - len(s.page.Pairs); len(list) > room {
		s.page.Pairs = append(s.page.Pairs, list[:room]...)
		s.page.Next = &LookalikePage{After: s.after, Skip: skipped + room}
		return true
	}
	s.page.Pairs = append(s.page.Pairs, list...)
	s.after, s.skip = st.ID, 0
	return false
}

// comparePairs orders pairs, nearest first.
func comparePairs(a, b Lookalike) int {
	return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.First.StudentID, b.First.StudentID),
		cmp.Compare(a.Second.StudentID, b.Second.StudentID))
}

// cropPair is the two nearest crops of two students.
type cropPair struct {
	own, other *crop
	similarity float32
}

// cropsFrom returns the crops in the space of some students of the list, from the given
// place to the place to: so many students as have cropsTogether crops.
func (s *space) cropsFrom(list []*student, from int) (crops []*crop, to int) {
	for to = from; to < len(list) && len(crops) < cropsTogether; to++ {
		for _, c := range list[to].crops {
			if p := c.place(s); p != nil && p.indexed {
				crops = append(crops, c)
			}
		}
	}
	return crops, to
}

// lookalikesOf returns, for the students of some crops, the students of higher ids whose
// crops reach the floor with one of these, with the nearest two crops of each pair.
// REQUIRES: the memory's lock is held.
func (s *space) lookalikesOf(crops []*crop, floor float32) (map[*student]map[*student]cropPair, error) {
	found := make(map[*student]map[*student]cropPair)
	vectors := make([][]float32, len(crops))
	for i, c := range crops {
		vectors[i] = s.vector(c)
	}
	for k := firstHits; len(vectors) > 0; k *= moreHits {
		results, err := s.engine.SearchMany(vectors, index.Query{K: k, Exact: true})
		if err != nil {
			return nil, err
		}
		var again []*crop
		var stillOpen [][]float32
		for i, res := range results {
			if n := len(res.Hits); n == k && res.Hits[n-1].Similarity >= floor {
				again, stillOpen = append(again, crops[i]), append(stillOpen, vectors[i])
				continue
			}
			for _, h := range res.Hits {
				if h.Similarity < floor {
					break
				}
				s.pair(found, crops[i], s.owner(h.ID), h.Similarity)
			}
		}
		crops, vectors = again, stillOpen
	}
	return found, nil
}

// pair takes notice of two crops that look alike; of equally near ones those of the lower
// ids count.
func (s *space) pair(found map[*student]map[*student]cropPair, own, other *crop, similarity float32) {
	if other == nil || other.student.ID <= own.student.ID {
		return
	}
	pairs := found[own.student]
	if pairs == nil {
		pairs = make(map[*student]cropPair)
		found[own.student] = pairs
	}
	p := cropPair{own, other, similarity}
	if best, ok := pairs[other.student]; !ok || p.compare(best) < 0 {
		pairs[other.student] = p
	}
}

func (p cropPair) compare(q cropPair) int {
	return cmp.Or(cmp.Compare(q.similarity, p.similarity), cmp.Compare(p.own.ID, q.own.ID), cmp.Compare(p.other.ID, q.other.ID))
}

// vector returns a copy of the crop's vector, [Dimension]float32.
// REQUIRES: it is in the index.
func (s *space) vector(c *crop) []float32 {
	v := make([]float32, s.Dimension)
	s.engine.Vector(c.place(s).id, v)
	return v
}

// lookalike says what a pair comes to.
func (s *space) lookalike(model Model, p cropPair, threshold, duplicate float32) Lookalike {
	l := Lookalike{
		First:      s.side(p.own),
		Second:     s.side(p.other),
		Similarity: p.similarity,
		FMR:        model.fmrAt(p.similarity),
		Advice:     AdviceEnrolMore,
	}
	first, second := l.First.misplaced(threshold), l.Second.misplaced(threshold)
	switch {
	case first != second:
		l.Advice = AdviceAssign
		if second {
			l.First, l.Second = l.Second, l.First
		}
	case p.similarity >= duplicate:
		l.Advice = AdviceMerge
	}
	return l
}

// misplaced reports whether the crop does not match its own student, whose other crops it is
// compared with. It matches the other student, so it may be that one's.
func (s LookalikeSide) misplaced(threshold float32) bool { return !s.only && s.Own < threshold }

// side returns what a pair says of the student of a crop.
func (s *space) side(c *crop) LookalikeSide {
	side := LookalikeSide{StudentID: c.student.ID, CropID: c.ID, Own: -1, only: true}
	v := s.vector(c)
	for _, other := range c.student.crops {
		if p := other.place(s); other != c && p != nil && p.indexed {
			side.Own, side.only = max(side.Own, dot(v, s.vector(other))), false
		}
	}
	if side.only {
		side.Own = 0
	}
	return side
}
