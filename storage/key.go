package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// MaxIDBytes is the length of the longest id. It bounds the keys, and so what
// one request can make the store hold. No system that gives out ids comes near
// it.
const MaxIDBytes = 128

// keyVersion is the first byte of the keys of all partitions, so that a later
// layout can exist beside this one. The store's own keys (schema.go) begin
// with another byte.
const keyVersion = 2

// After the partition a key has the byte of its record's [Kind], or one of
// these: the data key, which comes before all that it seals (sealed.go); where the log
// begins and ends, and the lines of the log; the same of the journal; the days of the
// journal that have ended, and the keys of its requests.
const (
	kindDataKey     Kind = 0
	kindHead        Kind = 0x7f
	kindLine        Kind = 0x80
	kindJournalHead Kind = 0x81
	kindJournal     Kind = 0x82
	kindDay         Kind = 0x83
	kindRequest     Kind = 0x84
)

// An id ends with 0x00 0x01, and a 0x00 within it is written 0x00 0xff. So an
// encoded id is never a prefix of another one, and encoded ids sort like the
// ids themselves: the end sorts before every byte that could follow, and
// before an escaped 0x00.
const (
	escape     = 0x00
	escapedNUL = 0xff
	terminator = 0x01
)

// keys makes and parses the keys of one partition. It is the prefix of all of them.
type keys []byte

// keysOf returns the keys of the partition with this id, or ErrInvalidID.
func keysOf(partition string) (keys, error) {
	k, err := appendID([]byte{keyVersion}, partition)
	if err != nil {
		return nil, fmt.Errorf("partition: %w", err)
	}
	return k, nil
}

// head returns the key of the partition's [storagev1.Head].
func (k keys) head() []byte { return k.of(kindHead) }

// line returns the key of a line of the log.
func (k keys) line(sequence uint64) []byte { return k.numbered(kindLine, sequence) }

// sequence returns the number in the key of a line of the log.
func (k keys) sequence(key []byte) (uint64, bool) { return k.number(kindLine, key) }

// numbered returns the key of what has a number and no id.
func (k keys) numbered(kind Kind, n uint64) []byte {
	return binary.BigEndian.AppendUint64(k.of(kind), n)
}

// number returns the number in such a key.
func (k keys) number(kind Kind, key []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(key, k.of(kind))
	if !ok {
		return 0, false
	}
	return readBigEndian(rest)
}

// record returns the key of a record, or ErrInvalidID.
func (k keys) record(ref Ref) (key []byte, err error) {
	key = append(make([]byte, 0, len(k)+len(ref.ID)+len(ref.Model)+5), k...)
	key = append(key, byte(ref.Kind))
	ids, valid := idsOf(ref.Kind)
	if !valid || (ids < 1 && ref.ID != "") || (ids < 2 && ref.Model != "") {
		return nil, fmt.Errorf("%w: a ref that names no record (%s)", ErrInvalidID, ref.Kind)
	}
	for _, id := range []string{ref.ID, ref.Model}[:ids] {
		if key, err = appendID(key, id); err != nil {
			return nil, fmt.Errorf("%s: %w", ref.Kind, err)
		}
	}
	return key, nil
}

// all is the span of everything in the partition: its keys begin with an encoded id,
// and so end before the id with another last byte.
func (k keys) all() span {
	upper := bytes.Clone(k)
	upper[len(upper)-1]++
	return span{k, upper}
}

// records is the span of every record.
func (k keys) records() span {
	return span{k.of(KindSettings), k.of(KindErasure + 1)}
}

// headOnly is the span of the key of the head.
func (k keys) headOnly() span { return span{k.head(), k.of(kindHead + 1)} }

// linesFrom is the span of the lines of the log from the one with this number.
func (k keys) linesFrom(sequence uint64) span {
	return span{k.line(sequence), k.of(kindLine + 1)}
}

func (k keys) of(kind Kind) []byte { return append(bytes.Clone(k), byte(kind)) }

// idsOf returns how many ids are in the key of a record, and whether there are
// records of this kind.
func idsOf(kind Kind) (n int, valid bool) {
	switch kind {
	case KindSettings:
		return 0, true
	case KindModel, KindStudent, KindCrop, KindGallery, KindToken, KindErasure:
		return 1, true
	case KindEmbedding:
		return 2, true
	}
	return 0, false
}

// appendID appends an encoded id to a key, or returns ErrInvalidID.
func appendID(key []byte, id string) ([]byte, error) {
	if len(id) < 1 || len(id) > MaxIDBytes {
		return nil, fmt.Errorf("%w: %d bytes long; must be 1 to %d", ErrInvalidID, len(id), MaxIDBytes)
	}
	for {
		plain, rest, found := strings.Cut(id, "\x00")
		key = append(key, plain...)
		if !found {
			return append(key, escape, terminator), nil
		}
		key = append(key, escape, escapedNUL)
		id = rest
	}
}

// cutID reads the encoded id at the start of b, and returns it with what
// follows. The id may be a part of b.
func cutID(b []byte) (id, rest []byte, ok bool) {
	var plain []byte // the id so far, once an escaped 0x00 was seen
	for {
		i := bytes.IndexByte(b, escape)
		if i < 0 || i+1 == len(b) {
			return nil, nil, false
		}
		part, mark := b[:i], b[i+1]
		b = b[i+2:]
		switch mark {
		case escapedNUL:
			plain = append(append(plain, part...), 0)
		case terminator:
			if plain != nil {
				part = append(plain, part...)
			}
			return part, b, len(part) >= 1 && len(part) <= MaxIDBytes
		default:
			return nil, nil, false
		}
	}
}

// span is a range of keys: lower is within it, upper is not.
type span struct{ lower, upper []byte }

func (s span) has(key []byte) bool {
	return bytes.Compare(s.lower, key) <= 0 && bytes.Compare(key, s.upper) < 0
}
