// Package disktest mounts small disks, for tests that fill them.
package disktest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Mount mounts a file system of its own, of so many MiB, until the test ends. It skips the test
// where none can be mounted. The folder is the test's alone.
func Mount(t *testing.T, mib int64) (dir string) {
	t.Helper()
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, mib<<20); err != nil {
		t.Fatal(err)
	}
	// No blocks are kept for root: what it has free is what everybody has free.
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir}} {
		if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: no small disk can be mounted here, so nobody has looked what a full one does: %v: %v: %s", command, err, output)
		}
	}
	t.Cleanup(func() {
		if output, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, output)
		}
	})
	return dir
}

// Leave makes a file of another program as large as leaves so many MiB of the disk free, or
// none.
func Leave(t *testing.T, dir string, mib int64) {
	t.Helper()
	filler := filepath.Join(dir, "filler")
	if err := os.Remove(filler); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	file, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// What was removed is free when that is on the disk.
	if err := unix.Syncfs(int(file.Fd())); err != nil {
		t.Fatal(err)
	}
	var have syscall.Statfs_t
	if err := syscall.Statfs(dir, &have); err != nil {
		t.Fatal(err)
	}
	size := int64(have.Bavail)*have.Bsize - mib<<20
	if size <= 0 {
		return
	}
	// The file system needs some blocks for itself.
	for err = syscall.ENOSPC; err != nil; size -= 64 << 10 {
		if err = syscall.Fallocate(int(file.Fd()), 0, 0, size); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
