package gallery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"rollcall/storage"
)

// errLeaving says why a gallery takes no calls.
var errLeaving = fmt.Errorf("%w: it is being deleted", ErrUnavailable)

// leaveTime is how long a deletion waits for the calls that use the gallery. All but
// streams end sooner.
const leaveTime = 5 * time.Second

// DeleteCause is the cause of a deletion in the log of the server.
const DeleteCause = "delete gallery"

// ParseID returns the id of a gallery as the list has it, in NFC, or ErrInvalidID.
func ParseID(id string) (string, error) { return parseID("gallery", id) }

// List returns the ids of the galleries, sorted.
func (s *Galleries) List() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.known))
}

// Create makes an empty gallery with the settings [Options.New]. If data of this id were
// left over (see [Galleries.LeftOver]), the gallery has them. The errors are ErrInvalidID,
// ErrGalleryExists, ErrReadOnly, ErrUnavailable (it may or may not have been made: try
// again), ErrClosed and ctx's.
func (s *Galleries) Create(ctx context.Context, id string) error {
	id, err := ParseID(id)
	if err != nil {
		return err
	}
	record := storage.Gallery{ID: id, Created: time.Now().UTC()}
	change := storage.Change{
		Time: record.Created, Cause: "make gallery", By: whoOf(ctx), Writes: []storage.Write{{Ref: record.Ref(), Put: record}},
	}
	return s.changeList(ctx, id, change, func(known bool) error {
		if known {
			return fmt.Errorf("%w: %q", ErrGalleryExists, id)
		}
		return nil
	})
}

// Delete erases a gallery with everything in it, or what is left over of one, and notes it in
// the list of erasures. The erasure is open: the caller has it finished. Once it has
// begun nobody takes the gallery any more. Calls that use it have 5 seconds to end, and
// then get ErrClosed. A deletion that has begun goes on when ctx ends. It is one step on
// disk: whatever interrupts it, everything is deleted or nothing.
//
// The errors are ErrGalleryNotFound, ErrDefaultGallery, ErrReadOnly (nothing was deleted),
// ErrUnavailable (it may or may not have been deleted: try again), ErrClosed and ctx's.
func (s *Galleries) Delete(ctx context.Context, id string) error {
	id, err := ParseID(id)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrGalleryNotFound, err)
	case id == DefaultGallery:
		return ErrDefaultGallery
	}
	stay, err := s.vacate(id)
	if errors.Is(err, ErrGalleryNotFound) {
		left, failed := s.LeftOver(ctx)
		if failed == nil && slices.Contains(left, id) {
			stay, err = func() {}, nil
		}
		err = errors.Join(failed, err)
	}
	if err != nil {
		return err
	}
	defer stay()
	ctx = context.WithoutCancel(ctx) // it has begun
	digests, err := s.own.Digests(ctx)
	if err != nil {
		return fmt.Errorf("%s %q: %w", DeleteCause, id, err)
	}
	erased := Erasure{Digest: digests.Gallery(id), Time: time.Now().UTC(), Open: true}
	gone := storage.Change{
		Time: erased.Time, Cause: DeleteCause, By: whoOf(ctx), Drop: id,
		Writes: []storage.Write{{Ref: storage.Gallery{ID: id}.Ref()}, {Ref: erased.Ref(), Put: erased}},
	}
	return s.changeList(ctx, id, gone, func(bool) error { return nil })
}

// vacate takes a gallery out of memory. Nobody takes it from then on, until stay is
// called.
func (s *Galleries) vacate(id string) (stay func(), err error) {
	e, leaving, err := s.leave(id)
	if err != nil {
		return nil, err
	}
	enough := time.NewTimer(leaveTime)
	defer enough.Stop()
	select {
	case <-leaving:
	case <-enough.C:
		s.opts.Logger.Warn("a gallery that is deleted is still in use: its calls end with an error", "gallery", id)
	}
	s.mu.Lock()
	l := e.load
	s.bytes -= e.bytes
	e.load, e.bytes = nil, 0
	s.mu.Unlock()
	if l != nil {
		if <-l.done; l.err == nil && l.gallery.Close() != nil {
			s.opts.Logger.Error("a gallery was closed twice", "gallery", id)
		}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		e.leaving = nil
	}, nil
}

// leave lets nobody take a gallery any more. The channel is closed once nobody uses it.
func (s *Galleries) leave(id string) (*entry, chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[id]
	switch {
	case s.closed:
		return nil, nil, ErrClosed
	case e == nil:
		return nil, nil, fmt.Errorf("%w: %q", ErrGalleryNotFound, id)
	case e.leaving != nil:
		return nil, nil, errLeaving
	}
	e.leaving = make(chan struct{})
	if e.users == 0 {
		close(e.leaving)
	}
	return e, e.leaving, nil
}

// LeftOver returns the ids of galleries that lie on disk and are not in the list, sorted.
// There are none, unless changes were lost and the server goes on without them: see
// [storage.Options.AcceptLoss]. Create takes such a gallery into the list, and Delete
// erases it.
func (s *Galleries) LeftOver(ctx context.Context) ([]string, error) {
	s.listing.Lock()
	defer s.listing.Unlock()
	stored, err := s.store.Partitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for galleries on disk: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(stored, func(id string) bool {
		_, invalid := ParseID(id) // a partition of the server itself
		return invalid != nil || s.known[id] != nil
	}), nil
}

// changeList makes a change of the list: of the entry of one gallery. Others write to the
// server's partition too. If one of them was first, it looks again. Allow is told whether
// the list has the gallery, and says whether the change may be made.
func (s *Galleries) changeList(ctx context.Context, id string, change storage.Change, allow func(known bool) error) error {
	if s.isClosed() {
		return ErrClosed
	}
	s.listing.Lock()
	defer s.listing.Unlock()
	for {
		// Read it again: nobody knows what an earlier change has stored if it failed.
		seq, err := s.readList(ctx)
		if err != nil {
			return err
		}
		if s.isClosed() {
			return ErrClosed
		}
		if err := allow(slices.Contains(s.List(), id)); err != nil {
			return err
		}
		err = s.own.Commit(ctx, seq, []storage.Change{change})
		switch {
		case err == nil:
			s.listed(id, change.Writes[0].Put != nil)
			return nil
		case errors.Is(err, storage.ErrConflict):
			continue
		case errors.Is(err, storage.ErrReadOnly):
			return fmt.Errorf("%s %q: %w", change.Cause, id, err)
		}
		s.opts.Logger.Error("a change of the list of galleries failed", "cause", change.Cause, "gallery", id, "error", err)
		return fmt.Errorf("%s %q: %w: it may or may not be done: try again", change.Cause, id, ErrUnavailable)
	}
}

func (s *Galleries) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// listed notes whether a gallery is in the list.
func (s *Galleries) listed(id string, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !is:
		delete(s.known, id)
	case s.known[id] == nil:
		s.known[id] = &entry{id: id}
	}
}

// readList reads the list of galleries from disk, and returns the number of the last
// change in it.
// REQUIRES: listing is held, or nobody else has s yet.
func (s *Galleries) readList(ctx context.Context) (seq uint64, err error) {
	if seq, err = s.own.Sequence(ctx); err != nil {
		return 0, fmt.Errorf("read the list of galleries: %w", err)
	}
	stored := make(map[string]bool)
	for r, err := range s.own.Load(ctx) {
		if err != nil {
			return 0, fmt.Errorf("read the list of galleries: %w", err)
		}
		if r, ok := r.(storage.Gallery); ok {
			stored[r.ID] = true
			s.listed(r.ID, true)
		}
	}
	for _, id := range s.List() {
		if !stored[id] {
			s.listed(id, false)
		}
	}
	return seq, nil
}
