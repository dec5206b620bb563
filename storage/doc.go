// Package storage keeps galleries: their settings, models, students, crops and
// embeddings, each gallery in a partition of its own, with a log of what was
// done to it.
//
// Start with [Open], for a folder that one process owns, or with [OpenMemory],
// for tests, and take a [Partition] by its id. At the start, [Partition.Load]
// everything; from then on decide on what you hold in memory, [Partition.Commit]
// what changes, and only then acknowledge it:
//
//	school, err := store.Partition("elm-street")
//	...
//	err = school.Commit(ctx, newest, []storage.Change{{
//		Time: time.Now(), Cause: "enrol", By: caller,
//		Writes: []storage.Write{{Ref: crop.Ref(), Put: crop}, {Ref: embedding.Ref(), Put: embedding}},
//	}})
//
// A commit is stored whole or not at all, also across a crash, and is on disk
// when Commit returns. It names the change that it goes on from: when another
// commit was first, it is ErrConflict and nothing is stored. Partitions that
// commit at the same time share one fsync; give the changes of one partition
// that come together to one Commit.
//
// Whoever has seen the changes up to some number, and not those since, reads
// [Partition.Changes] after it, and then [Partition.Fetch] of what they wrote.
//
// This package checks what it needs to keep its own records apart, and no
// more: whether a crop's student exists, or a vector is of unit length, is for
// the package above to know.
//
// # On disk
//
// The folder is a Pebble store, with a file beside it that counts what was
// acknowledged (acknowledged.go). A key is a version byte, the partition's id, a
// byte for the kind, and the ids, or a number (key.go); a value is a protobuf
// message of rollcall.storage.v1 (codec.go):
//
//	partition, head                       -> Head: the ends of the log
//	partition, settings                   -> Settings
//	partition, model, name                -> Model
//	partition, student, id                -> Student
//	partition, crop, id                   -> Crop
//	partition, embedding, crop id, model  -> Embedding
//	partition, gallery, id                -> Gallery, in the server's partition
//	partition, line, sequence number      -> Line of the log
//
// Ids are ended by an escape sequence and not led by their length: a length in
// front would sort "b" before "aa", while this encoding keeps the order of the
// ids' bytes, which is the order of Load. A sequence number is eight bytes,
// big-endian.
//
// # The log
//
// A line says what a change did, when, who did it, and what each small record
// was before. It never holds a vector. The lines of a partition are
// chained by hashes, and reading verifies the chain, so that a line cannot be
// altered, left out or put in unnoticed, unless everything after it is written
// anew. Who, which record and what it was are chained by salted digests: they can
// be blanked when somebody has to be erased, and the chain still verifies. Lines
// leave the log by their age alone, after 400 days.
package storage
