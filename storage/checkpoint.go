package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// checkpointFolder lies in the folder of a store while a checkpoint of it is in use. What a
// crash leaves of it is removed when the store is opened.
const checkpointFolder = "checkpoint"

// Checkpoint is a copy of a store's folder, as it was at one moment. Its files do not
// change, and most of them are links to files of the store. It holds disk space until it
// is closed: also that of what is deleted from the store meanwhile. It is used by one
// goroutine at a time.
type Checkpoint struct {
	Server  uint64 // as in [Store.Server]
	Changes uint64 // that were ever committed, with the lines of journals

	Partitions []Newest // by their ids

	dir     string
	fs      vfs.FS
	release []func()
}

// Newest is how far a partition is.
type Newest struct {
	ID     string
	Change uint64 // the number of its newest change
	Line   uint64 // the number of the newest line of its journal
}

// Checkpoint makes a checkpoint, while others go on to read and write. It holds every
// commit that returned before, and was opened once to see that it can be. Close it soon:
// there is one at a time, else the error is ErrCheckpoint. Other errors are ErrReadOnly,
// ErrClosed and ErrLost. A store in memory has
// none, nor one of [OpenReadOnly].
func (s *Store) Checkpoint(ctx context.Context) (_ *Checkpoint, err error) {
	p := s.onDisk()
	if p == nil {
		return nil, errors.New("storage: only a store in a folder that is open for writing has checkpoints")
	}
	release, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	if !p.checkpoint.begin() {
		release()
		return nil, ErrCheckpoint
	}
	c := &Checkpoint{Server: s.server, dir: p.fs.PathJoin(p.dir, checkpointFolder), fs: p.fs, release: []func(){p.checkpoint.end, release}}
	if err := c.make(ctx, s, p); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: making a checkpoint: %w", err), c.Close())
	}
	return c, nil
}

func (c *Checkpoint) make(ctx context.Context, s *Store, p *pebbleBackend) error {
	if err := p.space.check(false); err != nil {
		return err
	}
	acknowledged := p.acknowledged.number()
	p.manifests.Lock()
	err := p.db.Checkpoint(c.dir, pebble.WithFlushedWAL())
	p.manifests.Unlock()
	if err != nil {
		return err
	}
	if err := c.read(ctx, s, p); err != nil {
		return err
	}
	if c.Changes < acknowledged {
		return fmt.Errorf("%w: %s in it; restart the server", ErrLost, missing(c.Changes+1, acknowledged))
	}
	// Who opens a copy of the files learns from it if their log has lost its end.
	file, err := openAcknowledged(p.fs, c.dir, c.Changes, p.log.log)
	if err != nil {
		return err
	}
	return file.close()
}

// read opens the checkpoint and reads how far it is.
func (c *Checkpoint) read(ctx context.Context, s *Store, p *pebbleBackend) error {
	o := p.options(Options{})
	o.FS, o.ReadOnly = p.fs, true
	db, err := pebble.Open(c.dir, o)
	if err != nil {
		return err
	}
	copied := &Store{backend: &pebbleBackend{db: db}, server: s.server}
	if key := s.SealKey(); key != nil {
		copied.backend = newSealed(copied.backend, key)
	}
	c.Changes, err = copied.number()
	if err == nil {
		c.Partitions, err = copied.Newest(ctx)
	}
	return errors.Join(err, db.Close())
}

// Newest returns how far each partition is, by their ids. They are not one view, as those of
// [Store.Partitions].
func (s *Store) Newest(ctx context.Context) (all []Newest, err error) {
	ids, err := s.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		p, err := s.Partition(id)
		if err != nil {
			return nil, err
		}
		n := Newest{ID: id}
		if n.Change, err = p.Sequence(ctx); err == nil {
			n.Line, err = p.NewestLine(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("partition %q: %w", id, err)
		}
		all = append(all, n)
	}
	return all, nil
}

// Files returns the names of the checkpoint's files, sorted.
func (c *Checkpoint) Files() ([]string, error) {
	names, err := c.fs.List(c.dir)
	if err != nil {
		return nil, fmt.Errorf("storage: listing a checkpoint: %w", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == lockFile })
	slices.Sort(names)
	return names, nil
}

// Open opens one of the checkpoint's files.
func (c *Checkpoint) Open(name string) (io.ReadCloser, error) {
	file, err := c.fs.Open(c.fs.PathJoin(c.dir, name))
	if err != nil {
		return nil, fmt.Errorf("storage: reading a checkpoint: %w", err)
	}
	return file, nil
}

// Close removes the checkpoint. Call it once.
func (c *Checkpoint) Close() error {
	err := removeFolder(c.fs, c.dir)
	for _, release := range c.release {
		release()
	}
	return err
}

// removeCheckpoint removes what a crash has left of one.
func (p *pebbleBackend) removeCheckpoint() error {
	return removeFolder(p.fs, p.fs.PathJoin(p.dir, checkpointFolder))
}

func removeFolder(fsys vfs.FS, dir string) error {
	if err := fsys.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("storage: removing a checkpoint: %w", err)
	}
	return nil
}
