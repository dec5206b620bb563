package ortlib

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// sourceTimeout bounds the attempt with one source, so that a client that hangs on a bad network does not
// block the next source. npm's 86 MB take that long at 100 kB/s.
const sourceTimeout = 15 * time.Minute

// installer puts the library into the finder's cache.
type installer struct {
	*finder
	// releases is the address of the folder of the release's archives.
	releases string
	// timeout of one source.
	timeout time.Duration
}

func newInstaller(f *finder) *installer {
	return &installer{finder: f, releases: releaseAddress, timeout: sourceTimeout}
}

// install installs from the first source that works, or waits for another call
// that is doing it. Errors wrap ErrInstall.
func (in *installer) install(ctx context.Context) (lib Library, err error) {
	if err := in.possible(); err != nil {
		return Library{}, fmt.Errorf("%w: %w", ErrInstall, err)
	}
	if err := os.MkdirAll(in.cache.dir, 0o755); err != nil {
		return Library{}, in.cacheUnwritable(err)
	}
	unlock, err := lock(ctx, filepath.Join(in.cache.dir, ".lock"), func() {
		in.progress("waiting for another process that installs ONNX Runtime", 0, 0)
	})
	if err != nil {
		if ctx.Err() != nil {
			return Library{}, fmt.Errorf("%w: waiting for another installation: %w", ErrInstall, context.Cause(ctx))
		}
		return Library{}, in.cacheUnwritable(err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	lib, err = in.cache.library()
	if err == nil {
		return lib, nil
	}
	if errors.Is(err, errCorrupted) {
		in.opts.Logger.Warn("ONNX Runtime in the cache is damaged, installing it again", "path", in.cache.path())
	}
	if err := in.cache.removeLeftovers(); err != nil {
		return Library{}, in.cacheUnwritable(err)
	}
	return in.fromSources(ctx)
}

// possible returns nil if there is something to install and a place for it.
func (in *installer) possible() error {
	switch {
	case in.machine.musl:
		return errors.New("this machine's C library is musl (as on Alpine), and the published libraries need glibc; " +
			"install the distribution's own package (apk add onnxruntime, if it is 1.24 or newer) or use an image with glibc, such as Debian's")
	case len(in.artifacts) == 0:
		return fmt.Errorf("version %s is not published for %s; build ONNX Runtime or get it from the system's packages, and name it with %s",
			Version, in.machine, environmentPath)
	case in.noCache != nil:
		return fmt.Errorf("%w; set HOME or XDG_CACHE_HOME to a folder where it may be kept", in.noCache)
	}
	return nil
}

func (in *installer) cacheUnwritable(err error) error {
	return fmt.Errorf("%w: the cache folder cannot be written: %w; make it writable, choose another, or name a library with %s",
		ErrInstall, err, environmentPath)
}

// fromSources tries the artifacts in turn and collects why each failed.
//
// REQUIRES: the lock of the cache is held.
func (in *installer) fromSources(ctx context.Context) (Library, error) {
	var failures []error
	for _, a := range in.artifacts {
		lib, err := in.from(ctx, a)
		if err == nil {
			in.opts.Logger.Info("installed ONNX Runtime",
				"version", lib.Version, "source", string(a.source), "path", lib.Path, "sha256", lib.SHA256)
			return lib, nil
		}
		if ctx.Err() != nil {
			return Library{}, fmt.Errorf("%w: %w", ErrInstall, context.Cause(ctx))
		}
		failures = append(failures, fmt.Errorf("  %s: %w", a.source, err))
	}
	return Library{}, fmt.Errorf("%w %s for %s: no source worked\n%w\nmake one of them work, or put the library on this machine by other means and name it with %s (or --onnxruntime)",
		ErrInstall, Version, in.machine, errors.Join(failures...), environmentPath)
}

// from downloads, verifies and publishes one artifact.
func (in *installer) from(ctx context.Context, a artifact) (lib Library, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, in.timeout, fmt.Errorf("gave up after %v", in.timeout))
	defer cancel()
	work, err := os.MkdirTemp(in.cache.dir, workPrefix)
	if err != nil {
		return Library{}, err
	}
	defer func() {
		// The next installation removes what cannot be removed now.
		if rmErr := os.RemoveAll(work); rmErr != nil {
			in.opts.Logger.Warn("a temporary folder is left behind", "path", work, "error", rmErr)
		}
	}()
	// The client gets a folder of its own, so that it holds only what the client was asked for.
	download := filepath.Join(work, "download")
	if err := os.Mkdir(download, 0o755); err != nil {
		return Library{}, err
	}
	archive, err := in.download(ctx, a, download)
	if err != nil {
		return Library{}, err
	}
	file := filepath.Join(work, "library")
	if err := extract(archive, a.member, file); err != nil {
		return Library{}, err
	}
	digest, err := fileSHA256(file)
	if err != nil {
		return Library{}, err
	}
	if a.librarySHA256 != "" && digest != a.librarySHA256 {
		return Library{}, mismatch(a.member, digest, a.librarySHA256)
	}
	return in.cache.publish(file, digest)
}

// download puts the artifact's archive into the folder and returns its path. An
// archive with a pinned digest has been verified.
func (in *installer) download(ctx context.Context, a artifact, folder string) (string, error) {
	switch a.source {
	case sourceNPM:
		return in.downloadNPM(ctx, a, folder)
	case sourcePip:
		return in.downloadPip(ctx, a, folder)
	case sourceRelease:
		return in.downloadRelease(ctx, a, folder)
	}
	return "", fmt.Errorf("unknown source %q", a.source)
}

func mismatch(what, got, want string) error {
	return fmt.Errorf("%s has SHA-256 %s, expected %s; not installed", what, got, want)
}

func (in *installer) progress(step string, done, total int64) {
	if in.opts.Progress != nil {
		in.opts.Progress(step, done, total)
	}
}
