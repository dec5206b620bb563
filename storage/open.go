package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

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

	// keepLog is how long a line stays in the log of a partition: a school year, and
	// a month to look back at it. Those that were older at the last change may be
	// trimmed.
	keepLog = 400 * 24 * time.Hour

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

	// cacheBytes holds the blocks that single reads touch. Searches run on the index
	// in memory, not here, so a small cache serves.
	cacheBytes = 32 << 20

	// maxOpenFiles is far above the files of a large gallery (a million
	// embeddings are a few hundred tables), and far below the limit that a
	// process has for its connections too.
	maxOpenFiles = 500

	// blockBytes is large for Pebble, as nearly every read is a scan of all
	// embeddings.
	blockBytes = 128 << 10
)

// Options configure a store in a folder. The zero value is a good choice.
type Options struct {
	// Logger takes the store's log; Pebble's own goes to it at debug, and its
	// errors at error. Default: nothing is logged.
	Logger *slog.Logger

	// MinFreeBytes is the free space, in bytes, below which Commit returns
	// ErrReadOnly. Default: DefaultMinFreeBytes. Negative: never.
	MinFreeBytes int64

	// FS is the file system that the folder is on. Default: the operating
	// system's. For tests, such as those that crash: vfs.NewCrashableMem.
	FS vfs.FS

	// AcceptLoss opens a folder in which acknowledged changes are missing, which
	// is ErrLost otherwise, with what is there, and cuts a damaged log of Pebble,
	// which is ErrCorrupt otherwise, off where the damage begins. What is missing
	// is logged. Copy the folder before: what was cut is gone.
	AcceptLoss bool
}

// Open opens the folder dir, and creates it, for its owner alone, when it is
// missing. It returns ErrLocked, ErrForeign, ErrOldSchema, ErrNewerSchema,
// ErrLost or ErrCorrupt, each wrapped with what to do. But for AcceptLoss, an Open
// that fails so leaves the folder as it was.
func Open(dir string, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.MinFreeBytes == 0 {
		opts.MinFreeBytes = DefaultMinFreeBytes
	}
	if opts.FS == nil {
		// Pebble knows its locks within one process by the name of the file.
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
		}
		dir = abs
	}
	p, err := openPebble(dir, opts)
	for opts.AcceptLoss && pebble.IsCorruptionError(err) {
		cut, failed := salvage(newFolderFS(opts.FS), dir)
		if failed != nil {
			err = errors.Join(err, failed)
		}
		if !cut {
			break
		}
		opts.Logger.Error("a damaged log of Pebble was cut off where the damage begins", "reason", err)
		p, err = openPebble(dir, opts)
	}
	if err != nil {
		if pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
			what := "restore a backup"
			if !opts.AcceptLoss {
				what += ", or go on with what can be read: serve --accept-loss"
			}
			err = fmt.Errorf("%w: %w; %s", ErrCorrupt, err, what)
		}
		return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	return &Store{backend: p, log: opts.Logger, accept: opts.AcceptLoss}, nil
}

// openPebble opens the folder with every option set. It looks at the store without
// changing it first: Pebble throws away what it does not need as soon as it opens a
// folder to write, a log that was put back in place as well as all tables of a store
// whose manifest is gone.
func openPebble(dir string, opts Options) (*pebbleBackend, error) {
	p := &pebbleBackend{log: pebbleLogger{opts.Logger}}
	o := p.options(opts)
	p.space = &spaceGuard{min: opts.MinFreeBytes, log: opts.Logger, usage: func() (vfs.DiskUsage, error) {
		return o.FS.GetDiskUsage(dir)
	}}
	o.AddEventListener(p.space.listener())
	if err := o.FS.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("storage: making the folder: %w", err)
	}
	if err := p.space.toOpen(o.FS, dir); err != nil {
		return nil, err
	}
	opened := p.stopWhereOpeningFails(o)

	// Until the schema key has shown a store to be ours, its format stays.
	desc, err := pebble.Peek(dir, o.FS)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if exists := err == nil && desc.Exists; exists {
		if desc.FormatMajorVersion != pebble.FormatDefault {
			o.FormatMajorVersion = min(desc.FormatMajorVersion, formatVersion)
		}
		err = inspect(dir, *o, opts)
	} else if err = checkFolder(o.FS, dir); err == nil {
		err = refuseRemains(o.FS, dir)
	}
	if err != nil {
		return nil, err
	}
	if p.db, err = pebble.Open(dir, o); err != nil {
		return nil, err
	}
	opened()
	if err := p.prepare(dir, o.FS); err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	return p, nil
}

// inspect refuses a store that is not ours, or lost its end, and changes nothing.
func inspect(dir string, o pebble.Options, opts Options) error {
	o.ReadOnly = true
	db, err := pebble.Open(dir, &o)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: a file is missing: %w; restore a backup", ErrCorrupt, err)
	}
	if err != nil {
		return err
	}
	err = checkSchema(db)
	if err == nil {
		err = checkAcknowledged(db, o.FS, dir, opts)
	}
	return errors.Join(err, db.Close())
}

// opensTried is how often Pebble may try to write a table while the store is opened.
const opensTried = 10

// stopWhereOpeningFails ends the process where Pebble's Open goes on trying to write
// to a disk that does not take it: it does so for ever, and cannot be called back.
// Opened ends the watch.
func (p *pebbleBackend) stopWhereOpeningFails(o *pebble.Options) (opened func()) {
	var done atomic.Bool
	var failures atomic.Int64
	o.AddEventListener(pebble.EventListener{BackgroundError: func(err error) {
		if !done.Load() && failures.Add(1) == opensTried {
			p.log.Fatalf("the store cannot be opened: the disk does not take what is written (%v); free some space, or look after the disk", err)
		}
	}})
	return func() { done.Store(true) }
}

// prepare makes a store that holds nothing ours, brings an older one to this
// release's format, and reads the number to go on from.
func (p *pebbleBackend) prepare(dir string, fsys vfs.FS) error {
	if err := initSchema(p.db); err != nil {
		return err
	}
	if p.db.FormatMajorVersion() < formatVersion {
		if err := p.db.RatchetFormatMajorVersion(formatVersion); err != nil {
			return fmt.Errorf("storage: raising Pebble's format: %w", err)
		}
	}
	var err error
	if p.number, _, err = meta(p.db, metaNumber); err != nil {
		return err
	}
	p.acknowledged, err = openAcknowledged(fsys, dir, p.number, p.log.log)
	return err
}

func (p *pebbleBackend) options(opts Options) *pebble.Options {
	logging := pebble.MakeLoggingEventListener(p.log)
	o := &pebble.Options{
		FS:                          newFolderFS(opts.FS),
		FormatMajorVersion:          formatVersion,
		CacheSize:                   cacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                maxOpenFiles,
		Logger:                      p.log,
		EventListener:               &logging,
	}
	// Vectors do not compress: trying costs the writers, and the reader too.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockBytes
	}
	if opts.FS == nil {
		o.WithFSDefaults() // logs a disk that hangs
	}
	return o
}
