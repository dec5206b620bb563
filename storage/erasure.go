package storage

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// Erasure notes that something was erased: a student, a crop or a gallery. It lies in
// the partition where that was, and is written in the commit that deletes it. So
// backups that still hold it can be cleaned: see [Erasures]. An Erasure with a Consent
// notes what a student said instead, so that a refusal is known where no record of the
// student is.
//
// Deleting a record leaves its name in the log and in the journal, and its bytes in the
// files until these are rewritten. Until that is done the Erasure is open, and holds the
// ids that are still to be erased.
type Erasure struct {
	Digest string    // of what was erased: see [ErasureKey]; 64 hexadecimal digits
	Time   time.Time // when it was erased: what is newer is not meant; or when it was said
	Change uint64    // the number of the change that erased it; 0: that is not in this partition, or it was a gallery

	Consent ConsentState // what was said; empty: something was erased

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

// Refusal returns the consent that it notes, if that is a refusal; else the zero Consent.
func (e Erasure) Refusal() Consent { return e.entry().refusal() }

func (e Erasure) entry() Entry { return Entry{e.Time, e.Consent} }

// ErasureKey keys the digests of erasures, so that nobody without the key can try which
// ids were erased. A store has one for ever. It is 32 random bytes.
type ErasureKey string

const erasureKeyBytes = 32

func newErasureKey() ErasureKey {
	key := make([]byte, erasureKeyBytes)
	_, _ = rand.Read(key) // never fails, as documented
	return ErasureKey(key)
}

// Student returns the digest of a student of a gallery.
func (k ErasureKey) Student(gallery, id string) string { return k.digest(KindStudent, gallery, id) }

// Crop returns the digest of a crop of a gallery.
func (k ErasureKey) Crop(gallery, id string) string { return k.digest(KindCrop, gallery, id) }

// Consent returns the digest under which a student's consent is noted.
func (k ErasureKey) Consent(gallery, id string) string { return k.digest(consents, gallery, id) }

// consents stands for what no record has a kind for.
const consents Kind = 'c'

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

// erasureKey returns the key of the store.
func (s *Store) erasureKey(ctx context.Context) (ErasureKey, error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	key, err := s.backend.get([]byte(metaErasures))
	if err == nil && len(key) != erasureKeyBytes {
		err = fmt.Errorf("%w: the key of the erasures is missing or damaged; restore a backup", ErrCorrupt)
	}
	return ErasureKey(key), err
}

// replaceErasureKey stores another key.
func (s *Store) replaceErasureKey(ctx context.Context, present, key ErasureKey) error {
	release, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	b := &batch{head: pair{[]byte(metaErasures), []byte(present)}, deletes: true}
	b.set(b.head.key, []byte(key))
	return s.backend.commit(b)
}

// Digests are an [ErasureKey] for one partition.
type Digests struct {
	key     ErasureKey
	gallery string
}

// Digests returns those of the partition. The errors are ErrClosed, ErrCorrupt and ctx's.
func (p *Partition) Digests(ctx context.Context) (Digests, error) {
	key, err := p.store.erasureKey(ctx)
	id, _, _ := cutID(p.keys[1:])
	return Digests{key, string(id)}, err
}

// Student returns the digest of a student of the partition.
func (d Digests) Student(id string) string { return d.key.Student(d.gallery, id) }

// Crop returns the digest of a crop of the partition.
func (d Digests) Crop(id string) string { return d.key.Crop(d.gallery, id) }

// Consent returns the digest under which a student's consent is noted.
func (d Digests) Consent(id string) string { return d.key.Consent(d.gallery, id) }

// Gallery returns the digest of a gallery.
func (d Digests) Gallery(id string) string { return d.key.Gallery(id) }

// Mentions reports whether the journal names a student. It reads the journal until it
// does. The errors are ErrClosed, ErrCorrupt and ctx's.
func (p *Partition) Mentions(ctx context.Context, student string) (bool, error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	for pair, err := range p.store.backend.scan(ctx, p.keys.journalFrom(0)) {
		if err != nil {
			return false, err
		}
		var line storagev1.JournalLine
		if proto.Unmarshal(pair.value, &line) != nil {
			return false, errJournal
		}
		if string(line.GetStudent().GetContent()) == student {
			return true, nil
		}
	}
	return false, nil
}
