package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// DefaultMinFreeBytes leaves room for what Pebble may still write after
	// the last accepted change: the full memtables in the log (32 MiB) and
	// once more as tables, and a compaction of the upper levels beside its
	// inputs (about 64 MiB each). Twice that sum is still a small part of a
	// disk.
	DefaultMinFreeBytes = 384 << 20

	// DefaultCacheBytes holds the blocks that single reads touch. Searches run
	// on the index in memory, not here, so a small cache serves.
	DefaultCacheBytes = 32 << 20
)

const (
	// formatVersion pins Pebble's format: the lowest that has sync marks in
	// the log, which tell a torn end from damage (FormatWALSyncChunks), and
	// checksums over table footers. It cannot be taken back, so it is raised
	// by hand, never by an update of Pebble.
	formatVersion = pebble.FormatTableFormatV6

	// memTableBytes and memTables bound what Pebble holds in memory before
	// writers have to wait for it: 4 of 8 MiB, some 15,000 embeddings of 512
	// dimensions.
	memTableBytes = 8 << 20
	memTables     = 4

	// maxOpenFiles is far above the files of a large gallery (a million
	// embeddings are a few hundred tables), and far below the limit that a
	// process has for its connections too.
	maxOpenFiles = 500
)

// Options configure a store. The zero value is a good choice.
type Options struct {
	// Logger takes the store's log; Pebble's own goes to it at debug, and its
	// errors at error. Default: nothing is logged.
	Logger *slog.Logger

	// MinFreeBytes is the free space, in bytes, below which Apply returns
	// ErrReadOnly. Default: DefaultMinFreeBytes. Negative: never.
	MinFreeBytes int64

	// CacheBytes is the size of the cache for blocks read from disk, in bytes.
	// Default: DefaultCacheBytes.
	CacheBytes int64

	// FS is the file system that the folder is on. Default: the operating
	// system's. For tests, such as those that crash: vfs.NewCrashableMem.
	FS vfs.FS
}

// Store is an open folder. It is safe for concurrent use.
type Store struct {
	db    *pebble.DB
	log   pebbleLogger
	space *spaceGuard

	origin     uint64 // of the changes that this Store makes: see LoggedChange
	keepLogged uint64 // MaxLogged, but for tests

	// writes lets one change at a time read what it replaces, take its
	// sequence number and enter Pebble's log. Nothing waits for the disk under
	// it. seq is written with writes held.
	writes sync.Mutex
	seq    atomic.Uint64

	// users keeps Pebble open, which panics when it is used after its Close.
	users struct {
		sync.Mutex // guards closed, and that running grows only before it
		closed     bool
		running    sync.WaitGroup
	}
}

// Open opens the folder dir, and creates it, for its owner alone, when it is
// missing. It returns ErrLocked, ErrForeign, ErrNewerSchema or ErrCorrupt, each
// wrapped with what to do. A folder of an older schema is migrated.
func Open(dir string, opts Options) (*Store, error) {
	return open(dir, opts, migrations)
}

func open(dir string, opts Options, steps []migration) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.MinFreeBytes == 0 {
		opts.MinFreeBytes = DefaultMinFreeBytes
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = DefaultCacheBytes
	}
	if opts.FS == nil {
		// Pebble knows its locks within one process by the name of the file.
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
		}
		dir = abs
	}
	store, err := openPebble(dir, opts, steps)
	if err != nil {
		if pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	return store, nil
}

// openPebble opens the folder with every option set.
func openPebble(dir string, opts Options, steps []migration) (*Store, error) {
	s := &Store{log: pebbleLogger{opts.Logger}, origin: rand.Uint64(), keepLogged: MaxLogged}
	pebbleOpts := s.pebbleOptions(dir, opts)
	s.space = &spaceGuard{min: opts.MinFreeBytes, log: opts.Logger, usage: func() (vfs.DiskUsage, error) {
		return pebbleOpts.FS.GetDiskUsage(dir)
	}}
	pebbleOpts.AddEventListener(s.space.listener())

	// Until the schema key has shown a store to be ours, its format stays.
	desc, err := pebble.Peek(dir, pebbleOpts.FS)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && desc.Exists && desc.FormatMajorVersion != pebble.FormatDefault {
		pebbleOpts.FormatMajorVersion = min(desc.FormatMajorVersion, formatVersion)
	}
	if s.db, err = pebble.Open(dir, pebbleOpts); err != nil {
		return nil, err
	}
	if err := s.prepare(steps); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// prepare brings an opened store to this release's schema and format, and
// reads the sequence number to go on from.
func (s *Store) prepare(steps []migration) error {
	if err := prepareSchema(s.db, steps); err != nil {
		return err
	}
	if s.db.FormatMajorVersion() < formatVersion {
		if err := s.db.RatchetFormatMajorVersion(formatVersion); err != nil {
			return fmt.Errorf("storage: raising Pebble's format: %w", err)
		}
	}
	seq, err := meta(s.db, metaSequence)
	if errors.Is(err, ErrNotFound) {
		return corrupt(kindMeta)
	}
	if err != nil {
		return err
	}
	s.seq.Store(seq)
	return nil
}

func (s *Store) pebbleOptions(dir string, opts Options) *pebble.Options {
	logging := pebble.MakeLoggingEventListener(s.log)
	o := &pebble.Options{
		FS:                          newFolderFS(opts.FS),
		FormatMajorVersion:          formatVersion,
		CacheSize:                   opts.CacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                maxOpenFiles,
		Logger:                      s.log,
		EventListener:               &logging,
	}
	if opts.FS == nil {
		o.WithFSDefaults() // logs a disk that hangs
	}
	return o
}

// Sequence returns the sequence number of the last applied change; 0 before
// the first. Reads that begin after it returns see that change. It is not
// necessarily on disk yet.
func (s *Store) Sequence() uint64 { return s.seq.Load() }

// Room returns ErrReadOnly if n bytes written beside the store's own files would
// leave so little space on the disk that Apply refuses changes.
func (s *Store) Room(n int64) error { return s.space.room(n) }

// Close waits for reads and loops that are under way, brings every applied
// change to disk and closes the folder. A second Close returns ErrClosed.
func (s *Store) Close() error {
	s.users.Lock()
	closed := s.users.closed
	s.users.closed = true
	s.users.Unlock()
	if closed {
		return ErrClosed
	}
	s.users.running.Wait()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("storage: closing: %w", err)
	}
	return nil
}

// acquire keeps the store open until release is called, or returns ErrClosed.
func (s *Store) acquire() (release func(), err error) {
	s.users.Lock()
	defer s.users.Unlock()
	if s.users.closed {
		return nil, ErrClosed
	}
	s.users.running.Add(1)
	return s.users.running.Done, nil
}
