package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

// ErasuresFile is the name of the list of erasures that lies beside the backups.
const ErasuresFile = "erasures.jsonl"

const (
	// The names of backups sort by their time.
	namePrefix = "rollcall-"
	nameSuffix = ".tar"
	nameTime   = "20060102T150405Z"

	// Unfinished files, and the folders to verify in, begin with this.
	unfinishedPrefix = ".unfinished-"

	// erasuresEvery is how long the list of erasures may be behind.
	erasuresEvery = 5 * time.Second

	// listRetry is how long after a failure the list is tried again: each one is a warning.
	listRetry = time.Minute

	// retryEvery is how long after a failure the next backup is tried.
	retryEvery = 10 * time.Minute

	// spareBytes is what a backup leaves free on its disk. The server's own folder may be on it:
	// this is more than storage.DefaultMinFreeBytes, below which it takes no changes.
	spareBytes = 2 * storage.DefaultMinFreeBytes
)

// Keeper writes backups of a store into a folder, again and again, with the list of
// erasures. It is safe for concurrent use.
type Keeper struct {
	store *storage.Store
	opts  KeepOptions

	mu       sync.Mutex // guards the fields that follow
	newest   time.Time
	writing  time.Time // when the backup under way was begun; zero: there is none
	failures uint64
}

// KeepOptions say where and how often.
type KeepOptions struct {
	Dir   string        // made, for its owner alone, when it is missing
	Every time.Duration // from one backup to the next; more than 0
	Keep  int           // how many good backups stay; at least 1

	Logger *slog.Logger
}

// NewKeeper returns a keeper, and removes from its folder what a crash has left there.
// Nothing is written before [Keeper.Run].
func NewKeeper(store *storage.Store, opts KeepOptions) (*Keeper, error) {
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the backups: %w", err)
	}
	k := &Keeper{store: store, opts: opts}
	entries, err := os.ReadDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of the backups: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinishedPrefix) {
			if err := os.RemoveAll(filepath.Join(opts.Dir, e.Name())); err != nil {
				return nil, fmt.Errorf("remove an unfinished backup: %w", err)
			}
		}
	}
	names, err := k.list()
	if err == nil && len(names) > 0 {
		k.newest, _ = timeOf(names[len(names)-1])
	}
	return k, err
}

// Newest returns when the newest good backup was made; zero: there is none.
func (k *Keeper) Newest() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.newest
}

// Failures returns how many backups have failed since the start.
func (k *Keeper) Failures() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failures
}

// HeldUntil returns until when a backup in the folder holds what left the store's files at a
// time: until so many newer ones are there as the folder keeps, if none fails. It is about
// right: each may come some minutes later. Zero: none holds it.
func (k *Keeper) HeldUntil(gone time.Time) time.Time {
	k.mu.Lock()
	newest, writing := k.newest, k.writing
	k.mu.Unlock()
	names, err := k.list()
	if err != nil {
		writing = gone // as if one was written then
	}
	holds, newer := false, 0
	if !writing.IsZero() && !writing.After(gone) {
		holds, newest = true, writing
	}
	for _, name := range names {
		if at, _ := timeOf(name); at.After(gone) {
			newer++
		} else {
			holds = true
		}
	}
	if !holds || newer >= k.opts.Keep {
		return time.Time{}
	}
	next := time.Now()
	if due := newest.Add(k.opts.Every); due.After(next) {
		next = due
	}
	return next.Add(time.Duration(k.opts.Keep-newer-1) * k.opts.Every).UTC()
}

// Run writes a backup whenever one is due, and the list of erasures when it has changed,
// until ctx is done. Failures are logged, and tried again.
func (k *Keeper) Run(ctx context.Context) {
	var tried time.Time
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		pause := erasuresEvery
		if err := k.writeErasures(ctx); err != nil && ctx.Err() == nil {
			pause = listRetry
			k.failed("the list of erasures could not be written beside the backups", err)
		}
		now := time.Now()
		if due := k.Newest().Add(k.opts.Every); !now.Before(due) && now.Sub(tried) >= min(retryEvery, k.opts.Every) {
			err := k.Write(ctx)
			if !errors.Is(err, storage.ErrCheckpoint) { // else somebody takes one, which ends soon
				tried = now
			}
			if err != nil && ctx.Err() == nil {
				k.failed("a backup failed", err)
			}
		}
		tick.Reset(min(pause, k.opts.Every))
	}
}

func (k *Keeper) failed(what string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failures++
	newest := "none"
	if !k.newest.IsZero() {
		newest = k.newest.Format(time.RFC3339)
	}
	k.opts.Logger.Warn(what, "error", err, "newest_good", newest, "failures", k.failures)
}

// Write writes one backup and verifies it, as [Verify] does. Only then does it get its
// name, and older ones are removed.
func (k *Keeper) Write(ctx context.Context) error {
	began := time.Now().UTC()
	k.begin(began)
	defer k.begin(time.Time{})
	name := filepath.Join(k.opts.Dir, namePrefix+began.Format(nameTime)+nameSuffix)
	part := filepath.Join(k.opts.Dir, unfinishedPrefix+filepath.Base(name))
	m, err := k.write(ctx, part)
	if err == nil {
		err = k.verify(ctx, part, m)
	}
	if err == nil {
		err = os.Rename(part, name)
	}
	if err == nil {
		err = syncDir(k.opts.Dir)
	}
	if err != nil {
		if removed := os.Remove(part); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
		return err
	}
	k.mu.Lock()
	k.newest = began
	k.mu.Unlock()
	k.opts.Logger.Info("a backup was written and verified", "file", name, "bytes", m.Bytes(), "changes", m.Changes, "took", time.Since(began).Round(time.Millisecond))
	return k.removeOld(filepath.Base(name))
}

// begin notes when the backup under way was begun.
func (k *Keeper) begin(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.writing = at
}

func (k *Keeper) write(ctx context.Context, name string) (m Manifest, err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return m, fmt.Errorf("write the backup: %w", err)
	}
	w := bufio.NewWriterSize(roomy{file, k.opts.Dir}, roomyBytes)
	if m, err = Write(ctx, w, k.store, nil); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return m, errors.Join(err, file.Close())
}

func (k *Keeper) verify(ctx context.Context, name string, wrote Manifest) (err error) {
	if err := room(k.opts.Dir, wrote.Bytes()); err != nil {
		return fmt.Errorf("verify the backup: %w", err)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	temp, err := os.MkdirTemp(k.opts.Dir, unfinishedPrefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	_, err = Verify(ctx, bufio.NewReaderSize(file, roomyBytes), temp, Options{Storage: storage.Options{SealKey: k.store.SealKey()}})
	if err != nil {
		return fmt.Errorf("verify the backup: %w", err)
	}
	return nil
}

// roomyBytes is after how much the free space is looked at again.
const roomyBytes = 4 << 20

// roomy is a writer that leaves spareBytes free.
type roomy struct {
	io.Writer
	dir string
}

// Write serves io.Writer.
func (r roomy) Write(b []byte) (int, error) {
	if err := room(r.dir, int64(len(b))); err != nil {
		return 0, err
	}
	return r.Writer.Write(b)
}

// room returns an error unless so many bytes leave spareBytes free.
func room(dir string, bytes int64) error {
	usage, err := vfs.Default.GetDiskUsage(dir)
	if err != nil {
		return fmt.Errorf("look for free space: %w", err)
	}
	if usage.AvailBytes < uint64(bytes+spareBytes) {
		return fmt.Errorf("the disk of the backups has %d MiB free, and %d MiB are needed: free some space, or keep fewer backups",
			usage.AvailBytes>>20, (bytes+spareBytes)>>20)
	}
	return nil
}

// removeOld removes all good backups but the newest ones. The last one counts as newest,
// whatever the clock says.
func (k *Keeper) removeOld(last string) error {
	names, err := k.list()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == last })
	for _, name := range names[:max(0, len(names)+1-k.opts.Keep)] {
		if err := os.Remove(filepath.Join(k.opts.Dir, name)); err != nil {
			return fmt.Errorf("remove an old backup: %w", err)
		}
	}
	return nil
}

// list returns the names of the good backups, oldest first.
func (k *Keeper) list() (names []string, err error) {
	entries, err := os.ReadDir(k.opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of the backups: %w", err)
	}
	for _, e := range entries {
		if _, ok := timeOf(e.Name()); ok && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// timeOf returns when a backup with this name was begun.
func timeOf(name string) (time.Time, bool) {
	name, first := strings.CutPrefix(name, namePrefix)
	name, last := strings.CutSuffix(name, nameSuffix)
	at, err := time.Parse(nameTime, name)
	return at, first && last && err == nil
}

// writeErasures writes the list of erasures, if it is not there already.
func (k *Keeper) writeErasures(ctx context.Context) error {
	list, err := k.store.Erasures(ctx)
	if err != nil {
		return err
	}
	name := filepath.Join(k.opts.Dir, ErasuresFile)
	there, err := os.ReadFile(name)
	if err == nil {
		err = keepErasures(list, there)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var text bytes.Buffer
	if err := list.Write(&text); err != nil {
		return err
	}
	if bytes.Equal(there, text.Bytes()) {
		return nil
	}
	part := filepath.Join(k.opts.Dir, unfinishedPrefix+ErasuresFile)
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text.Bytes())
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return syncDir(k.opts.Dir)
}

// keepErasures adds to a list what the file beside the backups has already: the store may have been
// restored without it.
func keepErasures(list *storage.Erasures, text []byte) error {
	there, err := storage.ReadErasures(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", ErasuresFile, err)
	}
	if there.Key != list.Key {
		return fmt.Errorf("%s is of another server, and is not replaced: apply it with \"rollcall restore --erasures\", or take another folder for the backups", ErasuresFile)
	}
	for digest, entry := range there.Entries {
		list.Note(digest, entry)
	}
	return nil
}

// syncDir brings the names in a folder to disk.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
