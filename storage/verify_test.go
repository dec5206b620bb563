package storage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// TestVerify keeps the heads of a random journal at random times: all of them verify
// later, also after blanking and trimming, and none of them once it says something else.
func TestVerify(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
				rng := rand.New(rand.NewPCG(seed, 28))
				p, m, now := partition(t, s, "school"), newJournalModel(), noon
				var kept []Day
				for i := range 60 {
					lines, _ := m.next(rng, now)
					if _, err := p.Append(t.Context(), lines); err != nil {
						t.Fatal(err)
					}
					switch rng.IntN(6) {
					case 0:
						kept = append(kept, collect(t, p.Days(t.Context()))...)
					case 1:
						m.blank("ann")
						if _, err := p.Blank(t.Context(), "ann"); err != nil {
							t.Fatal(err)
						}
					case 2:
						verdicts := 1 + rng.IntN(20)
						keepDays(t, p, verdicts)
						m.trim(now.Add(-days(verdicts)))
						if _, err := p.TrimJournal(t.Context(), now); err != nil {
							t.Fatal(err)
						}
					}
					now = now.Add(time.Duration(rng.IntN(30)) * time.Hour)
					v, err := p.Verify(t.Context(), kept...)
					newest, _ := p.NewestLine(t.Context())
					if err != nil || v.LastLine != newest || v.LastLine != uint64(len(m.lines)) || len(v.Days) != len(m.days) {
						t.Fatalf("step %d: lines to %d of %d, %d days of %d, %v", i, v.LastLine, len(m.lines), len(v.Days), len(m.days), err)
					}
				}
				if len(kept) < 10 {
					t.Fatalf("only %d heads were kept", len(kept))
				}
				head, _, err := p.journal()
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range kept {
					if d.Open && d.Last <= head.Trimmed {
						continue // nothing is left to compare it with
					}
					d.Head = bytes.Clone(d.Head)
					d.Head[rng.IntN(len(d.Head))]++
					_, err := p.Verify(t.Context(), d)
					wantError(t, "another head", err, ErrCorrupt)
				}
			})
		})
	}
}

// TestVerifyFindsJournalsWrittenAnew replaces a journal by one that is whole in itself: only
// a head that was kept tells.
func TestVerifyFindsJournalsWrittenAnew(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		put(t, p, Student{ID: "ann"})
		appendLines(t, p, 7)
		days := collect(t, p.Days(t.Context()))
		for n := range uint64(7) {
			plant(t, p, p.keys.journalLine(n+1), nil)
		}
		plant(t, p, p.keys.journalHead(), nil)
		for _, d := range days[:2] {
			plant(t, p, p.keys.day(uint32(d.Date.Unix()/86400)), nil)
		}
		for span := range s.backend.scan(t.Context(), span{p.keys.of(kindRequest), p.keys.of(kindRequest + 1)}) {
			plant(t, p, bytes.Clone(span.key), nil)
		}
		appendLines(t, p, 7)
		if v, err := p.Verify(t.Context()); err != nil || v.LastLine != 7 || v.LastChange != 1 || v.FirstChange != 1 {
			t.Fatal(v, err)
		}
		for _, d := range days {
			_, err := p.Verify(t.Context(), d)
			wantError(t, "the head from before", err, ErrCorrupt)
		}
	})
}

// TestVerifyComparesDays alters the stored head of a day, and a line of the log.
func TestVerifyComparesDays(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p, _ := logged(t, s, "school")
		appendLines(t, p, 7)
		if v, err := p.Verify(t.Context()); err != nil || v.LastChange != 5 || len(v.Days) != 3 {
			t.Fatal(v, err)
		}
		day := p.keys.day(uint32(noon.Unix() / 86400))
		var d storagev1.Day
		if err := proto.Unmarshal(value(t, p, day), &d); err != nil {
			t.Fatal(err)
		}
		before := value(t, p, day)
		d.Head[3]++
		b, err := proto.Marshal(&d)
		if err != nil {
			t.Fatal(err)
		}
		plant(t, p, day, b)
		_, err = p.Verify(t.Context())
		wantError(t, "another head of a day", err, ErrCorrupt)
		plant(t, p, day, before)
		editLine(t, p, 3, func(l *storagev1.Line) { l.Cause = "merge" })
		_, err = p.Verify(t.Context())
		wantError(t, "another change", err, ErrCorrupt)
	})
}
