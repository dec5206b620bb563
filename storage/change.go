package storage

import "time"

// Change is what was done at once: it is stored whole or not at all, and it is
// one line of the log.
type Change struct {
	// Sequence is the change's number in its partition, from 1 without a gap.
	// [Partition.Commit] gives it and does not look at what is here.
	Sequence uint64

	Time  time.Time // when it was made; what the log is trimmed by
	Cause string    // what was done: "enrol", …; valid UTF-8; stays in the log for good
	By    string    // who did it; empty: not known, or erased from the log since

	// Writes hold each Ref once.
	Writes []Write
}

// Write is what a change did to one record.
type Write struct {
	// Ref names the record. In a change that was read from the log it is the zero
	// Ref where the content of the line was erased since.
	Ref Ref

	// Put is the record as it is from now on; nil: the record is deleted, and one
	// that is not there may be. In a change that was read from the log it is
	// always nil: [Partition.Fetch] says what is there now.
	Put Record

	// Before is what the record was before the change, for the log; nil where
	// there was none. It is never an Embedding: the log holds no vectors.
	Before Record
}
