// Package storage keeps the gallery on disk: students, crops, embeddings and
// models, in one folder that one process owns.
//
// Start with [Open]. Read with the methods of [Store]; write by filling a
// [Change] and giving it to [Store.Apply], which makes it visible at once, and
// then [Commit.Wait], which returns once it is on disk:
//
//	var change storage.Change
//	change.PutStudent(student)
//	change.PutCrop(crop)
//	change.PutEmbedding(embedding)
//	commit, err := store.Apply(&change)
//	if err != nil { ... }
//	err = commit.Wait()
//
// A Change is applied whole or not at all, also across a crash. Writers that
// wait at the same time share one fsync, so release any lock of your own
// before Wait.
//
// # On disk
//
// The folder is a Pebble store. A key is a version byte, a byte for its kind,
// and one or two ids, or a number (key.go); a value is a protobuf message of
// rollcall.storage.v1 (record.go), or nothing, or one number (schema.go):
//
//	meta       name               -> schema version, last sequence number
//	student    student id         -> Student
//	crop       crop id            -> Crop
//	embedding  crop id, model     -> Embedding
//	model      model name         -> Model
//	enrolled   student id, crop id -> (empty)
//	logged     sequence number -> LoggedChange
//
// The last two kinds Apply maintains by itself. The enrolled keys answer which
// crops a student has. The logged changes say which crops each of the last
// changes touched, so that something made of the records (an index) need not be
// made again from all of them: see [Store.LoggedChanges].
//
// A sequence number is eight bytes, big-endian, so that the changes sort by it.
// Ids are ended by an escape sequence and not led by their length: a length in
// front would sort "b" before "aa", while this encoding keeps the order of the
// ids' bytes, which is the order that [Store.Students] and [Store.Crops] serve
// and that pages of a list rely on.
//
// This package checks what it needs to keep its own records apart, and no
// more: whether a crop's student exists, or a vector is of unit length, is for
// the package above to know.
package storage
