package gallery

import (
	"errors"
	"fmt"

	"rollcall/storage"
)

// What a caller may have to decide on. Ids appear in messages, since the caller
// gave them; elements of a vector never do.
var (
	// ErrStudentNotFound says that the gallery has no student of this id: tell
	// the caller, retrying does not help.
	ErrStudentNotFound = errors.New("student not found")

	// ErrCropNotFound says that the gallery has no crop of this id: tell the
	// caller, retrying does not help.
	ErrCropNotFound = errors.New("crop not found")

	// ErrSameStudent says that a student is to be merged into itself: the request is at
	// fault.
	ErrSameStudent = errors.New("a student cannot be merged into itself")

	// ErrChangeNotFound says that the log has no change of this number, or not any more:
	// tell the caller, retrying does not help.
	ErrChangeNotFound = errors.New("change not found")

	// ErrNotUndoable says that a change cannot be undone, whatever came after it: it is
	// no assignment, merge, change of groups or undo, or it was erased from the log.
	ErrNotUndoable = errors.New("change cannot be undone")

	// ErrNoEmbedding says that the crop is stored, but not under this model:
	// embed it again with the model, or ask with the image.
	ErrNoEmbedding = errors.New("crop has no embedding under this model")

	// ErrInvalidID says that an id (of a crop, student or group) is not 1 to 128
	// bytes of UTF-8 without control characters, or that a student would be in
	// more than [MaxGroups] groups: the request is at fault.
	ErrInvalidID = errors.New("invalid id")

	// ErrInvalidVector says that a vector is not of the model's dimension, not
	// finite or not of unit length: whoever made it is at fault.
	ErrInvalidVector = errors.New("invalid vector")

	// ErrInvalidModel says that the facts about a model are incomplete or wrong:
	// there is no name, digest or dimension, or the points of the calibration are
	// out of range or order. The catalogue is at fault.
	ErrInvalidModel = errors.New("invalid model")

	// ErrInvalidFPIR says that the wanted false positive identification rate is
	// not between [MinFPIR] and [MaxFPIR]: the request is at fault.
	ErrInvalidFPIR = errors.New("invalid false positive identification rate")

	// ErrInvalidSettings says that settings contradict themselves, such as a negative
	// margin: the request is at fault.
	ErrInvalidSettings = errors.New("invalid settings")

	// ErrEmptyScope says that the scope names groups or students, and none of them
	// has an embedding under the model: enrol them, or correct the scope. It is an
	// error and no verdict, because a misspelt group must not look like a stranger.
	ErrEmptyScope = errors.New("nobody in scope is enrolled")

	// ErrReadOnly is [storage.ErrReadOnly]: the gallery answers, but takes no
	// change, because the disk is nearly full or has failed. Retry later.
	ErrReadOnly = storage.ErrReadOnly

	// ErrBackupRunning is [storage.ErrCheckpoint]: another backup is being made. Retry
	// later.
	ErrBackupRunning = storage.ErrCheckpoint

	// ErrUnavailable says that the gallery cannot answer for the moment; retry in a
	// second. A change that was under way may or may not be stored: look, or make
	// it again, which does no harm.
	ErrUnavailable = errors.New("gallery is unavailable")

	// ErrDamaged is [storage.ErrCorrupt]: the gallery cannot be read from disk. Other galleries
	// are not concerned. Restore a backup.
	ErrDamaged = storage.ErrCorrupt

	// ErrGalleryNotFound says that the server has no gallery of this id: tell the
	// caller, retrying does not help.
	ErrGalleryNotFound = errors.New("gallery not found")

	// ErrGalleryExists says that the server has a gallery of this id already.
	ErrGalleryExists = errors.New("gallery exists already")

	// ErrDefaultGallery says that the default gallery cannot be deleted: it is that of
	// calls that name none. Its students can be deleted.
	ErrDefaultGallery = errors.New("the default gallery cannot be deleted, because it is that of calls that name none: delete its students")

	// ErrClosed says that the gallery, or all galleries, were closed.
	ErrClosed = errors.New("gallery is closed")
)

// A DuplicateError refuses an enrolment: the face is enrolled under another
// student. Enrol it under that one, or allow the duplicate (twins).
type DuplicateError struct {
	StudentID  string  // the student with the similar crop; for an administrator's eyes
	Similarity float32 // of the two crops, [-1, 1]
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("the face is enrolled under student %q (similarity %.3f)", e.StudentID, e.Similarity)
}

// A StudentChangedError refuses a correction: the crop is not the student's any more whom
// the caller took it to be of. Look at the crop again.
type StudentChangedError struct {
	StudentID string // whose the crop is now; "": nobody's; for an administrator's eyes
}

func (e *StudentChangedError) Error() string {
	if e.StudentID == "" {
		return "the crop is not the expected student's: it is nobody's"
	}
	return fmt.Sprintf("the crop is not the expected student's: it is that of student %q", e.StudentID)
}

// A NewerChangeError refuses an undo: a later change stands against it. Undo that one
// first, unless it is a deletion, which is final.
type NewerChangeError struct {
	Seq   uint64 // number of the later change
	Cause string // what it was: "assign"
	What  string // what it changed: "crop \"c\""
	Final bool   // it cannot be undone itself
}

func (e *NewerChangeError) Error() string {
	advice := "undo that one first"
	if e.Final {
		advice = "that cannot be undone"
	}
	return fmt.Sprintf("change %d (%s) stands against it, by what it did to %s: %s", e.Seq, e.Cause, e.What, advice)
}

// An UnlikeError refuses an enrolment: the face is unlike the student's other crops.
// The crop is another child's, or an earlier one is. If it is the student's all the
// same (a child grows), allow it.
type UnlikeError struct {
	Similarity float32 // to the student's most similar crop, [-1, 1]
	Limit      float32 // what it must be at least
	StudentID  string  // another student, whose crop resembles it by Limit; "": Limit is the gallery's floor
}

func (e *UnlikeError) Error() string {
	if e.StudentID != "" {
		return fmt.Sprintf("the face is less like the student's other crops (similarity %.3f) than like student %q (%.3f)", e.Similarity, e.StudentID, e.Limit)
	}
	return fmt.Sprintf("the face is unlike the student's other crops (similarity %.3f; at least %.3f is needed)", e.Similarity, e.Limit)
}

// A DigestError refuses a vector that was made with another file of the model than
// the gallery's vectors. The two cannot be compared, even if the dimension is the
// same. Serve the file that the gallery was built with, or give the new one a name
// of its own and embed the crops again.
type DigestError struct {
	Model         string
	Have          string // SHA-256 in hex of the file behind the gallery's vectors
	Want          string // SHA-256 in hex of the file behind the refused one
	HaveDimension int    // of the gallery's vectors
	WantDimension int    // of the refused one
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("model %q: the gallery was built with %s (dimension %d), not with %s (dimension %d)",
		e.Model, e.Have, e.HaveDimension, e.Want, e.WantDimension)
}
