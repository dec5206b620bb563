package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
)

// Model is a contract and, where it is installed, its file. A Model is a snapshot: later changes of the
// folder do not change it. It is safe for concurrent use.
type Model struct {
	Contract  Contract // locked where Installed: SHA256 is filled in
	Installed bool     // its file is here and [Model.Read] can return it
	BuiltIn   bool     // part of the program; implies Installed
	// Damage says why an existing installation cannot be used; "" otherwise. It contains no path, so it may
	// be shown to anybody.
	Damage string

	files fs.FS  // where the file is
	file  string // its name there
}

// Read returns the ONNX file after comparing its digest with the contract's: [ErrDigestMismatch] says
// what was expected and what was found. The bytes are the caller's. A model that is not installed is
// [ErrNotInstalled], one whose file has gone or cannot be read is [ErrDamaged].
func (m Model) Read() ([]byte, error) {
	if !m.Installed {
		return nil, fmt.Errorf("read model %s: %w", m.Contract.Name, ErrNotInstalled)
	}
	file, err := m.files.Open(m.file)
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w: %w", m.Contract.Name, ErrDamaged, withoutPath(err))
	}
	defer file.Close()
	data, err := readAll(file)
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w: %w", m.Contract.Name, ErrDamaged, withoutPath(err))
	}
	if err := checkDigest(data, m.Contract.SHA256); err != nil {
		return nil, fmt.Errorf("read model %s: %w", m.Contract.Name, err)
	}
	return data, nil
}

// readAll reads an open ONNX file into one allocation of its size.
func readAll(file fs.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file")
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%d bytes are more than the %d that an ONNX file may have", info.Size(), int64(maxFileBytes))
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, err
	}
	return data, nil
}

// checkDigest compares the SHA-256 of data with want, 64 lower-case hexadecimal digits.
func checkDigest(data []byte, want string) error {
	if found := digest(data); found != want {
		return mismatch(want, found)
	}
	return nil
}

func mismatch(want, found string) error {
	return fmt.Errorf("%w: expected SHA-256 %s, found %s", ErrDigestMismatch, want, found)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
