package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// OpenReadOnly opens a folder for reading alone, and writes nothing but a lock into it: so
// a full disk does not end the process. Commit returns ErrReadOnly. The other errors are
// those of [Open], and fs.ErrNotExist where there is no store.
func OpenReadOnly(dir string, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	p := &pebbleBackend{dir: dir, log: pebbleLogger{opts.Logger}}
	if err := p.openReadOnly(opts); err != nil {
		if pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return nil, fmt.Errorf("opening the store in %s for reading: %w", dir, err)
	}
	s := &Store{backend: readOnly{p}, server: p.server}
	if opts.SealKey != nil {
		s.backend = newSealed(s.backend, opts.SealKey)
	}
	return s, nil
}

func (p *pebbleBackend) openReadOnly(opts Options) error {
	o := p.options(opts)
	p.fs = o.FS
	if err := refuseUnfilled(o.FS, p.dir); err != nil {
		return err
	}
	desc, err := pebble.Peek(p.dir, o.FS)
	if err != nil {
		return err
	}
	if !desc.Exists {
		if err := refuseRemains(o.FS, p.dir); err != nil {
			return err
		}
		if err := checkFolder(o.FS, p.dir); err != nil {
			return err
		}
		return fmt.Errorf("there is no store in it: %w", fs.ErrNotExist)
	}
	if p.db, err = inspect(p.dir, desc, o, opts); err != nil {
		return err
	}
	if p.server, _, err = meta(p.db, metaServer); err != nil {
		return errors.Join(err, p.db.Close())
	}
	return nil
}

// readOnly is a pebbleBackend that was opened for reading.
type readOnly struct{ *pebbleBackend }

func (readOnly) commit(*batch) error { return errReadOnly }

func (readOnly) writable() error { return errReadOnly }

func (readOnly) rewrite(context.Context, span) error { return errReadOnly }

func (r readOnly) close() error { return r.db.Close() }

var errReadOnly = fmt.Errorf("%w, or was opened for reading", ErrReadOnly)
