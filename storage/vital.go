package storage

import (
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// vitalFS ends the process when a log or the folder cannot be written. Pebble panics then, partly
// in goroutines of its own and partly while it has given up a lock that it unlocks again: nobody
// can recover from that, and nobody would learn the reason.
type vitalFS struct {
	vfs.FS
	log pebbleLogger
}

// Unwrap is for vfs.Root.
func (f vitalFS) Unwrap() vfs.FS { return f.FS }

func (f vitalFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return f.vital(name, file, err)
}

func (f vitalFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.vital(newname, file, err)
}

func (f vitalFS) vital(name string, file vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return file, err
	}
	log := vitalFile{file, name, f.log}
	return log, log.must(err)
}

// OpenDir opens a folder, to sync it.
func (f vitalFS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return vitalFile{dir, name, f.log}, nil
}

// vitalFile is a file of a vitalFS that is written.
type vitalFile struct {
	vfs.File
	name string
	log  pebbleLogger
}

// must ends the process if there is an error.
func (f vitalFile) must(err error) error {
	if err != nil {
		f.log.Fatalf("%s cannot be written (%v); what was acknowledged is on the disk; check the disk, or free some space, and start again", f.name, err)
	}
	return err
}

func (f vitalFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.must(err)
}

func (f vitalFile) Sync() error     { return f.must(f.File.Sync()) }
func (f vitalFile) SyncData() error { return f.must(f.File.SyncData()) }
func (f vitalFile) Close() error    { return f.must(f.File.Close()) }

func (f vitalFile) SyncTo(length int64) (fullSync bool, err error) {
	fullSync, err = f.File.SyncTo(length)
	return fullSync, f.must(err)
}

// writesTried is how often in a row Pebble may fail to write a table: it tries again at once, for
// ever, and lets a flush that somebody waits for never end.
const writesTried = 10

// stopWhereWritesFail ends the process if the disk refuses Pebble's tables again and again. What
// was acknowledged is in the log. Damage that a compaction reads is no reason: the gallery still
// has to be looked at.
func (p *pebbleBackend) stopWhereWritesFail(o *pebble.Options) {
	var failures atomic.Int64
	worked := func(err error) {
		if err == nil {
			failures.Store(0)
		}
	}
	o.AddEventListener(pebble.EventListener{
		FlushEnd:      func(info pebble.FlushInfo) { worked(info.Err) },
		CompactionEnd: func(info pebble.CompactionInfo) { worked(info.Err) },
		BackgroundError: func(err error) {
			if !pebble.IsCorruptionError(err) && failures.Add(1) == writesTried {
				p.log.Fatalf("the disk refuses what is written to it (%v); nothing that was acknowledged is lost; free some space, or check the disk, and start again", err)
			}
		},
	})
}
