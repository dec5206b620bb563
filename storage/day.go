package storage

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// Day is one day of the journal. Its head proves all of its lines: nobody can alter,
// remove or insert one without another head. Keep it elsewhere.
type Day struct {
	Date  time.Time // when the day began, UTC
	First uint64    // the number of its first line
	Last  uint64    // the number of its last line
	Head  []byte    // SHA-256, 32 bytes: the chain of its last line
	Open  bool      // it is the newest day: lines may follow, and change the head
}

// endDay puts the head of the newest day into the batch, if there is one.
func (p *Partition) endDay(b *batch, head *storagev1.Journal) error {
	if head.Number == 0 {
		return nil
	}
	value, err := marshal(kindDay, &storagev1.Day{First: head.First, Last: head.Number, Head: head.Chain})
	if err != nil {
		return err
	}
	b.set(p.keys.day(head.Day), value)
	return nil
}

// Days yields the days of the journal that have lines, or had lines before they were
// trimmed, in order. The last one is open. The errors are ErrCorrupt, ErrClosed and
// ctx's.
//
// An error is the last step. The loop holds the store open, like that of
// [Partition.Load].
func (p *Partition) Days(ctx context.Context) iter.Seq2[Day, error] {
	return func(yield func(Day, error) bool) {
		release, err := p.store.acquire(ctx)
		if err != nil {
			yield(Day{}, err)
			return
		}
		defer release()
		if err := p.days(ctx, yield); err != nil {
			yield(Day{}, err)
		}
	}
}

func (p *Partition) days(ctx context.Context, yield func(Day, error) bool) error {
	var head *storagev1.Journal
	for pair, err := range p.store.backend.scan(ctx, p.keys.journalHeadOnly(), p.keys.days()) {
		if err != nil {
			return err
		}
		if head == nil {
			if head, err = decodeJournal(pair.value); err != nil {
				return err
			}
			continue
		}
		var d storagev1.Day
		day, ok := p.keys.dayNumber(pair.key)
		if !ok || proto.Unmarshal(pair.value, &d) != nil {
			return errJournal
		}
		if !yield(Day{Date: dateOf(day), First: d.First, Last: d.Last, Head: d.Head}, nil) {
			return nil
		}
	}
	if head != nil {
		yield(Day{Date: dateOf(head.Day), First: head.First, Last: head.Number, Head: head.Chain, Open: true}, nil)
	}
	return nil
}

// Server returns the number of the server, which the chain of every day begins with. It
// was drawn at random when the folder was made.
func (s *Store) Server() uint64 { return s.server }
