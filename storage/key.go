package storage

import (
	"bytes"
	"fmt"
	"strings"
)

// MaxIDBytes is the length of the longest id. It bounds the keys, and with
// them what one request can make Pebble hold; no system that hands out ids
// comes near it.
const MaxIDBytes = 128

// keyVersion leads every key, so that a later layout can live beside this one
// while a migration runs. The meta keys keep version 1 for ever: any release
// must be able to read the schema version.
const keyVersion = 1

// kind is the second byte of a key: what the record is. The values are on disk.
type kind byte

const (
	kindMeta      kind = 0
	kindStudent   kind = 1
	kindCrop      kind = 2
	kindEmbedding kind = 3
	kindModel     kind = 4
	kindEnrolled  kind = 5
	kindLogged    kind = 6
)

// String returns the word for k in errors.
func (k kind) String() string {
	switch k {
	case kindMeta:
		return "meta"
	case kindStudent:
		return "student"
	case kindCrop:
		return "crop"
	case kindEmbedding:
		return "embedding"
	case kindModel:
		return "model"
	case kindEnrolled:
		return "enrolled"
	case kindLogged:
		return "logged change"
	}
	return fmt.Sprintf("unknown(%d)", byte(k))
}

// An id ends with 0x00 0x01, and a 0x00 within it is written 0x00 0xff. So an
// encoded id is never a prefix of another one, and encoded ids sort as the ids
// themselves do: the end sorts below every byte that could follow, and below
// an escaped 0x00.
const (
	escape     = 0x00
	escapedNUL = 0xff
	terminator = 0x01
)

// makeKey returns the key of kind k with the given ids, or ErrInvalidID.
func makeKey(k kind, ids ...string) ([]byte, error) {
	size := 2
	for _, id := range ids {
		if len(id) < 1 || len(id) > MaxIDBytes {
			return nil, fmt.Errorf("%w: %d bytes long; must be 1 to %d (%s)", ErrInvalidID, len(id), MaxIDBytes, k)
		}
		size += len(id) + 2
	}
	key := append(make([]byte, 0, size), keyVersion, byte(k))
	for _, id := range ids {
		for {
			plain, rest, found := strings.Cut(id, "\x00")
			key = append(key, plain...)
			if !found {
				break
			}
			key = append(key, escape, escapedNUL)
			id = rest
		}
		key = append(key, escape, terminator)
	}
	return key, nil
}

// parseKey reads the ids of a key of kind k into ids. A key that makeKey would
// not have made is ErrCorrupt.
func parseKey(k kind, key []byte, ids ...*string) error {
	if len(key) < 2 || key[0] != keyVersion || key[1] != byte(k) {
		return corrupt(k)
	}
	rest := key[2:]
	for _, id := range ids {
		var ok bool
		if *id, rest, ok = cutID(rest); !ok {
			return corrupt(k)
		}
	}
	if len(rest) != 0 {
		return corrupt(k)
	}
	return nil
}

// cutID reads the encoded id at the start of b and returns it with what follows.
func cutID(b []byte) (id string, rest []byte, ok bool) {
	var plain []byte // what came before, once an escaped 0x00 was seen
	for {
		i := bytes.IndexByte(b, escape)
		if i < 0 || i+1 == len(b) {
			return "", nil, false
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
			return string(part), b, len(part) >= 1 && len(part) <= MaxIDBytes
		default:
			return "", nil, false
		}
	}
}

// span is a range of keys: lower is within it, upper is not.
type span struct {
	kind         kind
	lower, upper []byte
}

// kindSpan holds every key of kind k whose first id sorts strictly after the
// given one; an empty after means all of them.
func kindSpan(k kind, after string) (span, error) {
	s := span{kind: k, lower: []byte{keyVersion, byte(k)}, upper: []byte{keyVersion, byte(k) + 1}}
	if after == "" {
		return s, nil
	}
	key, err := makeKey(k, after)
	if err != nil {
		return span{}, err
	}
	s.lower = next(key)
	return s, nil
}

// idSpan holds every key of kind k whose first id is the given one.
func idSpan(k kind, id string) (span, error) {
	prefix, err := makeKey(k, id)
	if err != nil {
		return span{}, err
	}
	return span{kind: k, lower: prefix, upper: next(prefix)}, nil
}

// next returns the first key after every key that starts with the given one.
// The last byte is a terminator, so adding one to it cannot overflow.
func next(key []byte) []byte {
	end := bytes.Clone(key)
	end[len(end)-1]++
	return end
}
