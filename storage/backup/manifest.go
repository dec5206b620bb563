package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"rollcall/storage"
)

var (
	// ErrForeign is returned for a file that is no backup, or one of a newer release.
	ErrForeign = errors.New("this is no backup that this release reads")

	// ErrDamaged is returned for a backup that is not what was written.
	ErrDamaged = errors.New("the backup is damaged")
)

const (
	manifestName = "rollcall-backup.json"
	digestName   = manifestName + ".sha256"

	// format and version are the first fields of a manifest. The version is raised when
	// an older release could not restore the backup any more.
	format  = "rollcall-backup"
	version = 1

	// manifestBytes is the most that a manifest may have: some 100,000 files or galleries.
	manifestBytes = 16 << 20
)

// Manifest says what a backup holds.
type Manifest struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Made    time.Time `json:"made"`

	Server  string `json:"server"`  // [storage.Store.Server], 16 hexadecimal digits
	Changes uint64 `json:"changes"` // [storage.Checkpoint.Changes]

	Own       Newest            `json:"own"`       // of the server: its list of galleries and its tokens
	Galleries map[string]Newest `json:"galleries"` // by id
	Files     []File            `json:"files"`
}

// Newest is how far a gallery is.
type Newest struct {
	Change uint64 `json:"change"` // the number of its newest change
	Line   uint64 `json:"line"`   // the number of the newest line of its journal
}

// File is one file of the store's folder.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() (sum int64) {
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// note takes over how far the partitions are.
func (m *Manifest) note(partitions []storage.Newest) {
	m.Galleries = make(map[string]Newest)
	for _, p := range partitions {
		if n := (Newest{p.Change, p.Line}); p.ID == storage.ServerPartition {
			m.Own = n
		} else {
			m.Galleries[p.ID] = n
		}
	}
}

// fileName is what a file of a store may be called: nothing outside of its folder.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// encode returns the manifest as it is written, and the file of its digest.
func (m *Manifest) encode() (text, digest []byte, err error) {
	if text, err = json.MarshalIndent(m, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("write the manifest: %w", err)
	}
	text = append(text, '\n')
	return text, digestLine(text), nil
}

func digestLine(text []byte) []byte {
	return fmt.Appendf(nil, "%s  %s\n", hexOf(text), manifestName)
}

func hexOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// decodeManifest reads a manifest, whose digest was compared.
func decodeManifest(text []byte) (m Manifest, err error) {
	if err := json.Unmarshal(text, &m); err != nil || m.Format != format {
		return m, fmt.Errorf("%w: its manifest says nothing that is understood", ErrForeign)
	}
	if m.Version != version {
		return m, fmt.Errorf("%w: it has version %d, and this release reads %d: take a newer release", ErrForeign, m.Version, version)
	}
	seen := map[string]bool{manifestName: true, digestName: true}
	for _, f := range m.Files {
		if !fileName.MatchString(f.Name) || seen[f.Name] || f.Bytes < 0 {
			return m, fmt.Errorf("%w: its manifest names files that no backup has", ErrDamaged)
		}
		seen[f.Name] = true
	}
	return m, nil
}

// readSmall reads a file of the archive that has few bytes.
func readSmall(r io.Reader) ([]byte, error) {
	var text bytes.Buffer
	n, err := io.Copy(&text, io.LimitReader(r, manifestBytes+1))
	if err != nil {
		return nil, err
	}
	if n > manifestBytes {
		return nil, fmt.Errorf("%w: its manifest is too large", ErrForeign)
	}
	return text.Bytes(), nil
}
