package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// DefaultMinFreeBytes leaves room for what Pebble may still write after
	// the last accepted change: the full memtables in the log (32 MiB) and
	// again as tables, and the output of a compaction of the upper levels
	// beside its inputs (about 64 MiB each). It is twice that sum, which is
	// still a small part of a disk.
	DefaultMinFreeBytes = 384 << 20

	// formatVersion pins Pebble's format: the lowest that has sync marks in
	// the log, which tell a torn end from damage (FormatWALSyncChunks), and
	// checksums over table footers. It cannot be taken back, so it is raised
	// by hand, never by an update of Pebble.
	formatVersion = pebble.FormatTableFormatV6

	// memTableBytes and memTables bound what Pebble holds in memory before
	// writers have to wait: 4 tables of 8 MiB, some 15,000 embeddings of 512
	// dimensions.
	memTableBytes = 8 << 20
	memTables     = 4

	// cacheBytes holds the blocks that single reads touch. Searches run on the
	// index in memory, not here, so a small cache is enough.
	cacheBytes = 32 << 20

	// maxOpenFiles is far above the number of files of a large gallery (a
	// million embeddings are a few hundred tables). It is far below the limit
	// of a process, which also needs files for its connections.
	maxOpenFiles = 500

	// blockBytes is large for Pebble, as nearly every read is a scan of all
	// embeddings.
	blockBytes = 128 << 10
)

// Options configure a store in a folder. The zero value is a good choice.
type Options struct {
	// Logger takes the store's log. Pebble's own log goes to it at level
	// debug, and Pebble's errors at level error. Default: nothing is logged.
	Logger *slog.Logger

	// MinFreeBytes is the free space, in bytes, below which Commit returns
	// ErrReadOnly. Default: DefaultMinFreeBytes. Negative: never.
	MinFreeBytes int64

	// FS is the file system that the folder is on. Default: the operating
	// system's. For tests, such as those that crash: vfs.NewCrashableMem.
	FS vfs.FS

	// AcceptLoss opens a damaged folder with what is left in it. Without it,
	// missing acknowledged changes are ErrLost and a damaged log of Pebble is
	// ErrCorrupt. With it, a damaged log is cut off where the damage begins,
	// and what is missing is logged. Copy the folder before: what was cut is
	// gone.
	AcceptLoss bool

	// SealKey seals a new folder, and opens a sealed one. Nil: a folder without sealing.
	SealKey *SealKey

	// Target opens a folder for [Copy] to fill: a new one, or one where a Copy was
	// interrupted.
	Target bool

	lock *pebble.Lock // of the folder, where the caller holds it; nil: Open takes it
}

// Open opens the folder dir, and creates it, for its owner alone, when it is
// missing. It returns ErrLocked, ErrForeign, ErrOldSchema, ErrNewerSchema,
// ErrSealKey, ErrLost, ErrUnfinished or ErrCorrupt, each wrapped with what to do. An Open that fails in
// this way leaves the folder as it was, unless AcceptLoss is set.
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
	s := &Store{backend: p, server: p.server, usage: p.space.usage}
	if opts.SealKey != nil {
		s.backend = newSealed(p, opts.SealKey)
	}
	return s, nil
}

// openPebble opens the folder with every option set. It first looks at the
// store without changing it. As soon as Pebble opens a folder for writing, it
// deletes the files that it does not need. These can be a log that somebody
// has put back, or all tables of a store that has lost its manifest.
func openPebble(dir string, opts Options) (*pebbleBackend, error) {
	p := &pebbleBackend{dir: dir, log: pebbleLogger{opts.Logger}}
	o := p.options(opts)
	p.fs = o.FS
	p.space = &spaceGuard{min: opts.MinFreeBytes, log: opts.Logger, usage: func() (vfs.DiskUsage, error) {
		return o.FS.GetDiskUsage(dir)
	}}
	o.AddEventListener(p.space.listener())
	if err := o.FS.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("storage: making the folder: %w", err)
	}
	if err := refuseUnfilled(o.FS, dir); err != nil {
		return nil, err
	}
	if err := p.space.toOpen(o.FS, dir); err != nil {
		return nil, err
	}
	p.stopWhereWritesFail(o)

	// The format stays as it is until the schema key has shown that the store
	// is ours.
	desc, err := pebble.Peek(dir, o.FS)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if exists := err == nil && desc.Exists; exists {
		var db *pebble.DB
		if db, err = inspect(dir, desc, o, opts); err == nil {
			err = errors.Join(db.Close(), dropBadOptions(dir, desc.OptionsFilename, o, opts.Logger))
		}
	} else if err = checkFolder(o.FS, dir); err == nil {
		err = refuseRemains(o.FS, dir)
	}
	if err != nil {
		return nil, err
	}
	if p.db, err = pebble.Open(dir, o); err != nil {
		return nil, err
	}
	err = p.prepare(dir, o.FS, opts.SealKey)
	if err == nil {
		err = p.removeCheckpoint()
	}
	if err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	return p, nil
}

// prepare writes the schema into a new store, raises the format of an older
// store to that of this release, and reads the store's own numbers.
func (p *pebbleBackend) prepare(dir string, fsys vfs.FS, key *SealKey) error {
	if err := initSchema(p.db, key); err != nil {
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
	if p.server, _, err = meta(p.db, metaServer); err != nil {
		return err
	}
	p.acknowledged, err = openAcknowledged(fsys, dir, p.number, p.log.log)
	return err
}

func (p *pebbleBackend) options(opts Options) *pebble.Options {
	logging := pebble.MakeLoggingEventListener(p.log)
	logging.DataCorruption = p.log.damaged
	o := &pebble.Options{
		FS:                          vitalFS{newFolderFS(opts.FS), p.log},
		FormatMajorVersion:          formatVersion,
		CacheSize:                   cacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                maxOpenFiles,
		MaxManifestFileSize:         1, // a new one begins when it is worth it, not when it is large
		Cleaner:                     noRecycling{},
		Logger:                      p.log,
		Lock:                        opts.lock,
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

// noRecycling deletes files that Pebble does not need. Pebble writes into old logs again,
// and a log could hold for years what was erased, unless its cleaner needs what is in
// them. This one says so, as the archiving cleaner does, and deletes them.
type noRecycling struct {
	pebble.DeleteCleaner
	needsContents
}

type needsContents struct{ pebble.ArchiveCleaner }
