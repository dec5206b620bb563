package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"rollcall/storage"
)

// Progress is told how many of the bytes of a backup's files are done; twice for each file
// where files are read twice. It may be nil.
type Progress func(done, total int64)

// Write writes a backup of the store, which others may use meanwhile. It holds everything
// that was committed before the call. There is one at a time: the errors are those of
// [storage.Store.Checkpoint], ctx's, and those of w, to which it writes parts of any size.
func Write(ctx context.Context, w io.Writer, store *storage.Store, progress Progress) (m Manifest, err error) {
	made := time.Now().UTC().Truncate(time.Second)
	checkpoint, err := store.Checkpoint(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, checkpoint.Close()) }()
	m = Manifest{Format: format, Version: version, Made: made, Server: fmt.Sprintf("%016x", checkpoint.Server), Changes: checkpoint.Changes}
	m.note(checkpoint.Partitions)
	if m.Files, err = digests(ctx, checkpoint); err != nil {
		return m, err
	}
	text, digest, err := m.encode()
	if err != nil {
		return m, err
	}
	archive := tar.NewWriter(w)
	for _, small := range []struct {
		name    string
		content []byte
	}{{manifestName, text}, {digestName, digest}} {
		if err := addFile(archive, small.name, int64(len(small.content)), made, bytes.NewReader(small.content)); err != nil {
			return m, err
		}
	}
	count := &counter{ctx: ctx, total: m.Bytes(), progress: progress}
	for _, f := range m.Files {
		if err := addFrom(archive, checkpoint, f, made, count); err != nil {
			return m, err
		}
	}
	if err := archive.Close(); err != nil {
		return m, fmt.Errorf("write the backup: %w", err)
	}
	return m, nil
}

// digests reads every file of a checkpoint.
func digests(ctx context.Context, c *storage.Checkpoint) (files []File, err error) {
	names, err := c.Files()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		r, err := c.Open(name)
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		n, err := io.Copy(sum, &counter{ctx: ctx, r: r})
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("read %s of the checkpoint: %w", name, err)
		}
		files = append(files, File{Name: name, Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))})
	}
	return files, nil
}

func addFrom(archive *tar.Writer, c *storage.Checkpoint, f File, made time.Time, count *counter) (err error) {
	r, err := c.Open(f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	count.r = r
	return addFile(archive, f.Name, f.Bytes, made, count)
}

func addFile(archive *tar.Writer, name string, size int64, made time.Time, r io.Reader) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: made, Format: tar.FormatUSTAR}
	err := archive.WriteHeader(header)
	if err == nil {
		_, err = io.Copy(archive, r)
	}
	if err != nil {
		return fmt.Errorf("write %s to the backup: %w", name, err)
	}
	return nil
}

// counter is a reader that ends with a context, and tells how much was read.
type counter struct {
	r        io.Reader
	ctx      context.Context
	progress Progress

	done, total int64
}

// Read serves io.Reader.
func (c *counter) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(b)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return n, err
}
