package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Store holds partitions. It is safe for concurrent use.
type Store struct {
	backend backend
	server  uint64
	usage   func() (vfs.DiskUsage, error) // of the disk with the folder; nil: in memory

	// users keeps the backend open while it is in use.
	users struct {
		sync.Mutex // guards closed; running grows only while closed is false
		closed     bool
		running    sync.WaitGroup
	}
}

// FreeBytes returns how much the disk with the folder still takes. It fails with
// [errors.ErrUnsupported] where nobody can tell.
func (s *Store) FreeBytes() (uint64, error) {
	if s.usage == nil {
		return 0, errors.ErrUnsupported
	}
	usage, err := s.usage()
	if errors.Is(err, vfs.ErrUnsupported) {
		err = errors.ErrUnsupported
	}
	return usage.AvailBytes, err
}

// Partition returns the partition with this id, 1 to [MaxIDBytes] bytes, or
// ErrInvalidID. A partition exists once something is committed to it; until
// then it is empty.
func (s *Store) Partition(id string) (*Partition, error) {
	keys, err := keysOf(id)
	if err != nil {
		return nil, err
	}
	return &Partition{store: s, keys: keys}, nil
}

// Partitions returns the ids of the partitions that exist, by their bytes. They are not
// one view: one that is made or dropped meanwhile may be among them or not.
func (s *Store) Partitions(ctx context.Context) ([]string, error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var ids []string
	rest := span{[]byte{keyVersion}, []byte{keyVersion + 1}}
	for {
		id, err := s.firstPartition(ctx, rest)
		if err != nil || id == "" {
			return ids, err
		}
		k, err := keysOf(id)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
		rest.lower = k.all().upper
	}
}

// firstPartition returns the partition of the first key in a span; "": there is none.
func (s *Store) firstPartition(ctx context.Context, in span) (string, error) {
	for pair, err := range s.backend.scan(ctx, in) {
		if err != nil {
			return "", err
		}
		id, _, ok := cutID(pair.key[1:])
		if !ok {
			return "", fmt.Errorf("%w: a key names no partition; restore a backup", ErrCorrupt)
		}
		return string(id), nil
	}
	return "", nil
}

// onDisk returns what keeps the store in a folder; nil: the store is in memory, or was opened for
// reading.
func (s *Store) onDisk() *pebbleBackend {
	b := s.backend
	if sealed, ok := b.(*sealed); ok {
		b = sealed.backend
	}
	p, _ := b.(*pebbleBackend)
	return p
}

// SealKey returns the key that the store was opened with; nil: it is not sealed.
func (s *Store) SealKey() *SealKey {
	if b, ok := s.backend.(*sealed); ok {
		return b.operator
	}
	return nil
}

// Writable returns ErrReadOnly while changes are refused because the disk is nearly
// full, or ErrClosed.
func (s *Store) Writable() error {
	release, err := s.acquire(context.Background())
	if err != nil {
		return err
	}
	defer release()
	return s.backend.writable()
}

// Close waits for all calls and loops that are under way, and closes the
// store. A second Close returns ErrClosed.
func (s *Store) Close() error {
	s.users.Lock()
	closed := s.users.closed
	s.users.closed = true
	s.users.Unlock()
	if closed {
		return ErrClosed
	}
	s.users.running.Wait()
	return s.backend.close()
}

// acquire keeps the store open until release is called. The errors are
// ErrClosed and that of the context.
func (s *Store) acquire(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.users.Lock()
	defer s.users.Unlock()
	if s.users.closed {
		return nil, ErrClosed
	}
	s.users.running.Add(1)
	return s.users.running.Done, nil
}
