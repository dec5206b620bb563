package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"

	"rollcall/storage/powertest"
)

// journalModel is what a journal must hold: plain values.
type journalModel struct {
	lines    []Line // as they are read: the one with the number n at n-1
	days     []Day  // without heads
	trimmed  uint64
	requests map[string]uint64
	keyOf    map[uint64]string // the request of a line
}

func newJournalModel() *journalModel {
	return &journalModel{requests: map[string]uint64{}, keyOf: map[uint64]string{}}
}

// next makes random lines around a time, and appends them to m. It returns the numbers
// that they must get.
func (m *journalModel) next(rng *rand.Rand, now time.Time) (lines []Line, numbers []uint64) {
	for range 1 + rng.IntN(5) {
		l := Line{
			Number: rng.Uint64(), Time: now.Add(time.Duration(rng.Int64N(int64(30*time.Hour))) - 6*time.Hour),
			Student: pick(rng, []string{"", "ann", "bob", "\xff", "an"}), Who: []byte(pick(rng, []string{"", "the door", "ann"})),
			Content: []byte(pick(rng, []string{"a", "ann", "verdict"})), Blanked: rng.IntN(2) == 0,
		}
		if rng.IntN(3) == 0 {
			l.Request = fmt.Sprint("request ", rng.IntN(40))
		}
		lines = append(lines, l)
		numbers = append(numbers, m.append(l))
	}
	return lines, numbers
}

func (m *journalModel) append(l Line) uint64 {
	if n := m.requests[l.Request]; n > 0 {
		return n
	}
	number := uint64(len(m.lines)) + 1
	if l.Request != "" {
		m.requests[l.Request], m.keyOf[number] = number, l.Request
	}
	date := l.Time.Truncate(24 * time.Hour)
	if n := len(m.days); n > 0 && !date.After(m.days[n-1].Date) {
		m.days[n-1].Last = number
	} else {
		if n > 0 {
			m.days[n-1].Open = false
		}
		m.days = append(m.days, Day{Date: date, First: number, Last: number, Open: true})
	}
	l.Number, l.Request, l.Blanked = number, "", false
	if len(l.Who) == 0 {
		l.Who = nil
	}
	m.lines = append(m.lines, l)
	return number
}

func (m *journalModel) blank(student string) (blanked int) {
	for i := m.trimmed; i < uint64(len(m.lines)); i++ {
		if l := &m.lines[i]; l.Student == student && !l.Blanked && student != "" {
			l.Student, l.Blanked = "", true
			delete(m.requests, m.keyOf[i+1])
			blanked++
		}
	}
	return blanked
}

// trim forgets the oldest lines, up to the first that is to be kept.
func (m *journalModel) trim(keep time.Time) {
	for m.trimmed < uint64(len(m.lines)) && m.lines[m.trimmed].Time.Before(keep) {
		m.trimmed++
		delete(m.requests, m.keyOf[m.trimmed])
	}
}

// compare fails the test unless the partition's journal holds exactly what m does.
func (m *journalModel) compare(t *testing.T, p *Partition, rng *rand.Rand) {
	t.Helper()
	newest, err := p.NewestLine(t.Context())
	if err != nil || newest != uint64(len(m.lines)) {
		t.Errorf("NewestLine = %d, %v; want %d", newest, err, len(m.lines))
	}
	for _, after := range []uint64{m.trimmed, m.trimmed + rng.Uint64N(newest-m.trimmed+1), newest} {
		equal(t, fmt.Sprint("Lines after ", after), collect(t, p.Lines(t.Context(), after)), slices.Clone(m.lines[after:]))
	}
	if m.trimmed > 0 {
		var trimmed *TrimmedError
		if err := last(p.Lines(t.Context(), rng.Uint64N(m.trimmed))); !errors.As(err, &trimmed) || trimmed.After != m.trimmed {
			t.Errorf("Lines after a trimmed one: %v, want that it begins after %d", err, m.trimmed)
		}
	}
	wantError(t, "Lines after the newest", last(p.Lines(t.Context(), newest+1)), ErrTrimmed)
	got := collect(t, p.Days(t.Context()))
	for i := range got {
		if got[i].Last > m.trimmed {
			equal(t, "head", got[i].Head, headOf(t, p, got[i]))
		}
		got[i].Head = nil
	}
	equal(t, "Days", got, m.days)
}

// headOf makes the head of a day from the lines on disk, as journal_line.go says in
// words. Of a day whose first lines were trimmed it goes on from there.
func headOf(t *testing.T, p *Partition, d Day) []byte {
	t.Helper()
	sum := sha256.New()
	sum.Write(p.keys)
	_ = binary.Write(sum, binary.BigEndian, p.store.Server())
	_ = binary.Write(sum, binary.BigEndian, uint32(d.Date.Unix()/86400))
	chain := sum.Sum(nil)
	head, _, err := p.journal()
	if err != nil {
		t.Fatal(err)
	}
	first := d.First
	if head.Trimmed >= first {
		first, chain = head.Trimmed+1, head.TrimmedChain
	}
	for n := first; n <= d.Last; n++ {
		var line storagev1.JournalLine
		if err := proto.Unmarshal(value(t, p, p.keys.journalLine(n)), &line); err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		for _, part := range []any{chain, n, line.Time.Seconds, line.Time.Nanos, line.Student.Digest, line.Who.Digest, line.Content} {
			_ = binary.Write(sum, binary.BigEndian, part)
		}
		chain = sum.Sum(nil)
	}
	return chain
}

// keepDays writes the setting that says for how long lines are kept.
func keepDays(t *testing.T, p *Partition, verdicts int) {
	put(t, p, Settings{KeepVerdicts: verdicts, KeepChanges: 100})
}

// TestJournalRandom compares journals with a model of each over random lines, blanked
// students, trimming, changes of the galleries and reopenings.
func TestJournalRandom(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store, reopen func(*Store) *Store) {
				rng := rand.New(rand.NewPCG(seed, 25))
				ids := []string{"a", "a\x00", ServerPartition}
				models := map[string]*journalModel{}
				server := s.Server()
				for _, id := range ids {
					models[id] = newJournalModel()
				}
				now := noon
				for range 150 {
					id := pick(rng, ids)
					m, p := models[id], partition(t, s, id)
					switch rng.IntN(8) {
					case 0:
						student := pick(rng, []string{"", "ann", "\xff"})
						counts, err := p.Blank(t.Context(), student)
						blanked := counts[student]
						if want := m.blank(student); err != nil || blanked != want {
							t.Errorf("Blank = %d, %v; want %d", blanked, err, want)
						}
					case 1:
						verdicts := 1 + rng.IntN(12)
						keepDays(t, p, verdicts)
						if more, err := p.TrimJournal(t.Context(), now); err != nil || more {
							t.Fatal(more, err)
						}
						m.trim(now.Add(-days(verdicts)))
					case 2:
						now = now.Add(time.Duration(rng.Int64N(int64(72 * time.Hour))))
					case 3:
						put(t, p, Student{ID: "ann"})
					default:
						lines, want := m.next(rng, now)
						got, err := p.Append(t.Context(), lines)
						if err != nil {
							t.Fatal(err)
						}
						equal(t, "numbers", got, want)
					}
					if rng.IntN(15) == 0 {
						s = reopen(s)
					}
					id = pick(rng, ids)
					models[id].compare(t, partition(t, s, id), rng)
					if t.Failed() {
						t.FailNow()
					}
				}
				for id, m := range models {
					m.compare(t, partition(t, s, id), rng)
				}
				equal(t, "the server's number", s.Server(), server)
			})
		})
	}
}

// TestJournalTrimsAll trims more lines than one call does, to the last: later ones get
// later numbers, also after a restart.
func TestJournalTrimsAll(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, reopen func(*Store) *Store) {
		p, m := partition(t, s, "school"), newJournalModel()
		lines := make([]Line, rewrittenAtOnce+10)
		for i := range lines {
			lines[i] = Line{Time: noon, Student: "ann", Request: fmt.Sprint(i)}
			m.append(lines[i])
		}
		if _, err := p.Append(t.Context(), lines); err != nil {
			t.Fatal(err)
		}
		m.blank("ann")
		if n, err := p.Blank(t.Context(), "ann"); n["ann"] != len(lines) || err != nil {
			t.Fatal(n, err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		m.compare(t, p, rng)
		keepDays(t, p, 1)
		for i, want := range []bool{true, false} {
			if more, err := p.TrimJournal(t.Context(), noon.Add(25*time.Hour)); more != want || err != nil {
				t.Fatal(i, more, err)
			}
		}
		m.trim(noon.Add(time.Hour))
		p = partition(t, reopen(s), "school")
		m.compare(t, p, rng)
		again := Line{Time: noon, Request: "1"}
		if numbers, err := p.Append(t.Context(), []Line{again}); err != nil || numbers[0] != m.append(again) {
			t.Fatal(numbers, err)
		}
		m.compare(t, p, rng)
	})
}

// TestJournalRefused appends what must not be stored.
func TestJournalRefused(t *testing.T) {
	long := strings.Repeat("x", MaxIDBytes+1)
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		for what, l := range map[string]Line{
			"student": {Time: noon, Student: long}, "request": {Time: noon, Request: long},
			"who": {Time: noon, Who: bytes.Repeat([]byte("x"), MaxWhoBytes+1)},
		} {
			_, err := p.Append(t.Context(), []Line{{Time: noon}, l})
			wantError(t, what, err, ErrInvalidID)
			if err != nil && strings.Contains(err.Error(), "xxx") {
				t.Errorf("%s: the error repeats it", what)
			}
		}
		if _, err := p.Append(t.Context(), []Line{{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}); err == nil {
			t.Error("Append accepted a line of the year 10000")
		}
		if numbers, err := p.Append(t.Context(), nil); len(numbers) > 0 || err != nil {
			t.Error(numbers, err)
		}
		newJournalModel().compare(t, p, rand.New(rand.NewPCG(1, 1)))
	})
}

// TestJournalConcurrent appends by several writers, each trying again after a conflict,
// beside changes of the same partition, which never conflict with it.
func TestJournalConcurrent(t *testing.T) {
	const writers, each = 4, 25
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		var running sync.WaitGroup
		var mu sync.Mutex
		var all []uint64
		for range writers {
			running.Go(func() {
				for range each {
					for {
						numbers, err := p.Append(t.Context(), []Line{{Time: noon}, {Time: noon}})
						if errors.Is(err, ErrConflict) {
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						all = append(all, numbers...)
						mu.Unlock()
						break
					}
				}
			})
		}
		running.Go(func() {
			for range each {
				put(t, p, Student{ID: "ann"})
			}
		})
		running.Wait()
		slices.Sort(all)
		for i, n := range all {
			if n != uint64(i)+1 {
				t.Fatalf("number %d at place %d", n, i+1)
			}
		}
		equal(t, "lines", len(collect(t, p.Lines(t.Context(), 0))), 2*writers*each)
	})
}

// TestJournalIsOneView appends within a loop over the journal.
func TestJournalIsOneView(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p, n := partition(t, s, "school"), 0
		appendLines(t, p, 3)
		for _, err := range p.Lines(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			appendLines(t, p, 1)
		}
		equal(t, "lines in the view", n, 3)
	})
}

// appendLines appends lines about Ann, one an hour.
func appendLines(t *testing.T, p *Partition, n int) {
	t.Helper()
	for i := range n {
		l := Line{Time: noon.Add(time.Duration(i) * 6 * time.Hour), Content: []byte("match"), Student: "ann", Who: []byte("the door"), Request: fmt.Sprint(i)}
		if _, err := p.Append(t.Context(), []Line{l}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJournalTampering alters the journal in every way that its chain must show.
func TestJournalTampering(t *testing.T) {
	edit := func(number uint64, change func(*storagev1.JournalLine)) func(*testing.T, *Partition) {
		return func(t *testing.T, p *Partition) {
			var line storagev1.JournalLine
			if err := proto.Unmarshal(value(t, p, p.keys.journalLine(number)), &line); err != nil {
				t.Fatal(err)
			}
			change(&line)
			b, err := proto.Marshal(&line)
			if err != nil {
				t.Fatal(err)
			}
			plant(t, p, p.keys.journalLine(number), b)
		}
	}
	key := func(number uint64, from func(*Partition) []byte) func(*testing.T, *Partition) {
		return func(t *testing.T, p *Partition) { plant(t, p, p.keys.journalLine(number), from(p)) }
	}
	none := func(*Partition) []byte { return nil }
	// Lines 1 and 2 are of the first day, 3 to 6 of the second, 7 of the third.
	for what, tamper := range map[string]func(*testing.T, *Partition){
		"time":            edit(4, func(l *storagev1.JournalLine) { l.Time.Seconds++ }),
		"no time":         edit(4, func(l *storagev1.JournalLine) { l.Time = nil }),
		"day":             edit(4, func(l *storagev1.JournalLine) { l.Day++ }),
		"earlier day":     edit(4, func(l *storagev1.JournalLine) { l.Day-- }),
		"day of newest":   edit(7, func(l *storagev1.JournalLine) { l.Day-- }),
		"content":         edit(4, func(l *storagev1.JournalLine) { l.Content[0]++ }),
		"content cut":     edit(4, func(l *storagev1.JournalLine) { l.Content = l.Content[1:] }),
		"student":         edit(4, func(l *storagev1.JournalLine) { l.Student.Content = []byte("bob") }),
		"student anew":    edit(4, func(l *storagev1.JournalLine) { l.Student = digested([]byte("bob")) }),
		"no student":      edit(4, func(l *storagev1.JournalLine) { l.Student = nil }),
		"student, no who": edit(4, func(l *storagev1.JournalLine) { l.Who = nil }),
		"swapped":         edit(4, func(l *storagev1.JournalLine) { l.Who, l.Student = l.Student, l.Who }),
		"who":             edit(4, func(l *storagev1.JournalLine) { l.Who.Content = nil }),
		"salt":            edit(4, func(l *storagev1.JournalLine) { l.Who.Salt[0]++ }),
		"chain":           edit(4, func(l *storagev1.JournalLine) { l.Chain[0]++ }),
		"first of a day": edit(3, func(l *storagev1.JournalLine) { // a day that its chain does not begin with
			l.Day++
			l.Chain = journalChain(make([]byte, sha256.Size), 3, l)
		}),
		"newest anew": edit(7, func(l *storagev1.JournalLine) {
			l.Content = []byte("unknown")
			l.Chain = journalChain(make([]byte, sha256.Size), 7, l)
		}),
		"deleted":        key(4, none),
		"first deleted":  key(1, none),
		"newest deleted": key(7, none),
		"a day's last":   key(6, none),
		"no line":        key(4, func(*Partition) []byte { return []byte("\xff") }),
		"added": func(t *testing.T, p *Partition) {
			key(8, func(*Partition) []byte { return value(t, p, p.keys.journalLine(7)) })(t, p)
		},
		"replaced": func(t *testing.T, p *Partition) {
			key(4, func(*Partition) []byte { return value(t, p, p.keys.journalLine(5)) })(t, p)
		},
		"head deleted":    func(t *testing.T, p *Partition) { plant(t, p, p.keys.journalHead(), nil) },
		"head is no head": func(t *testing.T, p *Partition) { plant(t, p, p.keys.journalHead(), []byte("\xff")) },
		"of another gallery": func(t *testing.T, p *Partition) {
			other := partition(t, p.store, "b")
			appendLines(t, other, 7)
			plant(t, p, p.keys.journalLine(1), value(t, other, other.keys.journalLine(1)))
		},
		"of another server": func(_ *testing.T, p *Partition) { p.store.server++ },
	} {
		t.Run(what, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
				p := partition(t, s, "school")
				appendLines(t, p, 7)
				equal(t, "lines before", len(collect(t, p.Lines(t.Context(), 0))), 7)
				tamper(t, p)
				err := last(p.Lines(t.Context(), 0))
				wantError(t, "Lines", err, ErrCorrupt)
				if err != nil && (strings.Contains(err.Error(), "ann") || !strings.Contains(err.Error(), "restore a backup")) {
					t.Errorf("the error says %q", err)
				}
			})
		})
	}
}

// TestJournalForgets looks for what was blanked or trimmed, and for the keys of
// requests, in everything that the store holds.
func TestJournalForgets(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		for i, student := range []string{"forgotten", "other", "forgotten"} {
			l := Line{Time: noon, Student: student, Request: fmt.Sprint("key of forgotten ", i)}
			if _, err := p.Append(t.Context(), []Line{l}); err != nil {
				t.Fatal(err)
			}
		}
		holds := func(text string) (n int) {
			for pair, err := range s.backend.scan(t.Context(), span{[]byte{0}, []byte{0xff}}) {
				if err != nil {
					t.Fatal(err)
				}
				n += strings.Count(string(pair.key)+string(pair.value), text)
			}
			return n
		}
		requests := func() (n int) {
			for range s.backend.scan(t.Context(), span{p.keys.of(kindRequest), p.keys.of(kindRequest + 1)}) {
				n++
			}
			return n
		}
		equal(t, "before", [3]int{holds("forgotten"), holds("other"), requests()}, [3]int{2, 1, 3})
		if _, err := p.Blank(t.Context(), "forgotten"); err != nil {
			t.Fatal(err)
		}
		equal(t, "blanked", [3]int{holds("forgotten"), holds("other"), requests()}, [3]int{0, 1, 1})
		if _, err := p.TrimJournal(t.Context(), noon.Add(days(DefaultKeepVerdicts)+1)); err != nil {
			t.Fatal(err)
		}
		equal(t, "trimmed", [3]int{holds("forgotten"), holds("other"), requests()}, [3]int{0, 0, 0})
	})
}

// TestJournalCrash cuts the power at every step of a random history of a journal. The
// journal that opens afterwards is the one after some call, whole, and no earlier
// than the last one that had returned.
func TestJournalCrash(t *testing.T) {
	for seed := range histories() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			cuts := powertest.New(vfs.NewCrashableMem(), seed)
			history := []*journalModel{newJournalModel()} // after each call
			s := openMem(t, cuts.CutFS())
			p, own := partition(t, s, "school"), rand.New(rand.NewPCG(seed, 27))
			now := noon
			for range 25 {
				m := history[len(history)-1].clone()
				cuts.Begun.Add(1)
				var err error
				switch own.IntN(6) {
				case 0:
					m.blank("ann")
					_, err = p.Blank(t.Context(), "ann")
				case 1:
					now = now.Add(30 * 24 * time.Hour)
					m.trim(now.Add(-days(DefaultKeepVerdicts)))
					_, err = p.TrimJournal(t.Context(), now)
				default:
					var lines []Line
					lines, _ = m.next(own, now)
					_, err = p.Append(t.Context(), lines)
				}
				if err != nil {
					t.Fatal(err)
				}
				history = append(history, m)
				cuts.Acknowledged.Add(1)
			}
			cuts.Cut()
			closeNow(t, s)
			if len(cuts.Left()) < 3*3*15 {
				t.Fatalf("only %d cuts: the test does not reach the files", len(cuts.Left()))
			}
			for _, c := range cuts.Left() {
				s := openMem(t, c.FS)
				journalSurvived(t, c, partition(t, s, "school"), history)
				closeNow(t, s)
			}
		})
	}
}

// journalSurvived fails the test unless the journal is the one after a call that may be
// the last one.
func journalSurvived(t *testing.T, c powertest.Left, p *Partition, history []*journalModel) {
	t.Helper()
	head, _, err := p.journal()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range history[c.Acknowledged:min(c.Begun+1, len(history))] {
		if head.Number != uint64(len(m.lines)) || head.Trimmed != m.trimmed {
			continue
		}
		if got := collect(t, p.Lines(t.Context(), m.trimmed)); fmt.Sprint(got) == fmt.Sprint(m.lines[m.trimmed:]) {
			m.compare(t, p, rand.New(rand.NewPCG(1, 1)))
			return
		}
	}
	t.Fatalf("the crash left a journal of no call between %d and %d", c.Acknowledged, c.Begun)
}

func (m *journalModel) clone() *journalModel {
	c := &journalModel{lines: slices.Clone(m.lines), days: slices.Clone(m.days), trimmed: m.trimmed,
		requests: map[string]uint64{}, keyOf: map[uint64]string{}}
	for k, v := range m.requests {
		c.requests[k] = v
	}
	for k, v := range m.keyOf {
		c.keyOf[k] = v
	}
	return c
}
