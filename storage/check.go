package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// Damage is what is wrong with one file of a folder.
type Damage struct {
	File string // its name in the folder
	What string // what is wrong with it
	Lost string // what is lost with it; "": nothing
	Do   string // what to do
}

// CheckFiles reads every file that the store in the folder dir needs, and verifies the
// checksums in it. It changes nothing. S is the store, which [OpenReadOnly] has opened;
// nil: it cannot be opened. FS is the file system; nil: the operating system's.
// Progress, if not nil, is called with the bytes that were read, and all of them.
func CheckFiles(ctx context.Context, dir string, s *Store, fsys vfs.FS, progress func(done, total int64)) ([]Damage, error) {
	if fsys == nil {
		fsys = vfs.Default
	}
	names, err := fsys.List(dir)
	if err != nil {
		return nil, fmt.Errorf("storage: looking into the folder: %w", err)
	}
	c := checking{in: inspection{fs: fsys, dir: dir}, progress: progress}
	if desc, err := pebble.Peek(dir, fsys); err == nil && desc.Exists {
		c.in.manifest, c.options = filepath.Base(desc.ManifestFilename), filepath.Base(desc.OptionsFilename)
	}
	if c.opened = s != nil; c.opened {
		if c.holds, err = s.tables(); err != nil {
			return nil, err
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			_, needed := c.holds[name]
			return strings.HasSuffix(name, ".sst") && !needed // Pebble deletes it at the next start
		})
	}
	slices.Sort(names)
	for _, name := range names {
		if info, err := fsys.Stat(fsys.PathJoin(dir, name)); err == nil && !info.IsDir() {
			c.total += info.Size()
		}
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.file(name); err != nil {
			return nil, fmt.Errorf("storage: checking %s: %w", name, err)
		}
	}
	return c.damages, nil
}

// checking is a CheckFiles under way.
type checking struct {
	in      inspection
	opened  bool
	options string              // the newest file of options
	holds   map[string][]string // the partitions that lie in each table, where the store is open

	done, total int64
	progress    func(done, total int64)
	damages     []Damage
}

func (c *checking) file(name string) error {
	var err error
	switch {
	case strings.HasSuffix(name, ".sst"):
		err = c.table(name)
	case strings.HasSuffix(name, ".log"):
		err = c.log(name)
	case name == c.in.manifest:
		c.manifest()
	case name == c.options:
		err = c.optionsFile(name)
	case name == acknowledgedFile:
		c.acknowledged()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // gone meanwhile
		return err
	}
	if info, err := c.in.fs.Stat(c.in.fs.PathJoin(c.in.dir, name)); err == nil && !info.IsDir() {
		c.done += info.Size()
	}
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return nil
}

func (c *checking) add(file, what, lost, do string) {
	c.damages = append(c.damages, Damage{file, what, lost, do})
}

// table verifies the checksum of each block.
func (c *checking) table(name string) error {
	file, err := c.in.fs.Open(c.in.fs.PathJoin(c.in.dir, name))
	if err != nil {
		return err
	}
	source, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r, err := sstable.NewReader(context.Background(), source, sstable.ReaderOptions{})
	if err == nil {
		err = errors.Join(r.ValidateBlockChecksums(), r.Close())
	} else {
		_ = source.Close() // nothing was written
	}
	if err == nil || !pebble.IsCorruptionError(err) {
		return err
	}
	what, _, _ := strings.Cut(err.Error(), "\n")
	lost := "a part of the records, logs or journals"
	if ids := c.holds[name]; len(ids) > 0 {
		lost += " of " + strings.Join(ids, ", ")
	}
	c.add(name, "a table is damaged: "+what, lost, "restore a backup")
	return nil
}

// log looks for damage in one of Pebble's logs. Where the store can be opened, everything
// that was acknowledged is there, whatever the end of a log looks like.
func (c *checking) log(name string) error {
	if c.opened {
		return nil
	}
	logs, err := wal.Scan(wal.Dir{FS: c.in.fs, Dirname: c.in.dir})
	if err != nil {
		return err
	}
	for i, log := range logs {
		if _, path := log.SegmentLocation(0); c.in.fs.PathBase(path) != name {
			continue
		}
		damage, damaged, err := findDamage(log)
		if err == nil && damaged && !(damage.onlyShort && i == len(logs)-1) {
			c.add(name, fmt.Sprintf("a log is damaged after %d bytes", damage.at), "changes behind that place which are in no table",
				"restore a backup, or go on without them: serve --accept-loss")
		}
		return err
	}
	return nil
}

func (c *checking) manifest() {
	if !c.in.manifestDamaged() {
		return
	}
	if c.opened {
		c.add(c.in.manifest, "the list of tables ends in the middle of a record, as after a power failure", "", "start the server: it writes a new one")
		return
	}
	c.add(c.in.manifest, "the list of tables is damaged", "which tables belong together", "restore a backup")
}

func (c *checking) optionsFile(name string) error {
	bad, err := badOptions(c.in.fs, c.in.dir, c.in.fs.PathJoin(c.in.dir, name))
	if err == nil && bad {
		c.add(name, "a file of options is damaged", "", "start the server: it writes a new one")
	}
	return err
}

func (c *checking) acknowledged() {
	if _, err := saidAcknowledged(c.in.fs, c.in.dir); err != nil {
		c.add(acknowledgedFile, fmt.Sprintf("the count of acknowledged changes cannot be read (%v)", err), "",
			"nobody can tell whether the last changes are there: compare them with what you know, and start the server, which writes a new one")
	}
}

// tables returns the files of the store's tables, each with the partitions in it.
func (s *Store) tables() (map[string][]string, error) {
	b := s.backend
	if sealed, ok := b.(*sealed); ok {
		b = sealed.backend
	}
	levels, err := b.(readOnly).db.SSTables()
	if err != nil {
		return nil, fmt.Errorf("storage: listing the tables: %w", err)
	}
	ids, err := s.Partitions(context.Background())
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	holds := make(map[string][]string)
	for _, level := range levels {
		for _, info := range level {
			name := info.BackingSSTNum.String() + ".sst"
			held := holds[name]
			for _, id := range ids {
				k, err := keysOf(id)
				if err != nil {
					return nil, err
				}
				if all := k.all(); bytes.Compare(all.lower, info.Largest.UserKey) <= 0 && bytes.Compare(info.Smallest.UserKey, all.upper) < 0 {
					held = append(held, fmt.Sprintf("%q", id))
				}
			}
			holds[name] = held
		}
	}
	return holds, nil
}
