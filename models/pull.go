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

// PullOptions says how a model is downloaded. The zero value downloads a free model from its makers.
type PullOptions struct {
	// Before is told what is about to be downloaded. It is called before the licence is checked and before
	// any byte comes, but not where the model is already installed. May be nil.
	Before func(c Contract)
	// Progress is told how many bytes have come and how many there will be, 0 where that is unknown. It is
	// called often, by one goroutine at a time. done begins with the bytes that an earlier Pull has left,
	// and falls when a download starts anew. May be nil.
	Progress func(done, total int64)
	// AcceptLicence: the user has read the licence of a model that is not free, and may use it.
	AcceptLicence bool
	// TrustFirst: for a model whose digest nobody has published, the user accepts the first file that
	// comes. The model is locked to that file from then on.
	TrustFirst bool
	// Mirror is an http or https address or a folder that holds NAME.onnx. It replaces the makers' address,
	// for networks that do not reach the makers. The file must have the same digest.
	Mirror string
	// Check tries the model out before it is installed. nil: the model is installed without a trial.
	Check CheckFunc
}

// Pull downloads a model of the catalogue, compares its digest with the contract's and installs it. It does
// not change a model that is installed and intact. If a download breaks off, also because ctx ends, the
// part that has come is kept, and the next Pull goes on from there. A file with the wrong digest is
// deleted.
//
// Errors are [ErrUnknownModel], [ErrNoSource], [ErrLicence] (its message is the licence to show),
// [ErrNoDigest], [ErrDigestMismatch], [ErrDamaged] where the digest that a model was locked to has been
// lost, the context's, and what Check returns.
func (l *Library) Pull(ctx context.Context, name string, opts PullOptions) error {
	if _, ok := l.builtin[name]; ok {
		return nil
	}
	c, err := l.contractToPull(name, opts)
	if err != nil {
		return err
	}
	if l.Verify(name) == nil {
		return nil
	}
	if opts.Before != nil {
		opts.Before(c)
	}
	if err := allowed(c, opts); err != nil {
		return fmt.Errorf("pull model %s: %w", name, err)
	}
	w, err := l.openWorkshop(ctx, name)
	if err != nil {
		return fmt.Errorf("pull model %s: %w", name, err)
	}
	defer w.unlock()
	if l.Verify(name) == nil {
		return nil // another process was faster
	}
	data, err := l.obtain(ctx, w, c, opts)
	if err != nil {
		return fmt.Errorf("pull model %s: %w", name, err)
	}
	if err := w.install(c, data, opts.Check); err != nil {
		if c.SHA256 == "" {
			err = errors.Join(err, w.dropDownload()) // next time another file may come
		}
		return fmt.Errorf("pull model %s: %w", name, err)
	}
	if err := w.dropDownload(); err != nil {
		return fmt.Errorf("pull model %s: remove the download: %w", name, err)
	}
	return nil
}

// contractToPull returns the catalogue's contract. Where the catalogue knows no digest, it has the digest
// that the model is locked to.
func (l *Library) contractToPull(name string, opts PullOptions) (Contract, error) {
	m, known := l.look(name)
	c, ok := l.catalogue[name]
	switch {
	case !ok && known && m.Installed:
		return Contract{}, fmt.Errorf("pull model %s: %w: it was added with a contract of the user's own", name, ErrNoSource)
	case !ok:
		return Contract{}, l.unknown(name)
	case c.Source == nil && c.SHA256 == "":
		return Contract{}, fmt.Errorf("pull model %s: %w: its makers publish no ONNX file; run %q", name, ErrNoSource, addCommand+" "+name+" FILE --sha256 DIGEST")
	case c.Source == nil && opts.Mirror == "":
		return Contract{}, fmt.Errorf("pull model %s: %w: %s", name, ErrNoSource, Model{Contract: c}.howToInstall())
	case c.SHA256 == "" && m.Damage != "":
		// The digest that it was locked to can no longer be read. Only the user may decide to trust a file
		// again.
		return Contract{}, fmt.Errorf("pull model %s: %w", name, damaged(m))
	case c.SHA256 == "":
		c.SHA256 = m.Contract.SHA256
	}
	return c, nil
}

// allowed returns an error where the user has not agreed to something necessary.
func allowed(c Contract, opts PullOptions) error {
	var licence, digest error
	if !c.Licence.Free && !opts.AcceptLicence {
		licence = licenceRefused(c)
	}
	if c.SHA256 == "" && !opts.TrustFirst {
		digest = trustRefused(c, opts.Mirror)
	}
	return errors.Join(licence, digest)
}

// obtain returns the ONNX file of a contract, verified as far as its digest is known.
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
		if err := checkPulled(data, c.SHA256); err != nil {
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

// checkPulled is checkDigest, but with want "" any file passes: the user has agreed to that.
func checkPulled(data []byte, want string) error {
	if want == "" {
		return nil
	}
	return checkDigest(data, want)
}

// unpack takes the ONNX file out of what a source served, and verifies it as far as its digest is known.
func unpack(ctx context.Context, file string, source Source, want string) ([]byte, error) {
	if source.Member == "" {
		data, err := readFile(ctx, file, func(int64, int64) {})
		if err != nil {
			return nil, err
		}
		if err := checkPulled(data, want); err != nil {
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
