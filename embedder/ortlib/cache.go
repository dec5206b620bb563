package ortlib

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cache is the folder of one version on one platform:
//
//	<CacheDir>/1.24.3/linux-amd64/libonnxruntime.so.1.24.3
//	<CacheDir>/1.24.3/linux-amd64/libonnxruntime.so.1.24.3.sha256
//	<CacheDir>/1.24.3/linux-amd64/.lock         held while installing
//	<CacheDir>/1.24.3/linux-amd64/.install-*/   work in progress
//
// The .sha256 file, in the format of sha256sum, exists only for a library whose digest is not pinned in the
// code. Such a library comes from a release archive, where the archive was verified.
type cache struct {
	dir    string
	name   string   // of the library
	pinned []string // digests that need no .sha256 file
}

func newCache(dir string, m machine, artifacts []artifact) cache {
	c := cache{dir: filepath.Join(dir, Version, m.os+"-"+m.arch), name: "libonnxruntime.so." + Version}
	if m.os == "darwin" {
		c.name = "libonnxruntime." + Version + ".dylib"
	}
	for _, a := range artifacts {
		if a.librarySHA256 != "" {
			c.pinned = append(c.pinned, a.librarySHA256)
		}
	}
	return c
}

func (c cache) path() string       { return filepath.Join(c.dir, c.name) }
func (c cache) recordPath() string { return c.path() + ".sha256" }

// errCorrupted: the cached library is not what was installed.
var errCorrupted = errors.New("the library there is damaged")

// library returns the installed library after checking its digest. It checks every time, and not only when
// size or time have changed: that takes 25-45 ms for npm's 35 MB, 75 ms with every core busy (two cores of
// an x86 server with SHA extensions, November 2026), once per process, and then the library is in the page
// cache, where loading finds it.
func (c cache) library() (Library, error) {
	path, err := filepath.Abs(c.path())
	if err != nil {
		return Library{}, err
	}
	digest, err := fileSHA256(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Library{}, fmt.Errorf("nothing installed in %s: %w", c.dir, fs.ErrNotExist)
	}
	if err != nil {
		return Library{}, err
	}
	if !slices.Contains(c.pinned, digest) && digest != c.recorded() {
		return Library{}, fmt.Errorf("%w: %s", errCorrupted, path)
	}
	return Library{Path: path, Version: Version, SHA256: digest, Origin: originCache}, nil
}

// recorded returns the digest in the .sha256 file, "" if there is none to read.
func (c cache) recorded() string {
	text, err := os.ReadFile(c.recordPath())
	if err != nil {
		return ""
	}
	digest, _, _ := strings.Cut(string(text), " ")
	return digest
}

// publish makes the verified file the installed library. The file must lie under c.dir, so that a rename
// puts it in place whole. A crash in between leaves the old state, perhaps with a new .sha256 file, which
// matches no other library than its own.
//
// REQUIRES: the lock of c.dir is held.
func (c cache) publish(file, digest string) (Library, error) {
	if !slices.Contains(c.pinned, digest) {
		record := file + ".sha256"
		if err := writeSynced(record, strings.NewReader(digest+"  "+c.name+"\n")); err != nil {
			return Library{}, err
		}
		if err := os.Rename(record, c.recordPath()); err != nil {
			return Library{}, err
		}
	}
	if err := os.Rename(file, c.path()); err != nil {
		return Library{}, err
	}
	if err := syncFolder(c.dir); err != nil {
		return Library{}, err
	}
	lib, err := c.library()
	lib.Origin = originInstalled
	return lib, err
}

// workPrefix begins the names of folders that hold an installation in progress.
const workPrefix = ".install-"

// removeLeftovers deletes what interrupted installations left behind.
//
// REQUIRES: the lock of c.dir is held, so no installation is in progress.
func (c cache) removeLeftovers() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), workPrefix) {
			if err := os.RemoveAll(filepath.Join(c.dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileSHA256 returns the digest of the file's content in lower-case hex.
func fileSHA256(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// writeSynced creates the file and returns when its content is on disk.
func writeSynced(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder returns when the names in the folder are on disk.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
