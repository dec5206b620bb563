package journal

import (
	"context"
	"iter"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

// A Day is a day of a journal, with its head.
type Day = storage.Day

// Lines yields the lines after the one with this number, in order, as they are when the
// loop begins. All of them are on disk, and each is verified. The errors are ErrTrimmed,
// ErrNoGallery and those of the store; an error is the last step.
func (j *Journal) Lines(ctx context.Context, after uint64) iter.Seq2[*pb.Line, error] {
	return func(yield func(*pb.Line, error) bool) {
		if j.hasEnded() {
			yield(nil, ErrNoGallery)
			return
		}
		for stored, err := range j.partition.Lines(ctx, after) {
			var line *pb.Line
			if err == nil {
				line, err = decode(stored)
			}
			if err != nil && j.ends() {
				err = ErrNoGallery // the lines went while they were read
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// Grown returns a channel that is closed when there are more lines on disk, or when the
// journal ends. Call it first, then read, then wait.
func (j *Journal) Grown() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.grown
}

// Days returns the days, in order; the last one is open. The errors are ErrNoGallery and
// those of the store.
func (j *Journal) Days(ctx context.Context) ([]Day, error) {
	if j.hasEnded() {
		return nil, ErrNoGallery
	}
	var days []Day
	for day, err := range j.partition.Days(ctx) {
		if err != nil {
			return nil, err
		}
		days = append(days, day)
	}
	return days, nil
}

// ends says whether the journal has ended, after a deletion that is under way.
func (j *Journal) ends() bool {
	j.disk.Lock()
	defer j.disk.Unlock()
	return j.hasEnded()
}

// Gallery returns the id of the journal's gallery, or [Server].
func (j *Journal) Gallery() string { return j.gallery }

func (j *Journal) hasEnded() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended
}

// Mentions reports whether a line on disk names a student. The errors are those of the
// store.
func (j *Journal) Mentions(ctx context.Context, student string) (bool, error) {
	return j.partition.Mentions(ctx, student)
}
