package storage

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// SealKeyBytes is the length of an operator's key.
const SealKeyBytes = 32

// SealKey is an operator's key. It seals the data keys of a folder, and each of those
// seals a partition. It is safe for concurrent use, and never printed.
type SealKey struct {
	wrap *xaes
	id   uint64
}

// ParseSealKey reads a key: SealKeyBytes random bytes in base64 or in hexadecimal, with
// white space around it. The error does not show the text.
func ParseSealKey(text []byte) (*SealKey, error) {
	text = bytes.TrimSpace(text)
	secret, err := hex.DecodeString(string(text))
	if len(text) != hex.EncodedLen(SealKeyBytes) {
		secret, err = base64.StdEncoding.DecodeString(string(text))
	}
	if err != nil || len(secret) != SealKeyBytes {
		return nil, fmt.Errorf("the seal key is not %d bytes in base64 or hexadecimal, but a text of %d bytes; \"rollcall seal new-key FILE\" makes one",
			SealKeyBytes, len(text))
	}
	return &SealKey{wrap: newXAES(purpose(secret, "wrap")), id: first8(purpose(secret, "id"))}, nil
}

// String returns a short fingerprint of the key, by which a folder names the key that it
// wants. It tells nothing about the key.
func (k *SealKey) String() string { return keyName(k.id) }

func keyName(id uint64) string { return fmt.Sprintf("%016x", id) }

// purpose derives a key for one purpose from a random secret.
func purpose(secret []byte, purpose string) []byte {
	key, err := hkdf.Expand(sha256.New, secret, "rollcall "+purpose, xaesKeyBytes)
	if err != nil {
		panic(err) // only for a longer key
	}
	return key
}

func first8(b []byte) uint64 {
	n, _ := readBigEndian(b[:8])
	return n
}

// dataKey seals the values of one partition.
type dataKey struct {
	wrapped  []byte // as it is stored
	values   *xaes
	requests []byte // of the keys of requests
}

func newDataKey(wrapped, secret []byte) *dataKey {
	return &dataKey{wrapped: wrapped, values: newXAES(purpose(secret, "values")), requests: purpose(secret, "requests")}
}

// make returns a new data key for the partition with these keys.
func (k *SealKey) make(p keys) *dataKey {
	secret := make([]byte, xaesKeyBytes)
	_, _ = rand.Read(secret) // never fails, as documented
	return newDataKey(k.wrap.seal(secret, p.dataKey()), secret)
}

// unwrap returns the data key that is stored in the partition with these keys, or
// ErrCorrupt.
func (k *SealKey) unwrap(p keys, wrapped []byte) (*dataKey, error) {
	secret, ok := k.wrap.open(nil, wrapped, p.dataKey())
	if !ok || len(secret) != xaesKeyBytes {
		return nil, errDataKey
	}
	return newDataKey(bytes.Clone(wrapped), secret), nil
}

// rewrap returns a stored data key as another operator's key wraps it.
func (k *SealKey) rewrap(p keys, wrapped []byte, to *SealKey) ([]byte, error) {
	secret, ok := k.wrap.open(nil, wrapped, p.dataKey())
	if !ok {
		return nil, errDataKey
	}
	return to.wrap.seal(secret, p.dataKey()), nil
}

var errDataKey = fmt.Errorf("%w: the data key of a partition is missing or damaged, without which nothing in it can be read; restore a backup", ErrCorrupt)

var errNoDataKey = errors.New("storage: a partition has no data key yet")
