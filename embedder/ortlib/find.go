package ortlib

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// environmentPath names a library file, or a folder that holds one.
const environmentPath = "ROLLCALL_ONNXRUNTIME"

// The values of Library.Origin.
const (
	originFlag        = "flag"
	originEnvironment = "environment"
	originCache       = "cache"
	originSystem      = "system"
	originInstalled   = "installed"
)

// finder looks for the library. Tests replace what it knows about the machine.
type finder struct {
	opts      Options
	machine   machine
	artifacts []artifact // of this machine
	cache     cache
	// noCache says why there is no cache folder; nil if there is one.
	noCache error
	// folders of the system, in the order of its loader.
	folders []string
}

func newFinder(opts Options) *finder {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	f := &finder{opts: opts, machine: thisMachine()}
	f.artifacts = f.machine.artifacts(artifacts)
	f.folders = systemFolders(f.machine.os)
	dir := opts.CacheDir
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			f.noCache = fmt.Errorf("no cache folder: %w", err)
			return f
		}
		dir = filepath.Join(user, "rollcall", "onnxruntime")
	}
	f.cache = newCache(dir, f.machine, f.artifacts)
	return f
}

// find goes through the places in the order of the package's documentation.
func (f *finder) find() (Library, error) {
	if f.opts.Path != "" {
		return f.named(f.opts.Path, originFlag)
	}
	if path := os.Getenv(environmentPath); path != "" {
		return f.named(path, originEnvironment)
	}
	lib, cacheErr := f.cached()
	if cacheErr == nil {
		return lib, nil
	}
	lib, rejected := f.newestIn(f.folders, originSystem)
	if lib.Path != "" {
		return lib, nil
	}
	looked := append([]string{"cache: " + cacheErr.Error()}, rejected...)
	looked = append(looked, fmt.Sprintf("system: no suitable library in %s", strings.Join(f.folders, ", ")))
	return Library{}, fmt.Errorf("%w; looked at\n  %s\nset %s (or --onnxruntime) to a libonnxruntime %d.%d or newer, or let Rollcall install it",
		ErrNotFound, strings.Join(looked, "\n  "), environmentPath, supportedMajor, oldestMinor)
}

// cached returns the library that an earlier Ensure installed.
func (f *finder) cached() (Library, error) {
	switch {
	case f.machine.musl:
		return Library{}, errors.New("not used, the libraries there need glibc")
	case f.noCache != nil:
		return Library{}, f.noCache
	}
	return f.cache.library()
}

// named returns the library that the operator chose. A failure is final.
func (f *finder) named(path, origin string) (Library, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Library{}, unusable("named by the %s: %w", origin, err)
	}
	if !info.IsDir() {
		lib, err := f.inspected(path, origin)
		if err != nil {
			return Library{}, fmt.Errorf("%s named by the %s: %w", path, origin, err)
		}
		return lib, nil
	}
	lib, rejected := f.newestIn([]string{path}, origin)
	if lib.Path != "" {
		return lib, nil
	}
	return Library{}, unusable("no suitable library in %s named by the %s\n  %s", path, origin, strings.Join(rejected, "\n  "))
}

// newestIn returns the newest suitable library of the first folder that holds
// one, or the zero Library. It also says what it rejected and why.
func (f *finder) newestIn(folders []string, origin string) (best Library, rejected []string) {
	seen := make(map[string]bool)
	for _, folder := range folders {
		var newest version
		for _, name := range libraryNames(folder, f.machine.os) {
			path, err := filepath.EvalSymlinks(name)
			if err != nil || seen[path] {
				continue // a dangling link, or another name of the same file
			}
			seen[path] = true
			lib, err := f.inspected(path, origin)
			if err != nil {
				rejected = append(rejected, fmt.Sprintf("%s: %s: %v", origin, path, err))
				continue
			}
			// inspected has parsed the version before.
			if v, err := parseVersion(lib.Version); err == nil && slices.Compare(v[:], newest[:]) > 0 {
				best, newest = lib, v
			}
		}
		if best.Path != "" {
			return best, rejected
		}
	}
	return Library{}, rejected
}

// inspected describes the library at path, if this process can use it.
func (f *finder) inspected(path, origin string) (Library, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Library{}, unusable("%w", err)
	}
	real, err = filepath.Abs(real)
	if err != nil {
		return Library{}, unusable("%w", err)
	}
	v, err := inspect(real, f.machine)
	if err != nil {
		return Library{}, err
	}
	digest, err := fileSHA256(real)
	if err != nil {
		return Library{}, unusable("%w", err)
	}
	return Library{Path: real, Version: v.String(), SHA256: digest, Origin: origin}, nil
}
