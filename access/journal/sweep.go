package journal

import (
	"context"
	"errors"
	"time"

	"rollcall/storage"
)

// sweepPause is how often old lines are looked for: an hour late is no harm, as times to
// keep are in days.
const sweepPause = time.Hour

// sweep deletes old lines until ctx is done.
func (j *Journals) sweep(ctx context.Context) {
	for {
		if err := j.trimAll(ctx); err != nil && ctx.Err() == nil {
			j.log.Error("old lines of the journals were not all deleted: this is tried again", "error", err)
		}
		select {
		case <-time.After(sweepPause):
		case <-ctx.Done():
			return
		}
	}
}

// trimAll deletes the old lines of all galleries, and of the server's own journal. What
// fails for one does not stop the others.
func (j *Journals) trimAll(ctx context.Context) error {
	ids := []string{Server}
	own, err := j.store.Partition(Server)
	if err != nil {
		return err
	}
	for r, err := range own.Load(ctx) {
		if err != nil {
			return err
		}
		if g, ok := r.(storage.Gallery); ok {
			ids = append(ids, g.ID)
		}
	}
	var failed []error
	for _, id := range ids {
		failed = append(failed, j.trim(ctx, id))
	}
	return errors.Join(failed...)
}

func (j *Journals) trim(ctx context.Context, gallery string) error {
	one, err := j.Of(gallery)
	if errors.Is(err, ErrNoGallery) {
		return nil // it was deleted since the list was read
	}
	for more := true; more && err == nil; {
		more, err = one.trim(ctx)
	}
	return err
}
