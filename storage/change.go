package storage

import "time"

// Change is what was done at once: it is stored whole or not at all, and it is
// one line of the log.
type Change struct {
	// Sequence is the change's number in its partition, from 1 without a gap.
	// [Partition.Commit] sets the number itself and ignores this field.
	Sequence uint64

	Time  time.Time // when it was made; the log is trimmed by it
	Cause string    // what was done: "enrol", …; valid UTF-8; stays in the log for good
	By    string    // who did it; empty: not known, or erased from the log since

	// Writes hold each Ref once.
	Writes []Write

	// Drop, if any, is the id of another partition, of which everything is deleted in
	// the same step: its records, its log and its number. It is then as if nothing was
	// ever committed to it. In a change from the log it is empty.
	Drop string
}

// Write is what a change did to one record.
type Write struct {
	// Ref names the record. In a change from the log it is the zero Ref if the
	// content of the line was erased since.
	Ref Ref

	// Put is the record as it is from now on. nil deletes the record, which
	// need not exist. In a change from the log Put is always nil:
	// [Partition.Fetch] returns the present record.
	Put Record

	// Before is the record as it was before the change, for the log; nil if
	// there was none. It is never an Embedding: the log holds no vectors.
	Before Record
}
