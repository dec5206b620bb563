package storage

import (
	"context"
	"sync"
)

// oneCheckpoint allows one checkpoint at a time, and lets others wait for its end. The zero value has
// none. It is safe for concurrent use.
type oneCheckpoint struct {
	mu    sync.Mutex
	ended chan struct{} // of the one that there is; nil: none
}

// begin reports whether there was none. Then there is one, until end.
func (o *oneCheckpoint) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended != nil {
		return false
	}
	o.ended = make(chan struct{})
	return true
}

func (o *oneCheckpoint) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.ended)
	o.ended = nil
}

// wait returns when the one that there is now has ended, or ctx's error.
func (o *oneCheckpoint) wait(ctx context.Context) error {
	o.mu.Lock()
	ended := o.ended
	o.mu.Unlock()
	if ended == nil {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
