// Package erasure erases people for good: from the gallery, its log, its journal, and the
// files that hold them.
//
// [Open] starts one worker. A call deletes a student in one commit, which also notes what is
// left to do, and waits until the worker has done it. Whatever interrupts the worker, it
// goes on at the next start. Once a day it deletes the students whose last day is over.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"rollcall/access/journal"
	"rollcall/gallery"
	"rollcall/storage"
)

const (
	// sweepPause is how often students are looked for whose last day is over.
	sweepPause = 24 * time.Hour

	// retryPause is how long the worker waits after a failure.
	retryPause = time.Minute

	// LongestWait is how long a call waits for the worker. A gallery of 100,000 crops
	// takes a second or two.
	LongestWait = 20 * time.Second
)

// Eraser is the worker. It is safe for concurrent use.
type Eraser struct {
	store     *storage.Store
	galleries *gallery.Galleries
	journals  *journal.Journals
	log       *slog.Logger

	asked chan order
	stop  context.CancelFunc
	ended chan struct{}
}

// order asks the worker to finish the erasures of a gallery.
type order struct {
	gallery string
	done    chan struct{} // closed when that is done, or has failed
}

// Open starts the worker. Close it before the galleries and the journals. The logger takes
// counts and ids of galleries.
func Open(store *storage.Store, galleries *gallery.Galleries, journals *journal.Journals, logger *slog.Logger) *Eraser {
	ctx, stop := context.WithCancel(context.Background())
	e := &Eraser{
		store: store, galleries: galleries, journals: journals, log: logger,
		asked: make(chan order), stop: stop, ended: make(chan struct{}),
	}
	go e.run(ctx)
	return e
}

// Close stops the worker. What it has not finished it finishes after the next start.
func (e *Eraser) Close() {
	e.stop()
	<-e.ended
}

// Student deletes a student of a gallery that the caller uses, and returns the receipt. If
// that is still open, the student is deleted, and the worker goes on. A student whom only
// the log or the journal names is erased from these. The errors are those of
// [gallery.Gallery.DeleteStudent], [gallery.Gallery.Logged] and storage's.
func (e *Eraser) Student(ctx context.Context, galleryID string, g *gallery.Gallery, id string) (gallery.Erasure, error) {
	erased, err := g.DeleteStudent(ctx, id)
	if errors.Is(err, gallery.ErrStudentNotFound) {
		known, failed := e.mentions(ctx, galleryID, g, id)
		if failed != nil || !known {
			return gallery.Erasure{}, errors.Join(err, failed)
		}
		erased, err = g.ForgetStudent(ctx, id)
	}
	if err != nil {
		return gallery.Erasure{}, err
	}
	return e.Receipt(ctx, galleryID, erased)
}

// mentions reports whether the log or the journal names a student.
func (e *Eraser) mentions(ctx context.Context, galleryID string, g *gallery.Gallery, id string) (bool, error) {
	if logged, err := g.Logged(ctx, id); err != nil || logged {
		return logged, err
	}
	id, err := gallery.StudentID(id)
	if err != nil {
		return false, err
	}
	j, err := e.journals.Of(galleryID)
	if err != nil {
		return false, err
	}
	return j.Mentions(ctx, id)
}

// Receipt has an erasure finished, and returns it as it is then. It waits for [LongestWait]
// at most.
func (e *Eraser) Receipt(ctx context.Context, galleryID string, erased gallery.Erasure) (gallery.Erasure, error) {
	e.Finish(ctx, galleryID)
	p, err := e.store.Partition(galleryID)
	if err != nil {
		return erased, err
	}
	records, err := p.Fetch(context.WithoutCancel(ctx), erased.Ref())
	if err != nil || len(records) == 0 {
		return erased, err
	}
	return records[0].(gallery.Erasure), nil
}

// Finish waits until the worker has tried to finish the erasures of a gallery, for
// [LongestWait] at most.
func (e *Eraser) Finish(ctx context.Context, galleryID string) {
	ctx, cancel := context.WithTimeout(ctx, LongestWait)
	defer cancel()
	o := order{galleryID, make(chan struct{})}
	select {
	case e.asked <- o:
	case <-e.ended:
		return
	case <-ctx.Done():
		return // the worker looks for open erasures when it has failed, and at the start
	}
	select {
	case <-o.done:
	case <-ctx.Done():
	}
}

// FinishGalleries is Finish for the galleries that were deleted.
func (e *Eraser) FinishGalleries(ctx context.Context) { e.Finish(ctx, storage.ServerPartition) }

// run works until ctx is done.
func (e *Eraser) run(ctx context.Context) {
	defer close(e.ended)
	next := time.After(0)
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-e.asked:
			if !e.serve(ctx, o) {
				next = time.After(retryPause)
			}
		case <-next:
			next = time.After(sweepPause)
			if !e.sweep(ctx) {
				next = time.After(retryPause)
			}
		}
	}
}

// serve finishes the erasures of the gallery of an order, and of those that wait at the same
// time: each gallery once, however many wait for it.
func (e *Eraser) serve(ctx context.Context, first order) (ok bool) {
	waiting := map[string][]order{first.gallery: {first}}
	for more := true; more; {
		select {
		case o := <-e.asked:
			waiting[o.gallery] = append(waiting[o.gallery], o)
		default:
			more = false
		}
	}
	ok = true
	for id, orders := range waiting {
		ok = e.try(ctx, id, e.finish) && ok
		for _, o := range orders {
			close(o.done)
		}
	}
	return ok
}

// sweep deletes the students of all galleries whose last day is over, and finishes what is
// open.
func (e *Eraser) sweep(ctx context.Context) (ok bool) {
	ok = e.try(ctx, storage.ServerPartition, e.finish)
	for _, id := range e.galleries.List() {
		ok = e.try(ctx, id, e.deleteOverdue) && ok
		ok = e.try(ctx, id, e.finish) && ok
	}
	return ok
}

// try logs an error. A gallery that is deleted meanwhile needs no more.
func (e *Eraser) try(ctx context.Context, id string, do func(context.Context, string) error) (ok bool) {
	err := do(ctx, id)
	if err == nil || errors.Is(err, gallery.ErrGalleryNotFound) || ctx.Err() != nil {
		return true
	}
	e.log.Error("an erasure is not finished: it is tried again", "gallery", id, "error", err)
	return false
}

// deleteOverdue deletes the students of one gallery whose last day is over. It looks on
// disk first: a gallery need not be in memory for that.
func (e *Eraser) deleteOverdue(ctx context.Context, id string) error {
	today := storage.DateOf(time.Now())
	some, err := e.anyOverdue(ctx, id, today)
	if err != nil || !some {
		return err
	}
	g, release, err := e.galleries.Use(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	students, err := g.Overdue(ctx, today)
	if err != nil {
		return err
	}
	for _, student := range students {
		if _, err := g.DeleteOverdue(ctx, student, today); err != nil && !errors.Is(err, gallery.ErrStudentNotFound) {
			return err
		}
	}
	e.log.Info("students were deleted whose last day is over", "gallery", id, "students", len(students))
	return nil
}

func (e *Eraser) anyOverdue(ctx context.Context, id string, today gallery.Date) (bool, error) {
	p, err := e.store.Partition(id)
	if err != nil {
		return false, err
	}
	for r, err := range p.Load(ctx) {
		if err != nil {
			return false, err
		}
		switch r := r.(type) {
		case storage.Student:
			if r.DeleteAfter != "" && r.DeleteAfter < today {
				return true, nil
			}
		case storage.Crop, storage.Embedding:
			return false, nil // the students come before
		}
	}
	return false, nil
}

// finish does what is left to do of the open erasures of one gallery.
func (e *Eraser) finish(ctx context.Context, id string) error {
	p, err := e.store.Partition(id)
	if err != nil {
		return err
	}
	list, err := p.Erasures(ctx)
	if err != nil {
		return err
	}
	open := slices.DeleteFunc(list, func(x gallery.Erasure) bool { return !x.Open })
	if len(open) == 0 {
		return nil
	}
	if id == storage.ServerPartition {
		return e.finishGalleries(ctx, p, open)
	}
	g, release, err := e.galleries.Use(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	if err := e.blank(ctx, id, p, open); err != nil {
		return err
	}
	// The names leave the record before the files are rewritten: so they are in none.
	for i := range open {
		open[i].Students, open[i].Crops = nil, nil
	}
	if err := g.KeepErasures(ctx, open); err != nil {
		return err
	}
	if err := p.Rewrite(ctx); err != nil {
		return err
	}
	now := time.Now().UTC()
	for i := range open {
		open[i].Open, open[i].Finished = false, now
	}
	if err := g.KeepErasures(ctx, open); err != nil {
		return err
	}
	e.log.Info("erased", "gallery", id, "erasures", len(open))
	return nil
}

// finishGalleries rewrites the files after galleries were deleted, and notes that these
// erasures are finished. Nobody knows any more which galleries they were: so it rewrites all.
func (e *Eraser) finishGalleries(ctx context.Context, own *storage.Partition, open []gallery.Erasure) error {
	if err := e.store.Rewrite(ctx); err != nil {
		return err
	}
	change := storage.Change{Time: time.Now().UTC(), Cause: storage.CauseErased}
	for {
		seq, err := own.Sequence(ctx)
		if err != nil {
			return err
		}
		now, err := own.Erasures(ctx)
		if err != nil {
			return err
		}
		change.Writes = nil
		for _, x := range now {
			isThis := func(o gallery.Erasure) bool { return o.Digest == x.Digest && o.Time.Equal(x.Time) }
			if x.Open && slices.ContainsFunc(open, isThis) { // else it was deleted again meanwhile
				x.Open, x.Finished = false, change.Time
				change.Writes = append(change.Writes, storage.Write{Ref: x.Ref(), Put: x})
			}
		}
		if len(change.Writes) > 0 {
			err = own.Commit(ctx, seq, []storage.Change{change})
		}
		if errors.Is(err, storage.ErrConflict) {
			continue // others write to this partition too
		}
		if err == nil {
			e.log.Info("erased", "galleries", len(change.Writes))
		}
		return err
	}
}

// blank takes the names out of the log and the journal, and counts the lines.
func (e *Eraser) blank(ctx context.Context, id string, p *storage.Partition, open []gallery.Erasure) error {
	lines, err := p.BlankChanges(ctx, open...)
	if err != nil {
		return fmt.Errorf("blank the log: %w", err)
	}
	students := make(map[string]int) // of which erasure
	for i, x := range open {
		open[i].LogLines += lines[i]
		for _, student := range x.Students {
			students[student] = i
		}
	}
	j, err := e.journals.Of(id)
	if err != nil {
		return err
	}
	blanked, err := j.Erase(ctx, slices.Sorted(maps.Keys(students))...)
	if err != nil {
		return fmt.Errorf("blank the journal: %w", err)
	}
	for student, n := range blanked {
		open[students[student]].JournalLines += n
	}
	return nil
}
