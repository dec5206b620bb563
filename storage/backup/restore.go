package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"syscall"

	"rollcall/storage"
)

// Options say how a backup is read.
type Options struct {
	// Storage is how the restored store is opened.
	Storage storage.Options

	// Progress is told how much of the backup was read.
	Progress Progress

	// Then, if not nil, gets the restored store before anybody else can open it. Its
	// error ends the restore.
	Then func(ctx context.Context, store *storage.Store) error
}

// Restore makes the folder dir out of a backup. Nothing can be opened there until the
// whole backup was read and compared with its digests, and until the store in it was
// opened, read to its end, and its chains verified. Dir must be empty or missing:
// storage.ErrOccupied. Other errors are those of [Check] and of [storage.Open]; then dir is
// as it was.
func Restore(ctx context.Context, r io.Reader, dir string, opts Options) (m Manifest, err error) {
	err = storage.Fill(dir, func(dir string) error {
		m, err = read(ctx, r, opts.Progress, func(name string) (io.WriteCloser, error) {
			file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			return synced{file}, err
		})
		if err != nil {
			return err
		}
		if err := compare(ctx, m, dir, opts); err != nil || opts.Then == nil {
			return err
		}
		return then(ctx, dir, opts)
	})
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w: nothing was restored: free some space, and restore again", err)
	}
	return m, err
}

// Verify does what Restore does, in a new folder inside of temp, and removes it.
func Verify(ctx context.Context, r io.Reader, temp string, opts Options) (m Manifest, err error) {
	dir, err := os.MkdirTemp(temp, "rollcall-verify-*")
	if err != nil {
		return m, fmt.Errorf("make a folder to verify in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return Restore(ctx, r, dir, opts)
}

// synced is a file that is on disk when it is closed.
type synced struct{ *os.File }

// Close serves io.Closer.
func (f synced) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// then opens the restored folder for the caller.
func then(ctx context.Context, dir string, opts Options) (err error) {
	store, err := storage.Open(dir, opts.Storage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return opts.Then(ctx, store)
}

// compare reads all of the restored store, and compares it with the manifest.
func compare(ctx context.Context, m Manifest, dir string, opts Options) (err error) {
	store, err := storage.OpenReadOnly(dir, opts.Storage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	newest, err := store.Newest(ctx)
	if err != nil {
		return err
	}
	var got Manifest
	got.note(newest)
	if got.Own != m.Own || !maps.Equal(got.Galleries, m.Galleries) || fmt.Sprintf("%016x", store.Server()) != m.Server {
		return fmt.Errorf("%w: what it holds is not what its manifest says", ErrDamaged)
	}
	for _, n := range newest {
		if err := verify(ctx, store, n.ID); err != nil {
			return fmt.Errorf("gallery %q: %w", n.ID, err)
		}
	}
	return nil
}

// verify reads all of a partition.
func verify(ctx context.Context, store *storage.Store, id string) error {
	p, err := store.Partition(id)
	if err != nil {
		return err
	}
	for _, err := range p.Load(ctx) {
		if err != nil {
			return err
		}
	}
	_, err = p.Verify(ctx)
	return err
}
