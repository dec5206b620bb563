package models

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// member returns one file of a zip archive. It is named by its path, or by its base name where only one
// entry has that name: some archives of a project hold a folder, others do not. More than limit bytes are
// refused, whatever the archive's directory says.
func member(archive *os.File, name string, limit int64) ([]byte, error) {
	info, err := archive.Stat()
	if err != nil {
		return nil, err
	}
	reader, err := zip.NewReader(archive, info.Size())
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	var found *zip.File
	for _, entry := range reader.File {
		if entry.Name == name {
			found = entry
			break
		}
		if path.Base(entry.Name) == name && !entry.FileInfo().IsDir() {
			if found != nil {
				return nil, fmt.Errorf("the archive has more than one %s", name)
			}
			found = entry
		}
	}
	if found == nil {
		return nil, fmt.Errorf("the archive has no %s", name)
	}
	if found.UncompressedSize64 > uint64(limit) {
		return nil, tooLarge(name, limit)
	}
	content, err := found.Open()
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	defer content.Close()
	// The buffer grows with the bytes that really come, because the size in the archive is only a claim.
	var data bytes.Buffer
	if _, err := io.Copy(&data, io.LimitReader(content, limit+1)); err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	if int64(data.Len()) > limit {
		return nil, tooLarge(name, limit)
	}
	return data.Bytes(), nil
}

func tooLarge(name string, limit int64) error {
	return fmt.Errorf("%s has more than %d bytes", name, limit)
}

// digestOf returns the SHA-256 of an open file, read until ctx ends.
func digestOf(ctx context.Context, file *os.File) (string, error) {
	sum := sha256.New()
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		_, err := io.CopyN(sum, file, chunkBytes)
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
