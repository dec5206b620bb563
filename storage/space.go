package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// spaceCheckInterval is how long one look at the free space is good for. A
// writer of ours cannot fill DefaultMinFreeBytes in that time; if another one
// does, Pebble ends the process rather than lose a write.
const spaceCheckInterval = time.Second

// spaceGuard refuses changes while the disk is nearly full, so that the store
// stops taking work before a failed write stops the process. It is safe for
// concurrent use.
type spaceGuard struct {
	min   int64 // bytes; negative: never refuse
	usage func() (vfs.DiskUsage, error)
	log   *slog.Logger

	expired atomic.Bool // something happened: look again before the interval is over

	mu      sync.Mutex // guards the fields that follow
	checked time.Time
	refusal error // what check last returned
}

// check returns ErrReadOnly while there is too little space.
func (g *spaceGuard) check() error {
	if g.min < 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.expired.Swap(false) && time.Since(g.checked) < spaceCheckInterval {
		return g.refusal
	}
	g.checked = time.Now()
	before := g.refusal
	g.refusal = g.look()
	switch {
	case before == nil && g.refusal != nil:
		g.log.Error("disk nearly full: changes are refused until there is space", "reason", g.refusal)
	case before != nil && g.refusal == nil:
		g.log.Info("disk has space again: changes are accepted")
	}
	return g.refusal
}

// look asks the file system. One that cannot tell does not stop the writers:
// Pebble still ends the process when a write fails.
func (g *spaceGuard) look() error {
	usage, err := g.usage()
	if errors.Is(err, vfs.ErrUnsupported) {
		return nil
	}
	if err != nil {
		g.log.Warn("free space of the disk is unknown", "error", err)
		return nil
	}
	if usage.AvailBytes >= uint64(g.min) {
		return nil
	}
	const mib = 1 << 20
	return fmt.Errorf("%w: %d MiB free, %d MiB needed; free some space", ErrReadOnly, usage.AvailBytes/mib, g.min/mib)
}

// listener makes the guard look again whenever Pebble has just used or missed
// space.
func (g *spaceGuard) listener() pebble.EventListener {
	expire := func() { g.expired.Store(true) }
	return pebble.EventListener{
		BackgroundError: func(error) { expire() },
		FlushEnd:        func(pebble.FlushInfo) { expire() },
		CompactionEnd:   func(pebble.CompactionInfo) { expire() },
		WALCreated:      func(pebble.WALCreateInfo) { expire() },
		LowDiskSpace:    func(pebble.LowDiskSpaceInfo) { expire() },
	}
}
