package storage

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"sync"
)

// xaes seals values with XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under
// a subkey, which is derived from the key and the first half of a nonce of 24 bytes. The
// second half is the nonce of AES-256-GCM. It is safe for concurrent use.
//
// GCM is broken for two values that have subkey and nonce in common. NIST SP 800-38D
// (section 8.3) allows 2^32 random nonces of 12 bytes for each key: a busy journal writes
// as many within some years. So each process draws the first half at random, and again
// after sealsOfSubkey values; the second half is random for each value. Among 2^20 values
// of a subkey the chance of a pair with one nonce is below 2^-57. Among 2^45 values, which
// is a million a second for a year, it is below 2^-32. Two draws of the first half
// agree no more often than two random nonces of GCM.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the subkey of CMAC for whole blocks

	mu      sync.Mutex           // guards what follows
	own     half                 // of the values that are sealed now
	left    int                  // how many more may have it
	subkeys map[half]cipher.AEAD // derived so far, at most keptSubkeys
}

// half is the first half of a nonce.
type half [12]byte

const (
	xaesKeyBytes  = 32
	xaesNonce     = 24
	xaesOverhead  = xaesNonce + 16 // bytes by which a sealed value is longer
	sealsOfSubkey = 1 << 20

	// keptSubkeys is more than the starts of a server in years, and takes less than 2 MiB.
	keptSubkeys = 1024
)

// newXAES takes a key of xaesKeyBytes bytes.
func newXAES(key []byte) *xaes {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for another length
	}
	x := &xaes{block: block, subkeys: map[half]cipher.AEAD{}}
	block.Encrypt(x.k1[:], x.k1[:])
	carry := x.k1[0] >> 7
	for i := range x.k1 {
		x.k1[i] <<= 1
		if i+1 < len(x.k1) {
			x.k1[i] |= x.k1[i+1] >> 7
		}
	}
	x.k1[len(x.k1)-1] ^= 0x87 * carry
	return x
}

// derive returns AES-256-GCM under the subkey of a first half: CMAC in counter mode, as in
// NIST SP 800-108r1. It draws and reads the second half itself.
func (x *xaes) derive(h half) cipher.AEAD {
	var key [xaesKeyBytes]byte
	for i := range 2 {
		m := key[i*aes.BlockSize:][:aes.BlockSize]
		copy(m, []byte{0, byte(i + 1), 'X', 0})
		copy(m[4:], h[:])
		for j := range m {
			m[j] ^= x.k1[j]
		}
		x.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for another block size
	}
	return aead
}

// subkey returns the subkey of a first half.
// REQUIRES: mu is held.
func (x *xaes) subkey(h half) cipher.AEAD {
	aead := x.subkeys[h]
	if aead == nil {
		if len(x.subkeys) == keptSubkeys {
			clear(x.subkeys)
		}
		aead = x.derive(h)
		x.subkeys[h] = aead
	}
	return aead
}

// seal returns the sealed value: nonce, ciphertext and tag.
func (x *xaes) seal(value, additional []byte) []byte {
	x.mu.Lock()
	if x.left == 0 {
		_, _ = rand.Read(x.own[:]) // never fails, as documented
		x.left = sealsOfSubkey
	}
	x.left--
	h := x.own
	aead := x.subkey(h)
	x.mu.Unlock()
	sealed := append(make([]byte, 0, xaesOverhead+len(value)), h[:]...)
	return aead.Seal(sealed, nil, value, additional)
}

// open appends what was sealed to dst. It reports whether it was sealed by this key with
// the same additional data.
func (x *xaes) open(dst, sealed, additional []byte) ([]byte, bool) {
	if len(sealed) < xaesOverhead {
		return nil, false
	}
	x.mu.Lock()
	aead := x.subkey(half(sealed[:len(half{})]))
	x.mu.Unlock()
	value, err := aead.Open(dst, nil, sealed[len(half{}):], additional)
	return value, err == nil
}
