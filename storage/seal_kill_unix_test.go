//go:build unix

package storage

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rollcall/storage/powertest"
)

// sealKills is how many kills TestSealFolderKilled makes.
var sealKills = flag.Int("seal-kills", 2, "how many times TestSealFolderKilled kills each way of sealing, spread evenly over its writes; 0: before every write")

// TestSealFolderKilled kills the process that seals a folder, gives it new data keys, or unseals it,
// before one write of each run. The folder opens with the old key or with the new one and has
// lost nothing; the same call goes on, and leaves the old files whole beside it.
func TestSealFolderKilled(t *testing.T) {
	ways := [][2]byte{{0, 1}, {1, 2}, {1, 0}} // from and to: numbers of keys, 0: none
	key := func(n byte) *SealKey {
		if n == 0 {
			return nil
		}
		return testKey(t, n)
	}
	if part := os.Getenv(childEnv); part != "" {
		dir, rest, _ := strings.Cut(part, ":")
		var from, to byte
		var at int64
		if _, err := fmt.Sscanf(rest, "%d %d %d", &from, &to, &at); err != nil {
			t.Fatal(err)
		}
		var writes atomic.Int64
		fs := powertest.Hooked(vfs.Default, func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && writes.Add(1) == at {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		})
		if _, err := SealFolder(t.Context(), dir, Options{FS: fs, SealKey: key(from), MinFreeBytes: -1}, key(to), nil); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("WRITES %d\n", writes.Load())
		return
	}
	if testing.Short() {
		t.Skip("the race detector has nothing to find here")
	}
	for i, way := range ways {
		from, to := key(way[0]), key(way[1])
		plain, _, want := folderOn(t, from)
		run := func(dir string, at int64) (writes int64, killed bool) {
			t.Helper()
			output, status := runChild(t, fmt.Sprintf("%s:%d %d %d", dir, way[0], way[1], at))
			if status == -1 {
				return 0, true
			}
			_, rest, found := strings.Cut(output, "WRITES ")
			digits, _, _ := strings.Cut(rest, "\n")
			writes, err := strconv.ParseInt(digits, 10, 64)
			if !found || err != nil {
				t.Fatalf("exit status %d and output:\n%s", status, output)
			}
			return writes, false
		}
		copied := func() string {
			t.Helper()
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(dir, os.DirFS(plain)); err != nil {
				t.Fatal(err)
			}
			return dir
		}
		total, _ := run(copied(), 0)
		kills := int64(*sealKills)
		if kills == 0 {
			kills = total
		}
		rng := rand.New(rand.NewPCG(27, uint64(i)))
		ended, kept := 0, 0
		for n := range kills {
			at := 1 + n*total/kills
			if kills < total {
				at += rng.Int64N(total / kills)
			}
			dir := copied()
			if _, killed := run(dir, at); !killed {
				ended++ // Pebble writes less in one run than in another
			} else {
				s, err := Open(dir, Options{SealKey: from, MinFreeBytes: -1})
				if err == nil {
					kept++
				} else if errors.Is(err, ErrSealKey) {
					s, err = Open(dir, Options{SealKey: to, MinFreeBytes: -1})
				}
				if err != nil {
					t.Fatalf("killed before write %d of %d: %v", at, total, err)
				}
				equal(t, "what the kill left", content(t, s), want)
				closeNow(t, s)
				if _, err := SealFolder(t.Context(), dir, Options{SealKey: from, MinFreeBytes: -1}, to, nil); err != nil {
					t.Fatalf("killed before write %d of %d, and called again: %v", at, total, err)
				}
			}
			wantSealed(t, dir, to, want)
			wantSealed(t, dir+".old", from, want)
			must(t, os.RemoveAll(filepath.Dir(dir)))
		}
		t.Logf("from key %d to %d: %d kills at %d writes, %d ended before, after %d the folder was still the old one", way[0], way[1], kills, total, ended, kept)
	}
}
