package backup

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/storage"
)

// good returns the names of the backups in a folder, each of which verifies.
func good(t *testing.T, dir string) (names []string) {
	t.Helper()
	for _, name := range list(t, dir) {
		if !strings.HasSuffix(name, nameSuffix) || strings.HasPrefix(name, ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if _, err := Check(t.Context(), bytes.NewReader(text), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, %v", name, info.Mode(), err)
		}
		names = append(names, name)
	}
	return names
}

// lockedBuffer is read while the keeper may write to it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestKeeper lets days pass: a backup is written each day, the newest ones stay, and other files
// too. While it fails the old ones stay, and it says so.
func TestKeeper(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "backups")
	must(t, os.MkdirAll(filepath.Join(dir, unfinishedPrefix+"verify"), 0o700))
	for _, name := range []string{unfinishedPrefix + "x.tar", "letter.txt", "rollcall-notes.tar"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	synctest.Test(t, func(t *testing.T) {
		s := school(t, filepath.Join(top, "data"))
		enrol(t, s, "north", 1)
		var log lockedBuffer
		k, err := NewKeeper(s, KeepOptions{Dir: dir, Every: 24 * time.Hour, Keep: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		if !k.Newest().IsZero() || slices.ContainsFunc(list(t, dir), func(name string) bool { return strings.HasPrefix(name, unfinishedPrefix) }) {
			t.Errorf("newest %v, and the folder has %q", k.Newest(), list(t, dir))
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); k.Run(ctx) }()
		days := func(n int) { time.Sleep(time.Duration(n)*24*time.Hour + time.Hour); synctest.Wait() }
		days(0)
		first := k.Newest()
		must(t, os.Remove(filepath.Join(dir, "rollcall-notes.tar")))
		if names := good(t, dir); len(names) != 1 || time.Since(first) > 2*time.Hour {
			t.Fatalf("at the start it has %q, newest %v: %s", names, first, &log)
		}
		days(3)
		names := good(t, dir)
		if len(names) != 2 || time.Since(k.Newest()) > 24*time.Hour || k.Failures() > 0 {
			t.Errorf("after three days it has %q, newest %v, %d failures", names, k.Newest(), k.Failures())
		}
		if list := list(t, dir); !slices.Equal(list, append([]string{ErasuresFile, "letter.txt"}, names...)) {
			t.Errorf("the folder has %q", list)
		}

		last := filepath.Join(dir, names[1])
		until := k.HeldUntil(time.Now())
		time.Sleep(time.Until(until) - time.Hour)
		synctest.Wait()
		if _, err := os.Stat(last); err != nil || k.HeldUntil(k.Newest().Add(-49*time.Hour)) != (time.Time{}) {
			t.Errorf("an hour before %v: %v", until, err)
		}
		days(0)
		days(0)
		if _, err := os.Stat(last); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an hour after %v: %v, and %q", until, err, list(t, dir))
		}

		moved, newest := filepath.Join(top, "moved"), k.Newest()
		must(t, os.Rename(dir, moved))
		days(1)
		if k.Failures() == 0 || k.Newest() != newest || !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("%d failures, newest %v, log %q", k.Failures(), k.Newest(), &log)
		}
		must(t, os.Rename(moved, dir))
		days(0)
		if k.Newest() == newest || len(good(t, dir)) != 2 {
			t.Errorf("afterwards it has %q, newest %v", good(t, dir), k.Newest())
		}
		stop()
		<-done
		again, err := NewKeeper(s, k.opts)
		must(t, err)
		if !again.Newest().Equal(k.Newest().Truncate(time.Second)) {
			t.Errorf("a new keeper says %v, want %v", again.Newest(), k.Newest())
		}
		must(t, s.Close())
	})
}

// TestErasuresStayListed: the list beside the backups forgets nothing when the store does, and is
// not replaced by that of another store.
func TestErasuresStayListed(t *testing.T) {
	dir := t.TempDir()
	s := school(t, filepath.Join(dir, "data"))
	own, err := s.Erasures(t.Context())
	must(t, err)
	enrol(t, s, "north", 1)
	enrol(t, s, "north", 2)
	var file bytes.Buffer
	_, err = Write(t.Context(), &file, s, nil)
	must(t, err)

	backups := filepath.Join(dir, "backups")
	k, err := NewKeeper(s, KeepOptions{Dir: backups, Every: time.Hour, Keep: 1, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	own.Note(own.Key.Student("north", "student 1"), storage.Entry{Time: noon.Add(time.Hour)})
	_, err = s.Apply(t.Context(), own)
	must(t, err)
	must(t, k.writeErasures(t.Context()))

	// The store is restored without the list.
	text, err := os.ReadFile(filepath.Join(backups, ErasuresFile))
	must(t, err)
	restored := filepath.Join(dir, "restored")
	_, err = Restore(t.Context(), bytes.NewReader(file.Bytes()), restored, Options{})
	must(t, err)
	r := school(t, restored)
	k.store = r
	must(t, k.writeErasures(t.Context()))
	after, err := os.ReadFile(filepath.Join(backups, ErasuresFile))
	must(t, err)
	if !bytes.Equal(after, text) {
		t.Errorf("the list was %s, and is %s", text, after)
	}

	// And with it.
	list, err := storage.ReadErasures(bytes.NewReader(text))
	must(t, err)
	again := filepath.Join(dir, "again")
	_, err = Restore(t.Context(), bytes.NewReader(file.Bytes()), again, Options{Then: func(ctx context.Context, s *storage.Store) error {
		applied, err := s.Apply(ctx, list)
		if applied.Crops != 1 {
			t.Errorf("applied %+v", applied)
		}
		return err
	}})
	must(t, err)
	if all := content(t, school(t, again), "north"); len(all) != 4 || !strings.Contains(all[1], "crop 2") {
		t.Errorf("it has %q", all)
	}

	k.store = school(t, filepath.Join(dir, "other"))
	if err := k.writeErasures(t.Context()); err == nil {
		t.Error("the list of another store is replaced")
	}
}

// TestListThatCannotBeWritten: a list that cannot be written is one warning a minute, not
// one each time it is looked at.
func TestListThatCannotBeWritten(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "backups")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, ErasuresFile), []byte("no list"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s := school(t, filepath.Join(top, "data"))
		enrol(t, s, "north", 1)
		k, err := NewKeeper(s, KeepOptions{Dir: dir, Every: 24 * time.Hour, Keep: 2, Logger: slog.New(slog.DiscardHandler)})
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { k.Run(ctx) })
		time.Sleep(10*time.Minute + time.Second)
		stop()
		done.Wait()
		if n := k.Failures(); n < 10 || n > 12 {
			t.Errorf("%d failures in ten minutes", n)
		}
		must(t, s.Close())
	})
}
