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

// Erasures are the list of all that was erased from a store, with its key. It is kept
// apart from the backups: who restores one applies the list ([Store.Apply]), so that
// nobody who was erased comes back. It names nobody, but whoever has it can try an id.
type Erasures struct {
	Key ErasureKey

	// Times says when what has this digest was erased.
	Times map[string]time.Time
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
	at, listed := e.Times[digest]
	return listed && !created.After(at)
}

// Erasures returns the list of erasures of the store. The errors are ErrClosed,
// ErrCorrupt and ctx's.
func (s *Store) Erasures(ctx context.Context) (*Erasures, error) {
	key, err := s.erasureKey(ctx)
	if err != nil {
		return nil, err
	}
	list := &Erasures{Key: key, Times: make(map[string]time.Time)}
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
			list.note(e.Digest, e.Time)
		}
	}
	return list, nil
}

// note keeps the newest time of a digest.
func (e *Erasures) note(digest string, at time.Time) {
	if at.After(e.Times[digest]) {
		e.Times[digest] = at
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
	Digest string    `json:"digest"`
	Time   time.Time `json:"time"`
}

// Write writes the list as a file that [ReadErasures] reads.
func (e *Erasures) Write(w io.Writer) error {
	lines := json.NewEncoder(w)
	if err := lines.Encode(erasuresHeader{erasuresFormat, erasuresVersion, hex.EncodeToString([]byte(e.Key)), len(e.Times)}); err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	for _, digest := range slices.Sorted(maps.Keys(e.Times)) {
		if err := lines.Encode(erasuresLine{digest, e.Times[digest]}); err != nil {
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
	list := &Erasures{Key: ErasureKey(key), Times: make(map[string]time.Time)}
	for range header.Count {
		var line erasuresLine
		err := lines.Decode(&line)
		digest, wrong := hex.DecodeString(line.Digest)
		if err != nil || wrong != nil || len(digest) != erasureKeyBytes || line.Time.IsZero() {
			return nil, fmt.Errorf("%w: the list of erasures is not whole: %d of %d lines can be read; take another copy of it",
				ErrCorrupt, len(list.Times), header.Count)
		}
		list.note(hex.EncodeToString(digest), line.Time.UTC())
	}
	if _, err := lines.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the list of erasures has more than its %d lines; take another copy of it", ErrCorrupt, header.Count)
	}
	return list, nil
}
