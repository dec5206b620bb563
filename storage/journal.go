package storage

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// The journal lies beside the log, with a head of its own: who writes to one is
// never in the way of the other.

// Line is a line of the journal. How Content and Who are encoded is the business of the
// package above.
type Line struct {
	// Number is the line's number in its partition, from 1 without a gap. It is never
	// used again. [Partition.Append] sets the number itself and ignores this field.
	Number uint64

	Time    time.Time // when it was written; the journal is trimmed by it
	Content []byte    // what happened; holds nothing personal, since it is never blanked
	Student string    // whom it is about, at most MaxIDBytes bytes; empty: nobody, or blanked
	Who     []byte    // who asked, at most MaxWhoBytes bytes

	// Request is a key that the client chose, at most MaxIDBytes bytes; empty: none. If
	// the journal has a line with this key, no second one is written. It is not read back.
	Request string

	// Blanked says that the student was erased from the line. Append ignores it.
	Blanked bool
}

// MaxWhoBytes bounds [Line.Who].
const MaxWhoBytes = 1 << 10

// Append adds lines to the journal, all or none, and returns the number of each. They
// are on disk when it returns. A line whose Request the journal has already gets the
// number of that line, and nothing is written for it.
//
// Nothing is stored when it returns ErrConflict (somebody else wrote to the journal
// at the same time: try again), ErrReadOnly, ErrInvalidID or ErrClosed. After any other
// error the caller cannot know what is stored.
func (p *Partition) Append(ctx context.Context, lines []Line) (numbers []uint64, err error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	head, b, err := p.journal()
	if err != nil {
		return nil, err
	}
	requests := map[string]uint64{} // of these lines
	for _, line := range lines {
		number, err := p.requested(line.Request, requests)
		if err != nil {
			return nil, err
		}
		if number == 0 {
			if err := p.addLine(b, head, line); err != nil {
				return nil, err
			}
			number = head.Number
			if line.Request != "" {
				requests[line.Request] = number
				b.set(p.keys.request(line.Request), bigEndian(number))
			}
		}
		numbers = append(numbers, number)
	}
	if b.changes == 0 {
		return numbers, nil
	}
	return numbers, p.commitJournal(b, head)
}

// journal returns the head of the journal, and a batch that is refused if another one
// comes first.
func (p *Partition) journal() (*storagev1.Journal, *batch, error) {
	key := p.keys.journalHead()
	value, err := p.store.backend.get(key)
	if err != nil {
		return nil, nil, err
	}
	head, err := decodeJournal(value)
	return head, &batch{head: pair{key, value}}, err
}

func decodeJournal(value []byte) (*storagev1.Journal, error) {
	head := new(storagev1.Journal)
	if proto.Unmarshal(value, head) != nil || value != nil && head.Number == 0 || head.Trimmed > head.Number {
		return nil, errJournal
	}
	return head, nil
}

// commitJournal stores the batch with the head.
func (p *Partition) commitJournal(b *batch, head *storagev1.Journal) error {
	value, err := marshal(kindJournalHead, head)
	if err != nil {
		return err
	}
	b.set(b.head.key, value)
	return p.store.backend.commit(b)
}

// requested returns the number of the line with this key; 0: there is none.
func (p *Partition) requested(request string, fresh map[string]uint64) (uint64, error) {
	if request == "" || fresh[request] != 0 {
		return fresh[request], nil
	}
	if len(request) > MaxIDBytes {
		return 0, fmt.Errorf("%w: the key of a request: %d bytes long; at most %d", ErrInvalidID, len(request), MaxIDBytes)
	}
	value, err := p.store.backend.get(p.keys.request(request))
	if err != nil || value == nil {
		return 0, err
	}
	number, ok := readBigEndian(value)
	if !ok {
		return 0, errJournal
	}
	return number, nil
}

// addLine puts a line into the batch, and moves the head on to it.
func (p *Partition) addLine(b *batch, head *storagev1.Journal, line Line) error {
	if day := dayOf(line.Time); head.Number == 0 || day > head.Day {
		if err := p.endDay(b, head); err != nil {
			return err
		}
		head.Day, head.First, head.Chain = day, head.Number+1, p.dayStart(day)
	}
	head.Number++
	stored, err := encodeJournalLine(p.keys, line, head)
	if err != nil {
		return err
	}
	value, err := marshal(kindJournal, stored, line.Time)
	if err != nil {
		return err
	}
	head.Chain = stored.Chain
	if head.Oldest == nil {
		head.Oldest = stored.Time
	}
	b.changes++
	b.set(p.keys.journalLine(head.Number), value)
	return nil
}

// Lines yields the lines of the journal after the one with this number, in order and
// without a gap, as they are when the loop begins. All of them are on disk. There are
// none after the newest line. The errors are those of [Partition.Changes]; each line
// is verified against its day's chain of hashes when it is read.
//
// An error is the last step. The loop holds the store open, like that of
// [Partition.Load].
func (p *Partition) Lines(ctx context.Context, after uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		release, err := p.store.acquire(ctx)
		if err != nil {
			yield(Line{}, err)
			return
		}
		defer release()
		err = p.lines(ctx, after, func(line Line, _ link) bool { return yield(line, nil) })
		if err != nil {
			yield(Line{}, err)
		}
	}
}

// lines yields the lines of the journal, each with where the chain stands after it. Head
// and lines are read in one view, which begins with the line that has the number after:
// the chain goes on from there.
func (p *Partition) lines(ctx context.Context, after uint64, yield func(Line, link) bool) error {
	var head *storagev1.Journal
	var last link
	next := after + 1
	for pair, err := range p.store.backend.scan(ctx, p.keys.journalHeadOnly(), p.keys.journalFrom(max(after, 1))) {
		if err != nil {
			return err
		}
		if head == nil {
			if head, err = decodeJournal(pair.value); err != nil {
				return err
			}
			if err := within(after, head); err != nil {
				return err
			}
			if after == head.Trimmed {
				last = link{head.TrimmedDay, head.TrimmedChain}
			}
			continue
		}
		number, ok := p.keys.journalNumber(pair.key)
		if ok && number == after {
			if last, err = linkOf(pair.value); err != nil {
				return err
			}
			continue
		}
		if !ok || number != next {
			return errJournal
		}
		line, err := p.decodeJournalLine(pair.value, number, &last)
		if err != nil {
			return err
		}
		next++
		if !yield(line, last) {
			return nil
		}
	}
	if head == nil {
		return within(after, new(storagev1.Journal))
	}
	if next != head.Number+1 || !bytes.Equal(last.chain, head.Chain) {
		return errJournal
	}
	return nil
}

// within returns an ErrTrimmed if the journal cannot be read after this number.
func within(after uint64, head *storagev1.Journal) error {
	switch {
	case after < head.Trimmed:
		return &TrimmedError{head.Trimmed}
	case after > head.Number:
		return ErrTrimmed
	}
	return nil
}

// NewestLine returns the number of the newest line of the journal; 0: there never was
// one.
func (p *Partition) NewestLine(ctx context.Context) (uint64, error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	head, _, err := p.journal()
	return head.GetNumber(), err
}

// rewrittenAtOnce is how many lines of the journal one commit blanks or trims: about
// 1 MiB.
const rewrittenAtOnce = 4096

// Blank erases students from all lines of the journal, and the keys of their requests.
// The chain still verifies. It returns how many lines it blanked for each of them. The
// errors are those of [Partition.Append]; some of the lines may be blanked then: call it
// again.
func (p *Partition) Blank(ctx context.Context, students ...string) (blanked map[string]int, err error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	blanked = make(map[string]int)
	for _, student := range students {
		if student != "" { // lines about nobody
			blanked[student] = 0
		}
	}
	if len(blanked) == 0 {
		return blanked, nil
	}
	head, b, err := p.journal()
	if err != nil {
		return nil, err
	}
	b.deletes = true
	for pair, err := range p.store.backend.scan(ctx, p.keys.journalFrom(head.Trimmed+1)) {
		if err != nil {
			return blanked, err
		}
		var line storagev1.JournalLine
		if proto.Unmarshal(pair.value, &line) != nil {
			return blanked, errJournal
		}
		student := string(line.GetStudent().GetContent())
		if _, erased := blanked[student]; !erased {
			continue
		}
		blanked[student]++
		if len(line.Request) > 0 {
			b.delete(p.keys.requestHash(line.Request))
		}
		line.Student.Salt, line.Student.Content, line.Request = nil, nil, nil
		value, err := marshal(kindJournal, &line)
		if err != nil {
			return blanked, err
		}
		b.set(bytes.Clone(pair.key), value)
		if b.changes++; b.changes == rewrittenAtOnce {
			if err := p.store.backend.commit(b); err != nil {
				return blanked, err
			}
			b = &batch{head: b.head, deletes: true}
		}
	}
	if b.changes == 0 {
		return blanked, nil
	}
	return blanked, p.store.backend.commit(b)
}

// TrimJournal deletes lines that are older at the time now than the settings of the
// gallery say. The chain of the others still verifies, and the heads of the days
// stay. More says that it has to be called again, because it deletes only some lines at
// once. The errors are those of [Partition.Append].
func (p *Partition) TrimJournal(ctx context.Context, now time.Time) (more bool, err error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	head, b, err := p.journal()
	if err != nil {
		return false, err
	}
	kept, err := p.kept()
	if err != nil {
		return false, err
	}
	keep := now.Add(-days(kept.KeepVerdicts))
	if head.Oldest == nil || !head.Oldest.AsTime().Before(keep) {
		return false, nil
	}
	b.deletes = true
	head.Oldest = nil // set again if a line stays
	for pair, err := range p.store.backend.scan(ctx, p.keys.journalFrom(head.Trimmed+1)) {
		if err != nil {
			return false, err
		}
		var line storagev1.JournalLine
		if proto.Unmarshal(pair.value, &line) != nil || !line.Time.IsValid() {
			return false, errJournal
		}
		if more = b.changes == rewrittenAtOnce; more || !line.Time.AsTime().Before(keep) {
			head.Oldest = line.Time
			break
		}
		head.Trimmed, head.TrimmedDay, head.TrimmedChain = head.Trimmed+1, line.Day, line.Chain
		b.changes++
		b.delete(p.keys.journalLine(head.Trimmed))
		if len(line.Request) > 0 {
			b.delete(p.keys.requestHash(line.Request))
		}
	}
	return more, p.commitJournal(b, head)
}

// kept returns the settings of the partition, for how long lines are kept.
func (p *Partition) kept() (Settings, error) {
	key, err := p.keys.record(Settings{}.Ref())
	if err != nil {
		return Settings{}, err
	}
	value, err := p.store.backend.get(key)
	if err != nil {
		return Settings{}, err
	}
	if value == nil {
		return Settings{KeepVerdicts: DefaultKeepVerdicts, KeepChanges: DefaultKeepChanges}, nil
	}
	s, ok := decodeSettings(value)
	if !ok {
		return Settings{}, corrupt(KindSettings)
	}
	return s, nil
}
