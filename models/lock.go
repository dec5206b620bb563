package models

import (
	"context"
	"errors"
	"os"
	"time"
)

// lockPoll is how often a waiting process looks whether the lock has become free. System calls that wait
// for a lock take no deadline. The holder may be downloading, so a slow poll is enough.
const lockPoll = 50 * time.Millisecond

// errLocked: somebody else holds the lock.
var errLocked = errors.New("locked")

// lock creates the file if needed, takes the exclusive lock on it, and returns the function that gives the
// lock back. It tries at least once, and until ctx ends. Two locks exclude each other within a process too.
// The file stays: removing it would allow two holders at once.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := tryLock(file)
		if err == nil {
			// The system gives the lock back when the file is closed, whatever Close reports.
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, errors.Join(err, file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		case <-time.After(lockPoll):
		}
	}
}
