package gallery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestLookalikes compares with brute force, over pages of any length, in galleries with
// siblings, crops that were moved, and one student who looks like all.
func TestLookalikes(t *testing.T) {
	for seed := range uint64(6) {
		rng := newRand(t, seed)
		g := openGallery(t, Options{New: Settings{Model: "wide", FPIR: 0.01}, Engine: []string{"exact", "hnsw"}[seed%2]})
		o := newOracle(Settings{})
		for i := range 150 {
			who := rng.IntN(30)
			student := fmt.Sprintf("s%02d", who)
			// Students of the same number modulo 4 are one person.
			v := face(rng, who%4, wide.Dimension, 0.3+rng.Float64())
			if who == 7 {
				v = face(rng, rng.IntN(4), wide.Dimension, 0.3)
			}
			e := Enrolment{CropID: fmt.Sprintf("c%03d", i), StudentID: student, Embedding: made(wide, v), AllowDuplicate: true, AllowUnlike: true}
			if rng.IntN(10) == 0 {
				e.StudentID = ""
			}
			mustEnroll(t, g, e)
			o.enrol(e, o.expect(e, wide))
		}
		want := o.lookalikes()
		for _, limit := range []int{1, 3, 1000} {
			got := allLookalikes(t, g, limit)
			if !slices.Equal(got, want) {
				t.Fatalf("pages of %d: %d pairs\n%v\nwant %d\n%v", limit, len(got), got, len(want), want)
			}
		}
		if len(want) < 50 {
			t.Errorf("only %d pairs: this tests little", len(want))
		}
	}
}

// lookalikes returns the pairs of students that reach the threshold, sorted.
func (o *oracle) lookalikes() (pairs []string) {
	n := o.comparisons("wide", Scope{}, "")
	threshold := float64(wide.MatchThreshold(n, 0.01))
	best := map[[2]string]float64{}
	for _, a := range o.crops {
		for _, b := range o.crops {
			if a.student == "" || a.student >= b.student {
				continue
			}
			if s := similarity(a.vectors["wide"], b.vectors["wide"]); s >= threshold {
				pair := [2]string{a.student, b.student}
				best[pair] = max(best[pair], s)
			}
		}
	}
	for pair, s := range best {
		pairs = append(pairs, fmt.Sprintf("%s %s %.4f", pair[0], pair[1], s))
	}
	slices.Sort(pairs)
	return pairs
}

// allLookalikes asks for page after page, and returns the pairs sorted.
func allLookalikes(t *testing.T, g *Gallery, limit int) (pairs []string) {
	t.Helper()
	done := 0
	for from := (LookalikePage{}); ; {
		page, err := g.Lookalikes(ctx, from, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Pairs) > limit || page.Done < done || !slices.IsSortedFunc(page.Pairs, comparePairs) {
			t.Fatalf("page of %d pairs, %d after %d students: %v", len(page.Pairs), page.Done, done, page.Pairs)
		}
		done = page.Done
		for _, l := range page.Pairs {
			names := []string{l.First.StudentID, l.Second.StudentID}
			slices.Sort(names)
			pairs = append(pairs, fmt.Sprintf("%s %.4f", strings.Join(names, " "), l.Similarity))
		}
		if page.Next == nil {
			if page.Done != page.Students {
				t.Fatalf("%d of %d students compared", page.Done, page.Students)
			}
			slices.Sort(pairs)
			return pairs
		}
		from = *page.Next
	}
}

// TestAdvice: what to do follows from which crops are alike.
func TestAdvice(t *testing.T) {
	g := openGallery(t, Options{New: Settings{Model: "small", FPIR: 0.01}})
	for id, v := range map[string][]float32{
		"twice-a/1": at(small, 1), "twice-a/2": at(small, 0.99, 0.1), "twice-b/1": at(small, 0.99, 0, 0.1),
		"right/1": at(small, 0, 0, 0, 0, 1), "right/2": at(small, 0, 0, 0, 0, 0.99, 0.1), "right/3": at(small, 0, 0, 0, 0, 0.99, -0.1),
		"wrong/1": base(small, 6), "wrong/2": at(small, 0, 0, 0, 0, 0.995, 0, 0.05),
	} {
		student, _, _ := strings.Cut(id, "/")
		mustEnroll(t, g, Enrolment{CropID: id, StudentID: student, Embedding: made(small, unit(v)), AllowDuplicate: true, AllowUnlike: true})
	}
	page, err := g.Lookalikes(ctx, LookalikePage{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Advice{}
	for _, l := range page.Pairs {
		got[l.First.CropID[:5]+" "+l.Second.CropID[:5]] = l.Advice
		if l.FMR <= 0 || l.FMR > 1e-2 {
			t.Errorf("FMR %v of %v", l.FMR, l)
		}
	}
	if len(got) != 2 || got["twice twice"] != AdviceMerge || got["wrong right"] != AdviceAssign {
		t.Fatalf("%+v", page.Pairs)
	}
}

// TestAdviceOnACropUnlikeItsOwn: the crop in the wrong folder is often the opposite of its
// student's others, and is still taken for misplaced.
func TestAdviceOnACropUnlikeItsOwn(t *testing.T) {
	g := openGallery(t, Options{New: Settings{Model: "small", FPIR: 0.01}})
	for id, v := range map[string][]float32{
		"right/1": base(small, 0), "wrong/1": at(small, 0.99, 0.1), "wrong/2": at(small, -0.1, 0, 0.9),
	} {
		student, _, _ := strings.Cut(id, "/")
		mustEnroll(t, g, Enrolment{CropID: id, StudentID: student, Embedding: made(small, unit(v)), AllowDuplicate: true})
	}
	page, err := g.Lookalikes(ctx, LookalikePage{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Pairs) != 1 || page.Pairs[0].Advice != AdviceAssign || page.Pairs[0].First.CropID != "wrong/1" || page.Pairs[0].First.Own >= 0 {
		t.Errorf("%+v", page.Pairs)
	}
}

// TestFMRIsTheInverse of the threshold, over the calibration and beyond its end.
func TestFMRIsTheInverse(t *testing.T) {
	for fmr := 0.09; fmr > 1e-7; fmr /= 1.7 {
		s := small.similarityAt(fmr)
		if s == 1 {
			break
		}
		if got := small.fmrAt(s); got < fmr*0.999 || got > fmr*1.001 {
			t.Errorf("similarity %v: FMR %v, want %v", s, got, fmr)
		}
	}
	if got := small.fmrAt(-1); got != 0.1 {
		t.Errorf("below the calibration: %v", got)
	}
	if plain.fmrAt(0.9) != 0 {
		t.Error("a rate without a calibration")
	}
}

// TestChanges lists a history that is known, by pages of any length and by filters.
func TestChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	g := openGallery(t, Options{New: Settings{Model: "plain"}})
	type entry struct{ cause, student, crop string }
	history := []entry{{"make gallery", "", ""}}
	for i := range 60 {
		student, crop := fmt.Sprint("s", i%7), fmt.Sprint("c", i%5)
		if i < 5 || rng.IntN(2) == 0 {
			mustEnroll(t, g, Enrolment{CropID: crop, StudentID: student, Embedding: made(plain, base(plain, i%5)), AllowDuplicate: true, AllowUnlike: true})
			history = append(history, entry{"enrol", student, crop})
			continue
		}
		if _, err := g.AssignCrop(ctx, crop, student); err != nil {
			t.Fatal(err)
		}
		history = append(history, entry{causeAssign, student, crop})
	}
	for _, limit := range []int{1, 7, 1000} {
		for _, filter := range []ChangeFilter{{}, {CropID: "c3"}, {Undoable: true}, {StudentID: "s2", Undoable: true}} {
			var got []uint64
			for before := uint64(0); ; {
				page, next, err := g.Changes(context.Background(), before, limit, filter)
				if err != nil || len(page) > limit {
					t.Fatal(len(page), err)
				}
				for _, c := range page {
					if h := history[c.Seq-1]; c.Cause != h.cause || (filter.CropID != "" && h.crop != filter.CropID) {
						t.Fatalf("%+v, want %+v", c, h)
					}
					got = append(got, c.Seq)
				}
				if next == 0 {
					break
				}
				before = next
			}
			want := 0
			for _, h := range history {
				if (filter.CropID == "" || h.crop == filter.CropID) && (!filter.Undoable || h.cause == causeAssign) && filter.StudentID == "" {
					want++
				}
			}
			if !slices.IsSortedFunc(got, func(a, b uint64) int { return int(b) - int(a) }) || filter.StudentID == "" && len(got) != want || len(got) == 0 {
				t.Errorf("pages of %d, %+v: %v, want %d", limit, filter, got, want)
			}
		}
	}
}
