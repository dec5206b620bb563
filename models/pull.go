package models

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// PullOptions says how a model is downloaded. The zero value downloads a free one from its makers.
type PullOptions struct {
	// Progress is told how many bytes have come and how many there will be, 0 where that is unknown.
	// It is called often, by one goroutine at a time, and done falls when a download starts anew.
	// May be nil.
	Progress func(done, total int64)
	// AcceptLicence: the user has read the licence of a model that is not free, and may use it.
	AcceptLicence bool
	// Mirror is an http or https address or a folder that holds NAME.onnx, which is taken instead of
	// what the makers offer: for networks that do not reach them. The file must have the same digest.
	Mirror string
	// Check tries the model out before it is installed; nil to install it untried.
	Check CheckFunc
}

// Pull downloads a model of the catalogue, compares its digest with the contract's and installs it.
// A model that is installed and intact is left as it is. What has come of a download that breaks off,
// also through ctx, is kept, and the next Pull goes on from there; a file with the wrong digest is
// deleted.
//
// Errors are [ErrUnknownModel], [ErrNoSource], [ErrLicence], whose message is the licence to show,
// [ErrDigestMismatch], the context's, and what Check returns.
func (l *Library) Pull(ctx context.Context, name string, opts PullOptions) error {
	if _, ok := l.builtin[name]; ok {
		return nil
	}
	c, ok := l.catalogue[name]
	if !ok {
		if m, known := l.look(name); known && m.Installed {
			return fmt.Errorf("pull model %s: %w: it has been added with a contract of its own", name, ErrNoSource)
		}
		return l.unknown(name)
	}
	if c.SHA256 == "" {
		return fmt.Errorf("pull model %s: %w: its makers publish no ONNX file; run %q", name, ErrNoSource, addCommand+" "+name+" FILE --sha256 DIGEST")
	}
	if c.Source == nil && opts.Mirror == "" {
		return fmt.Errorf("pull model %s: %w: %s", name, ErrNoSource, Model{Contract: c}.howToInstall())
	}
	if !c.Licence.Free && !opts.AcceptLicence {
		return fmt.Errorf("pull model %s: %w", name, licenceRefused(c))
	}
	w, err := l.openWorkshop(ctx, name)
	if err != nil {
		return fmt.Errorf("pull model %s: %w", name, err)
	}
	defer w.unlock()
	if l.Verify(name) == nil {
		return nil
	}
	data, err := l.obtain(ctx, w, c, opts)
	if err != nil {
		return fmt.Errorf("pull model %s: %w", name, err)
	}
	if err := w.install(c, data, opts.Check); err != nil {
		return fmt.Errorf("pull model %s: %w", name, err)
	}
	if err := w.dropDownload(); err != nil {
		return fmt.Errorf("pull model %s: clear away the download: %w", name, err)
	}
	return nil
}

// obtain returns the ONNX file of a contract, verified.
func (l *Library) obtain(ctx context.Context, w *workshop, c Contract, opts PullOptions) ([]byte, error) {
	progress := opts.Progress
	if progress == nil {
		progress = func(int64, int64) {}
	}
	if opts.Mirror != "" && !isWeb(opts.Mirror) {
		data, err := readFile(ctx, filepath.Join(opts.Mirror, c.Name+".onnx"), progress)
		if err != nil {
			return nil, fmt.Errorf("read from the mirror: %w", err)
		}
		if err := checkDigest(data, c.SHA256); err != nil {
			return nil, fmt.Errorf("read from the mirror: %w%s", err, hint(data))
		}
		return data, nil
	}
	d := download{fetcher: l.fetcher, file: w.path(downloadFile), state: w.path(stateFile), progress: progress}
	source := Source{}
	if c.Source != nil {
		source = *c.Source
	}
	if opts.Mirror != "" {
		address, err := url.JoinPath(opts.Mirror, c.Name+".onnx")
		if err != nil {
			return nil, fmt.Errorf("the mirror's address: %w", err)
		}
		mirrored := Source{URL: address}
		if source.Member == "" {
			mirrored.Bytes = source.Bytes
		}
		source = mirrored
	}
	d.url, d.bytes = source.URL, source.Bytes
	if err := d.run(ctx); err != nil {
		return nil, fmt.Errorf("download from %s: %w", d.host(), err)
	}
	data, err := unpack(ctx, d.file, source, c.SHA256)
	if errors.Is(err, ErrDigestMismatch) {
		if dropped := w.dropDownload(); dropped != nil {
			return nil, errors.Join(err, dropped)
		}
		return nil, fmt.Errorf("download from %s: %w; it has been deleted", d.host(), err)
	}
	return data, err
}

// unpack returns the ONNX file out of what a source served, verified.
func unpack(ctx context.Context, file string, source Source, want string) ([]byte, error) {
	if source.Member == "" {
		data, err := readFile(ctx, file, func(int64, int64) {})
		if err != nil {
			return nil, err
		}
		if err := checkDigest(data, want); err != nil {
			return nil, fmt.Errorf("%w%s", err, hint(data))
		}
		return data, nil
	}
	archive, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	found, err := digestOf(ctx, archive)
	if err != nil {
		return nil, err
	}
	if found != source.ArchiveSHA256 {
		return nil, fmt.Errorf("the archive: %w", mismatch(source.ArchiveSHA256, found))
	}
	data, err := member(archive, source.Member, maxFileBytes)
	if err != nil {
		return nil, err
	}
	if err := checkDigest(data, want); err != nil {
		return nil, fmt.Errorf("%s in the archive: %w", source.Member, err)
	}
	return data, nil
}

func isWeb(address string) bool {
	lower := strings.ToLower(address)
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}
