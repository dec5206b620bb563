package storage

import (
	"bytes"
	"crypto/sha256"
)

// journalHead returns the key of the partition's [storagev1.Journal].
func (k keys) journalHead() []byte { return k.of(kindJournalHead) }

// journalLine returns the key of a line of the journal.
func (k keys) journalLine(number uint64) []byte { return k.numbered(kindJournal, number) }

// journalNumber returns the number in the key of a line of the journal.
func (k keys) journalNumber(key []byte) (uint64, bool) { return k.number(kindJournal, key) }

// day returns the key of a day that has ended.
func (k keys) day(day uint32) []byte { return k.numbered(kindDay, uint64(day)) }

// dayNumber returns the day in the key of a day that has ended.
func (k keys) dayNumber(key []byte) (uint32, bool) {
	n, ok := k.number(kindDay, key)
	return uint32(n), ok
}

// request returns the key of the number of the line that a request asked for.
func (k keys) request(request string) []byte {
	hash := k.hashOf(request)
	return k.requestHash(hash[:])
}

func (k keys) requestHash(hash []byte) []byte { return append(k.of(kindRequest), hash...) }

// hashOf stands for the key of a request: nobody knows what clients put into one.
func (k keys) hashOf(request string) [sha256.Size]byte {
	return sha256.Sum256(append(bytes.Clone(k), request...))
}

// journalHeadOnly is the span of the key of the journal's head.
func (k keys) journalHeadOnly() span { return span{k.journalHead(), k.of(kindJournalHead + 1)} }

// journalFrom is the span of the lines of the journal from the one with this number.
func (k keys) journalFrom(number uint64) span {
	return span{k.journalLine(number), k.of(kindJournal + 1)}
}

// days is the span of the days that have ended.
func (k keys) days() span { return span{k.of(kindDay), k.of(kindDay + 1)} }
