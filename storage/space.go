package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// spaceCheckInterval is how long one look at the free space is valid. Our
// writers cannot fill DefaultMinFreeBytes in that time. If another program
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
	full    error // why changes are refused; nil: they are not
	tight   bool  // changes that only delete are refused too
}

// deletesShare is how many times less space a change needs if it only deletes.
// So records can be erased on a disk that takes no new ones.
const deletesShare = 4

// check returns ErrReadOnly while there is too little space for a change, or for one
// that only deletes.
func (g *spaceGuard) check(deletes bool) error {
	if g.min < 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.expired.Swap(false) || time.Since(g.checked) >= spaceCheckInterval {
		g.look()
	}
	if deletes && !g.tight {
		return nil
	}
	return g.full
}

// look asks the file system. If it cannot tell, writers go on: Pebble still
// ends the process when a write fails.
// REQUIRES: mu is held.
func (g *spaceGuard) look() {
	g.checked = time.Now()
	before := g.full
	g.full, g.tight = nil, false
	usage, err := g.usage()
	switch {
	case errors.Is(err, vfs.ErrUnsupported):
	case err != nil:
		g.log.Warn("free space of the disk is unknown", "error", err)
	case usage.AvailBytes < uint64(g.min):
		g.full = fmt.Errorf("%w: %d MiB free, %d MiB needed; free some space", ErrReadOnly, usage.AvailBytes/mib, g.min/mib)
		g.tight = usage.AvailBytes < uint64(g.min/deletesShare)
	}
	switch {
	case before == nil && g.full != nil:
		g.log.Error("disk nearly full: changes other than deletions are refused until there is space", "reason", g.full)
	case before != nil && g.full == nil:
		g.log.Info("disk has space again: changes are accepted")
	}
}

// openingBytes is what opening a store writes, in addition to the content of
// its logs: a new log and the list of tables.
const openingBytes = 8 << 20

// toOpen returns ErrReadOnly if there is not even room to open the store:
// opening writes what is in the logs into tables. A disk that only has no room
// for changes is no reason to refuse, because the gallery can still be
// searched.
func (g *spaceGuard) toOpen(fsys vfs.FS, dir string) error {
	if g.min < 0 {
		return nil
	}
	needed := int64(openingBytes)
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("storage: looking into the folder: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			// A log that disappears meanwhile is in tables.
			if info, err := fsys.Stat(fsys.PathJoin(dir, name)); err == nil {
				needed += info.Size()
			}
		}
	}
	if usage, err := g.usage(); err == nil && usage.AvailBytes < uint64(needed) {
		return fmt.Errorf("%w: %d MiB free, %d MiB needed to open it; free some space", ErrReadOnly, usage.AvailBytes/mib, needed/mib)
	}
	return nil // enough space, or the disk cannot tell
}

const mib = 1 << 20

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
