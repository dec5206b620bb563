// Package ortlib finds the ONNX Runtime shared library, or installs it once.
//
// The embedder runs its models in ONNX Runtime, a C++ library that a Go module cannot contain. [Ensure] is
// the function to call. It uses a library that the machine has, and otherwise downloads one into the user's
// cache folder. With Options.Offline it never uses the network. After the library has been loaded,
// [Library.CheckReported] compares the version that it reports with the version that was read from its
// file.
//
// A library is looked for in this order, and the first that fits is used:
//
//  1. Options.Path, the operator's own choice (--onnxruntime)
//  2. the environment variable ROLLCALL_ONNXRUNTIME, a file or a folder
//  3. the cache, where Ensure installs
//  4. the system's library folders
//
// A library that the operator named is used or refused, never skipped. The cache comes before the system
// because its file is checked against a digest and changes only with Rollcall itself: embeddings of one
// gallery should not shift because a system upgrade replaced the library between two restarts. An operator
// who wants the system's library names it.
//
// Ensure installs from the first source that works: the npm package onnxruntime-node, the Python wheel
// onnxruntime, the project's release archive. The packages come through their own clients, so the machine's
// settings for mirrors, proxies and certificates apply. Every source is pinned by SHA-256 (see
// artifacts.go). A file that does not match is not installed.
package ortlib

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Version is the version of ONNX Runtime that [Ensure] installs. Found libraries
// may be newer.
const Version = "1.24.3"

// The errors that callers tell apart. Each is wrapped with what happened and
// what to do about it, ready to be shown to the operator.
var (
	// ErrNotFound: no suitable library is on this machine. Installing one helps.
	ErrNotFound = errors.New("ONNX Runtime not found")
	// ErrUnusable: a library that the operator named, or that was loaded, is not one that Rollcall can use.
	// The operator has to choose another one.
	ErrUnusable = errors.New("unusable ONNX Runtime library")
	// ErrInstall: nothing suitable was found and it could not be installed.
	ErrInstall = errors.New("cannot install ONNX Runtime")
)

// Library is an ONNX Runtime shared library on this machine's disk.
type Library struct {
	// Path is absolute.
	Path string
	// Version as the file declares it, such as "1.24.3".
	Version string
	// SHA256 of the file, in lower-case hex.
	SHA256 string
	// Origin is where the library was found: "flag", "environment", "cache",
	// "system", or "installed" when this call installed it.
	Origin string
}

// CheckReported compares the version that the loaded library reports (ORT's
// GetVersionString) with the version read from the file. They differ when the
// process had loaded another ONNX Runtime before, or when the file misstates its
// version; the error then wraps [ErrUnusable].
func (l Library) CheckReported(version string) error {
	want, err := parseVersion(l.Version)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnusable, l.Path, err)
	}
	got, err := parseVersion(version)
	if err != nil {
		return fmt.Errorf("%w: %s reports: %w", ErrUnusable, l.Path, err)
	}
	if got != want {
		return fmt.Errorf("%w: %s declares version %s but reports %s when loaded", ErrUnusable, l.Path, want, got)
	}
	return got.suitable()
}

// Options says where to look and whether to install. The zero value is usable.
type Options struct {
	// Path names the library to use, a file or a folder that holds one. Then nothing else is looked at.
	// Default: none, look for one.
	Path string
	// CacheDir is where libraries are installed, in a folder per version and
	// platform. Default: rollcall/onnxruntime in [os.UserCacheDir].
	CacheDir string
	// Offline: install nothing, only find. Default: false.
	Offline bool
	// Progress, if not nil, is told what an installation is doing: a line for the
	// operator, and the bytes done of total (0 if unknown). It is called from one
	// goroutine at a time and never after Ensure has returned.
	Progress func(step string, done, total int64)
	// Logger is told about an installation. Default: none.
	Logger *slog.Logger
}

// Ensure returns the library to load. It looks in the order that the package documents, and if it finds
// none, installs one into the cache. Of the system's libraries it considers versions from 1.24.0, the first
// with the API that the embedder needs, to before 2. Calls at the same time, in this process or in others,
// install once: one works, the others wait for it or until ctx ends.
//
// The error wraps [ErrNotFound] where nothing may be installed, and lists what was looked at. It wraps
// [ErrUnusable] where the operator named a library that cannot be used. It wraps [ErrInstall] where
// installing failed, and says why for each source. Ensure is safe for concurrent use.
func Ensure(ctx context.Context, opts Options) (Library, error) {
	f := newFinder(opts)
	lib, err := f.find()
	if !errors.Is(err, ErrNotFound) || opts.Offline {
		return lib, err
	}
	return newInstaller(f).install(ctx)
}
