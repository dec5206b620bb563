package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"rollcall/index"
)

// start measures how long an engine takes to be there again, from a snapshot that
// has just been written: the file is in the system's cache, as after a restart.
func (r *indexRun) start(c *rival) (err error) {
	if !r.options.snapshot {
		return nil
	}
	dir, err := os.MkdirTemp(r.options.data, "rollcall-bench-snapshot-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "snapshot")
	fmt.Fprintf(r.progress, "%s: writing and reading a snapshot …\n", c.row.Engine)
	if err := index.WriteSnapshot(path, c.engine, index.Snapshot{}); err != nil {
		return err
	}
	var took []float64
	for range startRounds {
		runtime.GC()
		start := time.Now()
		engine, _, err := index.ReadSnapshot(path, c.row.Engine, c.row.Dim, r.engineOptions())
		if err != nil {
			return err
		}
		took = append(took, time.Since(start).Seconds())
		if engine.Len() != c.row.N {
			return fmt.Errorf("%s: the snapshot holds %d vectors of %d", c.row.Engine, engine.Len(), c.row.N)
		}
	}
	load := median(took)
	c.row.Load = &load
	return nil
}

// startRounds is how often a snapshot is read.
const startRounds = 3
