package gallery

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"path/filepath"

	"rollcall/index"
)

// snapshotSuffix ends the names of snapshots.
const snapshotSuffix = ".index"

// path returns the file of a model's snapshot. A model's name may be anything,
// and longer than a file's.
func (s *snapshots) path(model string) string {
	sum := sha256.Sum256([]byte(model))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])+snapshotSuffix)
}

// note is what a snapshot says beside the vectors.
type note struct {
	model, digest string
	origin        uint64      // of the change that the snapshot is tied to
	owners        []ownedCrop // by ID, each once
}

// ownedCrop says that the vector under id is the crop's.
type ownedCrop struct {
	id   index.ID
	crop string
}

// owned lists the IDs that have an owner.
func owned(owners []*crop) []ownedCrop {
	list := make([]ownedCrop, 0, len(owners))
	for id, c := range owners {
		if c != nil {
			list = append(list, ownedCrop{index.ID(id), c.id})
		}
	}
	return list
}

// noteVersion leads a note. The file around it has its own, and its checksums.
const noteVersion = 1

// encode returns the note as bytes: the version, the origin (eight bytes, little-
// endian), the model and the digest, the number of owners, and of each the
// difference between its ID and the least that it could be, and the crop. Texts
// are led by their length; lengths and other numbers are varints.
func (n *note) encode() []byte {
	b := binary.LittleEndian.AppendUint64([]byte{noteVersion}, n.origin)
	text := func(s string) {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	text(n.model)
	text(n.digest)
	b = binary.AppendUvarint(b, uint64(len(n.owners)))
	least := uint64(0)
	for _, o := range n.owners {
		b = binary.AppendUvarint(b, uint64(o.id)-least)
		text(o.crop)
		least = uint64(o.id) + 1
	}
	return b
}

// errNote says that a snapshot's note does not parse.
var errNote = errors.New("note does not parse")

// decodeNote reads a note. Its texts share one copy of the bytes.
func decodeNote(b []byte) (note, error) {
	d := noteDecoder{rest: string(b)}
	version := d.take(1)
	origin := d.take(8)
	var n note
	n.model, n.digest = d.text(), d.text()
	count := d.number()
	if d.failed || version[0] != noteVersion || count > uint64(len(d.rest)) { // an owner takes two bytes at least
		return note{}, errNote
	}
	n.origin = binary.LittleEndian.Uint64([]byte(origin))
	n.owners = make([]ownedCrop, 0, count)
	least := uint64(0)
	for range count {
		skip, crop := d.number(), d.text()
		id := least + skip
		if d.failed || skip > maxID || id > maxID {
			return note{}, errNote
		}
		n.owners = append(n.owners, ownedCrop{index.ID(id), crop})
		least = id + 1
	}
	if d.rest != "" {
		return note{}, errNote
	}
	return n, nil
}

const maxID = uint64(^index.ID(0))

// noteDecoder takes a note apart. Once failed, it returns nothing more.
type noteDecoder struct {
	rest   string
	failed bool
}

func (d *noteDecoder) take(n uint64) string {
	if n > uint64(len(d.rest)) {
		d.failed, d.rest = true, ""
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *noteDecoder) number() uint64 {
	var x uint64
	for shift := 0; shift < 64; shift += 7 {
		b := d.take(1)
		if b == "" {
			return 0
		}
		x |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return x
		}
	}
	d.failed = true
	return 0
}

func (d *noteDecoder) text() string { return d.take(d.number()) }
