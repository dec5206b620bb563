package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/storage"
	"rollcall/storage/disktest"
)

// fullDiskMiB is the size of the disk, spareMiB what a backup leaves free of it, and largeMiB
// about how large the backup is.
const (
	fullDiskMiB = 1024
	spareMiB    = spareBytes >> 20
	largeMiB    = 12
)

// large returns a store with some MiB of vectors that do not compress.
func large(t *testing.T, dir string) *storage.Store {
	t.Helper()
	s := school(t, dir)
	p, err := s.Partition("north")
	must(t, err)
	rng := rand.New(rand.NewPCG(27, 3))
	for n := range uint64(largeMiB) {
		e := storage.Embedding{CropID: fmt.Sprint("large ", n), Model: "m", Vector: make([]float32, 1<<18), Created: noon}
		for i := range e.Vector {
			e.Vector[i] = rng.Float32()
		}
		must(t, p.Commit(t.Context(), n, []storage.Change{{Time: noon, Cause: "test", Writes: []storage.Write{{Ref: e.Ref(), Put: e}}}}))
	}
	return s
}

// TestBackupOnFullDisk lets the disk of the backups become full in the middle of one: the half
// file goes, the last good one stays, the failure is counted and logged, the store takes
// changes meanwhile, and the next backup is good once there is room.
func TestBackupOnFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector has nothing to find here")
	}
	disk := disktest.Mount(t, fullDiskMiB)
	dir, data := filepath.Join(disk, "backups"), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := large(t, data)
		var log lockedBuffer
		k, err := NewKeeper(s, KeepOptions{Dir: dir, Every: 24 * time.Hour, Keep: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		disktest.Leave(t, disk, fullDiskMiB)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); k.Run(ctx) }()
		wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		wait(time.Hour)
		first := good(t, dir)
		if len(first) != 1 || k.Failures() > 0 {
			t.Fatalf("at the start it has %q: %s", first, &log)
		}

		const left = spareMiB + largeMiB/2
		disktest.Leave(t, disk, left)
		wait(23*time.Hour + time.Minute)
		enrol(t, s, "south", 1)
		if names := good(t, dir); !slices.Equal(names, first) || k.Failures() == 0 {
			t.Errorf("on a full disk it has %q, and %d failures", names, k.Failures())
		}
		half := slices.ContainsFunc(list(t, dir), func(name string) bool { return strings.HasPrefix(name, unfinishedPrefix) })
		said := regexp.MustCompile(`level=WARN msg="a backup failed" error="write [^ ]+ to the backup: the disk of the backups has (\d+) MiB free, and \d+ MiB are needed: free some space`).FindStringSubmatch(log.String())
		if half || said == nil {
			t.Fatalf("a half file is left: %v; the log is %s", half, &log)
		}
		if free, _ := strconv.Atoi(said[1]); free > left-4 {
			t.Errorf("%d MiB were free when it failed: it was not in the middle", free)
		}

		disktest.Leave(t, disk, fullDiskMiB)
		failures := k.Failures()
		wait(time.Hour)
		names := good(t, dir)
		if len(names) != 2 || names[0] != first[0] || k.Failures() != failures {
			t.Errorf("with room again it has %q, and %d failures after %d: %s", names, k.Failures(), failures, &log)
		}
		stop()
		<-done
		must(t, s.Close())
	})
}

// TestRestoreOnFullDisk restores to a disk that is full before the end: the error says so, and nothing
// is left. With room the same call restores all.
func TestRestoreOnFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector has nothing to find here")
	}
	disk := disktest.Mount(t, 4*largeMiB)
	s := large(t, t.TempDir())
	var file bytes.Buffer
	_, err := Write(t.Context(), &file, s, nil)
	must(t, err)
	dir := filepath.Join(disk, "data")
	restore := func() error {
		_, err := Restore(t.Context(), bytes.NewReader(file.Bytes()), dir, Options{Storage: storage.Options{MinFreeBytes: -1}})
		return err
	}
	for _, mib := range []int64{0, 1, largeMiB / 2} {
		disktest.Leave(t, disk, mib)
		err := restore()
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "nothing was restored: free some space, and restore again") {
			t.Errorf("%d MiB free: %v", mib, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d MiB free: something is left: %v", mib, err)
		}
	}
	disktest.Leave(t, disk, 4*largeMiB)
	must(t, restore())
	if n := len(content(t, school(t, dir), "north")); n != largeMiB {
		t.Errorf("%d records", n)
	}
}
