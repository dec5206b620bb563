package ortlib

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// maxLibrary bounds an unpacked library in bytes; the largest has 36 MB. So a crafted archive cannot fill
// the disk before its digest is found wrong.
const maxLibrary = 256 << 20

// extract copies one member of a .tgz archive or a .whl (zip) to the file, which
// must not exist, and syncs it. Nothing else of the archive is written.
func extract(archive, member, file string) error {
	in, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer in.Close()
	if filepath.Ext(archive) == ".whl" {
		err = extractZip(in, member, file)
	} else {
		err = extractTar(in, member, file)
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(archive), err)
	}
	return nil
}

func extractTar(in io.Reader, member, file string) error {
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("no %s in it", member)
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeReg && path.Clean(header.Name) == member {
			return writeMember(files, header.Size, member, file)
		}
	}
}

func extractZip(in *os.File, member, file string) error {
	info, err := in.Stat()
	if err != nil {
		return err
	}
	files, err := zip.NewReader(in, info.Size())
	if err != nil {
		return err
	}
	content, err := files.Open(member)
	if err != nil {
		return fmt.Errorf("no %s in it: %w", member, err)
	}
	defer content.Close()
	info, err = content.Stat()
	if err != nil {
		return err
	}
	return writeMember(content, info.Size(), member, file)
}

// writeMember checks the stated size and the real size: the stated one may be too large or false.
func writeMember(content io.Reader, size int64, member, file string) error {
	if size > maxLibrary {
		return fmt.Errorf("%s has %d bytes, more than the %d expected at most", member, size, maxLibrary)
	}
	return writeSynced(file, io.LimitReader(content, size))
}
