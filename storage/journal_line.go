package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// The lines of one day are chained like those of the log (log.go). Each day begins a
// chain of its own, from the partition, the server and the date. So the head of a day,
// once it is kept elsewhere, proves this day alone, and stays good when other days are
// trimmed.

// errJournal is returned for a part of the journal that is not what was written.
var errJournal = fmt.Errorf("%w: the journal was altered or damaged; restore a backup", ErrCorrupt)

// link is where the chain stands after a line. The zero link is before all lines.
type link struct {
	day   uint32
	chain []byte
}

const secondsOfDay = 24 * 60 * 60

// dayOf returns the day of a time, in days since 1970-01-01 UTC; of an earlier time, 0.
func dayOf(t time.Time) uint32 { return uint32(max(t.Unix(), 0) / secondsOfDay) }

// dateOf returns when a day begins.
func dateOf(day uint32) time.Time { return time.Unix(int64(day)*secondsOfDay, 0).UTC() }

// dayStart is the chain before the first line of a day.
func (p *Partition) dayStart(day uint32) []byte {
	h := sha256.New()
	h.Write(p.keys)
	b := binary.BigEndian.AppendUint64(nil, p.store.server)
	h.Write(binary.BigEndian.AppendUint32(b, day))
	return h.Sum(nil)
}

// journalChain returns the chain of a line. All its parts but one have a fixed length,
// so that two different lines never give the hash the same bytes.
func journalChain(before []byte, number uint64, line *storagev1.JournalLine) []byte {
	h := sha256.New()
	h.Write(before)
	b := binary.BigEndian.AppendUint64(nil, number)
	b = binary.BigEndian.AppendUint64(b, uint64(line.GetTime().GetSeconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(line.GetTime().GetNanos()))
	h.Write(b)
	h.Write(line.GetStudent().GetDigest())
	h.Write(line.GetWho().GetDigest())
	h.Write(line.Content)
	return h.Sum(nil)
}

// encodeJournalLine returns the line that the head names, which goes on from the head's
// chain.
func encodeJournalLine(k keys, line Line, head *storagev1.Journal) (*storagev1.JournalLine, error) {
	if len(line.Student) > MaxIDBytes || len(line.Who) > MaxWhoBytes {
		return nil, fmt.Errorf("%w: a line's student or who: %d and %d bytes long; at most %d and %d",
			ErrInvalidID, len(line.Student), len(line.Who), MaxIDBytes, MaxWhoBytes)
	}
	stored := &storagev1.JournalLine{
		Time: timestamppb.New(line.Time), Day: head.Day, Content: line.Content,
		Student: digested([]byte(line.Student)), Who: digested(line.Who),
	}
	if line.Request != "" {
		hash := k.hashOf(line.Request)
		stored.Request = hash[:]
	}
	stored.Chain = journalChain(head.Chain, head.Number, stored)
	return stored, nil
}

// decodeJournalLine returns a line after verifying that it goes on from last, which it
// moves on to it; or ErrCorrupt.
func (p *Partition) decodeJournalLine(value []byte, number uint64, last *link) (Line, error) {
	var stored storagev1.JournalLine
	if proto.Unmarshal(value, &stored) != nil {
		return Line{}, errJournal
	}
	before := last.chain
	if last.chain == nil || stored.Day > last.day {
		before = p.dayStart(stored.Day)
	}
	student, blanked, known := reveal(stored.Student)
	who, _, ok := reveal(stored.Who)
	line := Line{Number: number, Content: stored.Content, Student: string(student), Who: who, Blanked: blanked}
	if !known || !ok || stored.Day < last.day || !readTime(stored.Time, &line.Time) ||
		string(journalChain(before, number, &stored)) != string(stored.Chain) {
		return Line{}, errJournal
	}
	*last = link{stored.Day, stored.Chain}
	return line, nil
}

// linkOf returns where the chain stands after a line, and does not verify it.
func linkOf(value []byte) (link, error) {
	var line storagev1.JournalLine
	if proto.Unmarshal(value, &line) != nil {
		return link{}, errJournal
	}
	return link{line.Day, line.Chain}, nil
}
