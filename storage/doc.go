// Package storage keeps galleries: their settings, models, students, crops and
// embeddings. Each gallery lies in its own partition, with a log of what was
// done to it.
//
// Start with [Open], for a folder that one process owns, or with [OpenMemory],
// for tests, and take a [Partition] by its id. At the start, [Partition.Load]
// everything. From then on, decide on what you hold in memory,
// [Partition.Commit] what changes, and only then acknowledge it:
//
//	school, err := store.Partition("elm-street")
//	...
//	err = school.Commit(ctx, newest, []storage.Change{{
//		Time: time.Now(), Cause: "enrol", By: caller,
//		Writes: []storage.Write{{Ref: crop.Ref(), Put: crop}, {Ref: embedding.Ref(), Put: embedding}},
//	}})
//
// A commit is stored whole or not at all, also across a crash, and is on disk
// when Commit returns. The caller names the newest change that it knows. If
// another commit came first, Commit returns ErrConflict and nothing is stored.
// Partitions that commit at the same time share one fsync. Changes of one
// partition that come together should go into one Commit.
//
// A change of one partition may drop another one ([Change.Drop]): so a gallery leaves
// the server's list and the disk in one step, of which a crash leaves no half.
//
// [Copy] copies all partitions of one store into another.
//
// A caller that knows the changes up to some number reads the later ones with
// [Partition.Changes], and then the records that they wrote with
// [Partition.Fetch].
//
// This package checks only what it needs to keep its records apart. Whether a
// crop's student exists, or a vector has unit length, is the business of the
// package above.
//
// # On disk
//
// The folder is a Pebble store, with a file beside it that counts what was
// acknowledged (acknowledged.go). A key is a version byte, the partition's id, a
// byte for the kind, and the ids, or a number (key.go); a value is a protobuf
// message of rollcall.storage.v1 (codec.go):
//
//	partition, data key                   -> the key that seals the others, wrapped; absent: not sealed
//	partition, settings                   -> Settings
//	partition, model, name                -> Model
//	partition, student, id                -> Student
//	partition, crop, id                   -> Crop
//	partition, embedding, crop id, model  -> Embedding
//	partition, gallery, id                -> Gallery, in the server's partition
//	partition, token, id                  -> Token, in the server's partition
//	partition, erasure, digest            -> Erasure
//	partition, head                       -> Head: the ends of the log
//	partition, line, sequence number      -> Line of the log
//	partition, journal head               -> Journal: the ends of the journal
//	partition, journal, number            -> JournalLine
//	partition, day, number of the day     -> Day: the head of a day of the journal
//	partition, request, hash of its key   -> the number of the line that it asked for
//
// An id ends with an escape sequence. Its length does not stand in front: that
// would sort "b" before "aa". This encoding keeps the order of the ids' bytes,
// which is the order of Load. A sequence number is eight bytes, big-endian.
//
// # Sealed
//
// With [Options.SealKey] every value is sealed on its way to the disk, and opened on its way
// back (sealed.go, xaes.go): records, log, journal and heads. Each partition has a data key of
// its own, which the operator's key wraps. Keys are not sealed: ids can be read. Pebble's
// checkpoints are as sealed as the folder.
//
// # The log
//
// A line says what a change did, when, who did it, and what each small record
// was before. It never holds a vector. The lines of a partition are chained by
// hashes, and reading verifies the chain. So nobody can alter, remove or
// insert a line unnoticed without writing everything after it again. Who made
// a change, which record it changed, and what the record was before are
// chained by salted digests. [Partition.BlankChanges] blanks them when somebody has
// to be erased, and the chain still verifies. Lines leave the log only by age, which
// the settings of the gallery say.
//
// # The journal
//
// Beside the log lies the journal: what was asked and answered. [Partition.Append]
// adds lines, [Partition.Lines] reads and verifies them, [Partition.Blank] erases a
// student from them and [Partition.TrimJournal] deletes old ones. Each day has a
// chain of its own, whose head [Partition.Days] returns (journal_line.go). The
// journal has its own head, so that verdicts and changes never wait for each other.
//
// # Erasing
//
// A deletion is in no answer from its commit on, but its bytes stay in the files. So who
// deletes for good puts an open [Erasure] into the same commit, blanks the log and the
// journal, calls [Partition.Rewrite], and then closes the Erasure. The erasures of all
// partitions are the list ([Store.Erasures]) that cleans older copies of the store:
// [Store.Apply].
package storage
