package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"strings"
)

// A token is the text rollcall_ID_SECRET. The prefix lets people and scanners of code
// recognise one that has leaked. The id names its record and is no secret.
const textPrefix = "rollcall_"

const (
	// idBytes is the length of an id, of 16 characters. Ids only have to differ.
	idBytes = 10
	// secretBytes is the length of a secret. Nobody can try 2^256, so a fast hash is
	// enough to keep one.
	secretBytes = 32
)

var (
	// idText has no "_", which ends an id, and no capital letters.
	idText     = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)
	secretText = base64.RawURLEncoding.Strict()
)

// newSecret returns a new token, its id and the digest of its secret.
func newSecret() (text, id string, digest []byte) {
	b := make([]byte, idBytes+secretBytes)
	_, _ = rand.Read(b) // never fails, as documented
	id = idText.EncodeToString(b[:idBytes])
	sum := sha256.Sum256(b[idBytes:])
	return textPrefix + id + "_" + secretText.EncodeToString(b[idBytes:]), id, sum[:]
}

// parse returns the id in the text of a token, and the digest of its secret. Only the
// text that newSecret made has them.
func parse(text string) (id string, digest [sha256.Size]byte, ok bool) {
	rest, ok := strings.CutPrefix(text, textPrefix)
	if !ok {
		return "", digest, false
	}
	id, encoded, ok := strings.Cut(rest, "_")
	if !ok || len(id) != idText.EncodedLen(idBytes) || len(encoded) != secretText.EncodedLen(secretBytes) {
		return "", digest, false
	}
	// The encoded secret is copied here, and not to the heap.
	var from [(secretBytes*8 + 5) / 6]byte
	var secret [secretBytes + 1]byte
	if n, err := secretText.Decode(secret[:], from[:copy(from[:], encoded)]); err != nil || n != secretBytes {
		return "", digest, false
	}
	return id, sha256.Sum256(secret[:secretBytes]), true
}

// same compares two digests in a time that does not depend on them.
func same(a []byte, b [sha256.Size]byte) bool { return subtle.ConstantTimeCompare(a, b[:]) == 1 }
