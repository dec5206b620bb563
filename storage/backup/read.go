package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Check reads a backup to its end and compares its digests. The errors are ErrForeign,
// ErrDamaged, ctx's, and those of r.
func Check(ctx context.Context, r io.Reader, progress Progress) (Manifest, error) {
	return read(ctx, r, progress, func(string) (io.WriteCloser, error) { return discard{io.Discard}, nil })
}

type discard struct{ io.Writer }

// Close does nothing.
func (discard) Close() error { return nil }

// read reads a backup, and gives the content of its files to create. They are good only
// once it returns nil.
func read(ctx context.Context, r io.Reader, progress Progress, create func(name string) (io.WriteCloser, error)) (m Manifest, err error) {
	count := &counter{r: r, ctx: ctx}
	archive := tar.NewReader(count)
	m, text, err := readManifest(archive)
	if err != nil {
		return m, err
	}
	files := &counter{r: archive, ctx: ctx, progress: progress, total: m.Bytes()}
	for _, f := range m.Files {
		if err := next(archive, f.Name, f.Bytes); err != nil {
			return m, err
		}
		if err := readFile(files, f, create); err != nil {
			return m, err
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w: after the files that its manifest names it goes on", ErrDamaged)
	}
	rest, err := io.Copy(io.Discard, count)
	if want := sizeOf(m, text); err == nil && (rest > 0 || count.done != want) {
		err = fmt.Errorf("%w: it has %d bytes and should have %d", ErrDamaged, count.done, want)
	}
	return m, err
}

// readManifest returns the manifest, and the bytes that it is written in.
func readManifest(archive *tar.Reader) (m Manifest, text []byte, err error) {
	header, err := archive.Next()
	if err != nil || header.Name != manifestName {
		return m, nil, foreign(err)
	}
	if text, err = readSmall(archive); err != nil {
		return m, nil, broken(err)
	}
	sum := digestLine(text)
	if err := next(archive, digestName, int64(len(sum))); err != nil {
		return m, nil, err
	}
	said, err := readSmall(archive)
	if err != nil {
		return m, nil, broken(err)
	}
	if string(said) != string(sum) {
		return m, nil, fmt.Errorf("%w: its manifest does not have the digest that stands beside it", ErrDamaged)
	}
	m, err = decodeManifest(text)
	return m, text, err
}

// foreign is why a file has no manifest.
func foreign(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) {
		return fmt.Errorf("%w: it does not begin with a manifest", ErrForeign)
	}
	return err
}

// next goes on to the file that must follow.
func next(archive *tar.Reader, name string, bytes int64) error {
	header, err := archive.Next()
	if err != nil {
		return broken(err)
	}
	if header.Name != name || header.Size != bytes || header.Typeflag != tar.TypeReg {
		return fmt.Errorf("%w: %s does not stand where its manifest says", ErrDamaged, name)
	}
	return nil
}

// broken marks what the archive says of damage.
func broken(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("%w: it is no whole archive", ErrDamaged)
	}
	return err
}

func readFile(r io.Reader, f File, create func(name string) (io.WriteCloser, error)) (err error) {
	w, err := create(f.Name)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(w, sum), r)
	if err := errors.Join(err, w.Close()); err != nil {
		return broken(err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("%w: the content of %s has another digest", ErrDamaged, f.Name)
	}
	return nil
}

// sizeOf is how large a backup is: each file is filled up to whole blocks, and has a header of
// one block; two blocks end the archive.
func sizeOf(m Manifest, text []byte) int64 {
	const block = 512
	blocks := func(n int64) int64 { return 1 + (n+block-1)/block }
	total := 2 + blocks(int64(len(text))) + blocks(int64(len(digestLine(text))))
	for _, f := range m.Files {
		total += blocks(f.Bytes)
	}
	return total * block
}
