package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// serve is the server that dies around a sync. It is set up as "serve" is, on a file system that
// ends the process: so the product needs no places at which it can be made to fail.
func (o *crashOptions) serve(ctx context.Context, out, progress io.Writer) (err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	left := new(atomic.Int64)
	left.Store(o.dieAt)
	s, err := startServerOn(ctx, w, o.server, serverOptions{disk: dyingFS{vfs.Default, left}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	fmt.Fprintf(out, "Rollcall answers at %s\n", s.url)
	<-ctx.Done()
	return nil
}

// dyingFS is a file system on which the process is killed at a moment before or after a sync,
// when left comes to 0. Two moments belong to a sync, so an odd number of moments is before one.
type dyingFS struct {
	vfs.FS
	left *atomic.Int64
}

// Unwrap is for vfs.Root.
func (f dyingFS) Unwrap() vfs.FS { return f.FS }

func (f dyingFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.watch(f.FS.Create(name, category))
}

func (f dyingFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.watch(f.FS.OpenReadWrite(name, category, opts...))
}

func (f dyingFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.watch(f.FS.ReuseForWrite(oldname, newname, category))
}

func (f dyingFS) OpenDir(name string) (vfs.File, error) { return f.watch(f.FS.OpenDir(name)) }

func (f dyingFS) watch(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return dyingFile{file, f.left}, nil
}

type dyingFile struct {
	vfs.File
	left *atomic.Int64
}

func (f dyingFile) Sync() error {
	f.moment()
	defer f.moment()
	return f.File.Sync()
}

func (f dyingFile) SyncData() error {
	f.moment()
	defer f.moment()
	return f.File.SyncData()
}

func (f dyingFile) SyncTo(length int64) (fullSync bool, err error) {
	f.moment()
	defer f.moment()
	return f.File.SyncTo(length)
}

// moment kills the process if this is the moment, and never returns then.
func (f dyingFile) moment() {
	if f.left.Add(-1) != 0 {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the server cannot kill itself:", err)
		os.Exit(1)
	}
	select {}
}
