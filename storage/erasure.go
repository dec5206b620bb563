package storage

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Erasure notes that something was erased: a student, a crop or a gallery. It lies in
// the partition where that was, and is written in the commit that deletes it. So
// backups that still hold it can be cleaned: see [Erasures].
//
// Deleting a record leaves its name in the log and in the journal, and its bytes in the
// files until these are rewritten. Until that is done the Erasure is open, and holds the
// ids that are still to be erased.
type Erasure struct {
	Digest string    // of what was erased: see [ErasureKey]; 64 hexadecimal digits
	Time   time.Time // when it was erased: what is newer is not meant
	Change uint64    // the number of the change that erased it; 0: that is not in this partition

	Open     bool     // something is left to do
	Students []string // that have to leave the log and the journal; only while it is open
	Crops    []string // that have to leave the log; only while it is open

	// The receipt. Erasures that were made together have it in one of them.
	ErasedCrops      int       // how many crops were deleted
	ErasedEmbeddings int       // how many embeddings
	LogLines         int       // how many lines of the log were blanked
	JournalLines     int       // how many lines of the journal were blanked
	Finished         time.Time // when the last of it left the files; zero: it is open, or nobody waited for that
}

// Ref returns the erasure's name.
func (e Erasure) Ref() Ref { return Ref{Kind: KindErasure, ID: e.Digest} }

// ErasureKey keys the digests of erasures, so that nobody without the key can try which
// ids were erased. It lies in [ServerPartition]; a server has one for ever. It is 32
// random bytes.
type ErasureKey string

const erasureKeyBytes = 32

// Ref returns the name of the key, which is always the same.
func (ErasureKey) Ref() Ref { return Ref{Kind: KindErasureKey} }

// Student returns the digest of a student of a gallery.
func (k ErasureKey) Student(gallery, id string) string { return k.digest(KindStudent, gallery, id) }

// Crop returns the digest of a crop of a gallery.
func (k ErasureKey) Crop(gallery, id string) string { return k.digest(KindCrop, gallery, id) }

// Gallery returns the digest of a gallery.
func (k ErasureKey) Gallery(id string) string { return k.digest(KindGallery, id, "") }

// digest is HMAC-SHA-256. The length of the gallery's id stands in front, so that no two
// names give it the same bytes.
func (k ErasureKey) digest(kind Kind, gallery, id string) string {
	h := hmac.New(sha256.New, []byte(k))
	h.Write(binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(len(gallery))))
	h.Write([]byte(gallery))
	h.Write([]byte(id))
	return hex.EncodeToString(h.Sum(nil))
}

// ErasureKey returns the key of the store, and makes one if it has none. The errors are
// ErrReadOnly, if one has to be made, ErrClosed, ErrCorrupt and ctx's.
func (s *Store) ErasureKey(ctx context.Context) (ErasureKey, error) {
	key := make([]byte, erasureKeyBytes)
	_, _ = rand.Read(key) // never fails, as documented
	return s.setErasureKey(ctx, ErasureKey(key), func(ErasureKey) bool { return false })
}

// setErasureKey stores the key if there is none, or where replace says so of the present
// one. It returns the key that the store has then.
func (s *Store) setErasureKey(ctx context.Context, key ErasureKey, replace func(present ErasureKey) bool) (ErasureKey, error) {
	own, err := s.Partition(ServerPartition)
	if err != nil {
		return "", err
	}
	for {
		seq, err := own.Sequence(ctx)
		if err != nil {
			return "", err
		}
		records, err := own.Fetch(ctx, key.Ref())
		if err != nil {
			return "", err
		}
		if len(records) > 0 {
			if present := records[0].(ErasureKey); !replace(present) {
				return present, nil
			}
		}
		err = own.Commit(ctx, seq, []Change{{Time: time.Now().UTC(), Cause: "make the key of erasures", Writes: []Write{{Ref: key.Ref(), Put: key}}}})
		if !errors.Is(err, ErrConflict) {
			if err != nil {
				return "", fmt.Errorf("storing the key of erasures: %w", err)
			}
			return key, nil
		}
	}
}
