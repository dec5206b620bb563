package storage

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Erasures are the list of all that was erased from a store, and of all who refused, with
// its key. It is kept apart from the backups: who restores one applies the list
// ([Store.Apply]), so that nobody who was erased comes back, and nobody who refused is
// enrolled. It names nobody, but whoever has it can try an id.
type Erasures struct {
	Key ErasureKey

	// Entries are what the list says, by digest.
	Entries map[string]Entry
}

// Entry is one line of [Erasures].
type Entry struct {
	Time    time.Time    // when it was erased, or said
	Consent ConsentState // what was said, for an [ErasureKey.Consent]; else empty
}

// Student reports whether a student was erased after it was created. A student with a
// zero time counts as old.
func (e *Erasures) Student(gallery, id string, created time.Time) bool {
	return e.erased(e.Key.Student(gallery, id), created)
}

// Crop is Student for a crop.
func (e *Erasures) Crop(gallery, id string, created time.Time) bool {
	return e.erased(e.Key.Crop(gallery, id), created)
}

// Gallery is Student for a gallery.
func (e *Erasures) Gallery(id string, created time.Time) bool {
	return e.erased(e.Key.Gallery(id), created)
}

func (e *Erasures) erased(digest string, created time.Time) bool {
	entry, listed := e.Entries[digest]
	return listed && !created.After(entry.Time)
}

// Refusal returns how and when a student's consent was refused or withdrawn; the zero
// Consent: it was not, or was given since.
func (e *Erasures) Refusal(gallery, id string) Consent {
	return e.Entries[e.Key.Consent(gallery, id)].refusal()
}

func (e Entry) refusal() Consent {
	if !e.Consent.Refuses() {
		return Consent{}
	}
	return Consent{State: e.Consent, Date: DateOf(e.Time)}
}

// Erasures returns the list of erasures of the store. The errors are ErrClosed,
// ErrCorrupt and ctx's.
func (s *Store) Erasures(ctx context.Context) (*Erasures, error) {
	key, err := s.erasureKey(ctx)
	if err != nil {
		return nil, err
	}
	list := &Erasures{Key: key, Entries: make(map[string]Entry)}
	ids, err := s.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		p, err := s.Partition(id)
		if err != nil {
			return nil, err
		}
		of, err := p.Erasures(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range of {
			list.Note(e.Digest, e.entry())
		}
	}
	return list, nil
}

// Note adds an entry, unless there is a newer one of this digest.
func (e *Erasures) Note(digest string, entry Entry) {
	if entry.Time.After(e.Entries[digest].Time) {
		e.Entries[digest] = entry
	}
}

// Erasures returns those of one partition, by their digests. The errors are ErrClosed,
// ErrCorrupt and ctx's.
func (p *Partition) Erasures(ctx context.Context) ([]Erasure, error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var list []Erasure
	d := decoder{keys: p.keys}
	for pair, err := range p.store.backend.scan(ctx, span{p.keys.of(KindErasure), p.keys.of(KindErasure + 1)}) {
		if err != nil {
			return nil, err
		}
		r, err := d.pair(pair)
		if err != nil {
			return nil, err
		}
		list = append(list, r.(Erasure))
	}
	return list, nil
}

// Refusal is [Erasures.Refusal] for the store's own list, and void once the gallery was
// erased. It holds for who has no record: a refusal outlives the record, and comes back
// with the list where the record does not. The errors are ErrClosed, ErrCorrupt and ctx's.
func (p *Partition) Refusal(ctx context.Context, student string) (Consent, error) {
	digests, err := p.Digests(ctx)
	if err != nil {
		return Consent{}, err
	}
	own, err := p.store.Partition(ServerPartition)
	if err != nil {
		return Consent{}, err
	}
	ref := Erasure{Digest: digests.Consent(student)}.Ref()
	here, err := p.Fetch(ctx, ref)
	if err != nil {
		return Consent{}, err
	}
	there, err := own.Fetch(ctx, ref, Erasure{Digest: digests.Gallery(digests.gallery)}.Ref())
	if err != nil {
		return Consent{}, err
	}
	var newest Entry
	for _, r := range append(here, there...) {
		if e, ok := r.(Erasure); ok && e.Time.After(newest.Time) {
			newest = e.entry()
		}
	}
	return newest.refusal(), nil
}

// The file of a list is JSON Lines: a header, and one line for each erasure.

// erasuresVersion is that of the file.
const erasuresVersion = 1

type erasuresHeader struct {
	Format  string `json:"format"` // erasuresFormat
	Version int    `json:"version"`
	Key     string `json:"key"`   // 64 hexadecimal digits
	Count   int    `json:"count"` // of the lines that follow
}

const erasuresFormat = "rollcall erasures"

type erasuresLine struct {
	Digest  string       `json:"digest"`
	Time    time.Time    `json:"time"`
	Consent ConsentState `json:"consent,omitempty"`
}

// Write writes the list as a file that [ReadErasures] reads.
func (e *Erasures) Write(w io.Writer) error {
	lines := json.NewEncoder(w)
	if err := lines.Encode(erasuresHeader{erasuresFormat, erasuresVersion, hex.EncodeToString([]byte(e.Key)), len(e.Entries)}); err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	for _, digest := range slices.Sorted(maps.Keys(e.Entries)) {
		if err := lines.Encode(erasuresLine{digest, e.Entries[digest].Time, e.Entries[digest].Consent}); err != nil {
			return fmt.Errorf("writing the list of erasures: %w", err)
		}
	}
	return nil
}

// ReadErasures reads a list that [Erasures.Write] has written. The error is ErrCorrupt for
// any other file, also for a part of one: a list with lines missing would bring people back.
func ReadErasures(r io.Reader) (*Erasures, error) {
	lines := json.NewDecoder(bufio.NewReader(r))
	lines.DisallowUnknownFields()
	var header erasuresHeader
	if err := lines.Decode(&header); err != nil || header.Format != erasuresFormat {
		return nil, fmt.Errorf("%w: this is no list of erasures; give the file that lies beside the backups", ErrCorrupt)
	}
	if header.Version != erasuresVersion {
		return nil, fmt.Errorf("%w: the list of erasures has version %d, and this release reads %d", ErrCorrupt, header.Version, erasuresVersion)
	}
	key, err := hex.DecodeString(header.Key)
	if err != nil || len(key) != erasureKeyBytes {
		return nil, fmt.Errorf("%w: the list of erasures has no key; take another copy of it", ErrCorrupt)
	}
	list := &Erasures{Key: ErasureKey(key), Entries: make(map[string]Entry)}
	for range header.Count {
		var line erasuresLine
		err := lines.Decode(&line)
		digest, wrong := hex.DecodeString(line.Digest)
		if err != nil || wrong != nil || len(digest) != erasureKeyBytes || line.Time.IsZero() || !line.Consent.valid() {
			return nil, fmt.Errorf("%w: the list of erasures is not whole: %d of %d lines can be read; take another copy of it",
				ErrCorrupt, len(list.Entries), header.Count)
		}
		list.Note(hex.EncodeToString(digest), Entry{line.Time.UTC(), line.Consent})
	}
	if _, err := lines.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the list of erasures has more than its %d lines; take another copy of it", ErrCorrupt, header.Count)
	}
	return list, nil
}
