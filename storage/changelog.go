package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// MaxLogged is how many changes the log keeps if nobody trims it. Reading the
// crops of so many again takes about as long as reading all of a gallery of
// that size, so that a longer log would save nobody anything; and it bounds what
// the log takes on disk to some 10 MB.
const MaxLogged = 1 << 17

// LoggedChange is what the log keeps of a change.
type LoggedChange struct {
	Seq uint64

	// Origin is a number drawn at random by the [Open] that made the change. Two
	// stores may give one sequence number to different changes (a folder and its
	// backup, when both go on), but not with the same origin: who remembers both
	// numbers of a change can tell whether it is in this store's past.
	Origin uint64

	// Crops are the ids of the crops whose record or embeddings the change put
	// or deleted: each once, in no promised order.
	Crops []string
}

// LoggedChanges returns the change with the number from and all after it, in
// order and without a gap. It is ErrNotFound if the log does not reach back so
// far, or the change was not made yet.
func (s *Store) LoggedChanges(from uint64) iter.Seq2[LoggedChange, error] {
	return func(yield func(LoggedChange, error) bool) {
		next := from
		for c, err := range scan(s, loggedSpan(from), nil, decodeLogged) {
			if err == nil && c.Seq != next {
				if next != from {
					yield(LoggedChange{}, corrupt(kindLogged))
					return
				}
				break
			}
			next++
			if !yield(c, err) || err != nil {
				return
			}
		}
		if next == from {
			yield(LoggedChange{}, fmt.Errorf("%w: %s %d", ErrNotFound, kindLogged, from))
		}
	}
}

// TrimChanges takes the changes with a number below before from the log. It
// does not wait for the disk, and what it took may be there again after a crash.
func (s *Store) TrimChanges(before uint64) error {
	release, err := s.acquire()
	if err != nil {
		return err
	}
	defer release()
	defer s.stopOnPanic("the log of changes was not trimmed")
	if err := s.db.DeleteRange(loggedKey(0), loggedKey(before), pebble.NoSync); err != nil {
		return fmt.Errorf("storage: trimming the log of changes: %w", err)
	}
	return nil
}

// logChange puts the change into the log, and takes the one from it that is too
// old by now.
func (w *writer) logChange(origin, keep uint64) error {
	if err := putLogged(w.batch, w.seq, origin, w.touched); err != nil {
		return err
	}
	if w.seq < keep {
		return nil
	}
	// One key at a time, so that a log that nobody trims costs one tombstone for
	// each change, and no background work.
	if err := w.batch.Delete(loggedKey(w.seq-keep), nil); err != nil {
		return fmt.Errorf("storage: deleting %s record: %w", kindLogged, err)
	}
	return nil
}

// putLogged puts a record of the log.
func putLogged(batch *pebble.Batch, seq, origin uint64, crops []string) error {
	m := storagev1.LoggedChange{Origin: origin}
	seen := make(map[string]bool, len(crops))
	for _, id := range crops {
		if !seen[id] {
			seen[id] = true
			m.CropIds = append(m.CropIds, []byte(id))
		}
	}
	value, err := marshal(kindLogged, &m)
	if err != nil {
		return err
	}
	if err := batch.Set(loggedKey(seq), value, nil); err != nil {
		return fmt.Errorf("storage: putting %s record: %w", kindLogged, err)
	}
	return nil
}

func decodeLogged(key, value []byte) (LoggedChange, error) {
	seq, ok := parseLoggedKey(key)
	var m storagev1.LoggedChange
	if err := unmarshalValue(kindLogged, value, &m); err != nil || !ok {
		return LoggedChange{}, errors.Join(err, corrupt(kindLogged))
	}
	c := LoggedChange{Seq: seq, Origin: m.Origin}
	for _, id := range m.CropIds {
		if len(id) < 1 || len(id) > MaxIDBytes {
			return LoggedChange{}, corrupt(kindLogged)
		}
		c.Crops = append(c.Crops, string(id))
	}
	return c, nil
}

// loggedKey returns the key of a change in the log.
func loggedKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyVersion, byte(kindLogged)}, seq)
}

func parseLoggedKey(key []byte) (seq uint64, ok bool) {
	if len(key) != 10 || key[0] != keyVersion || key[1] != byte(kindLogged) {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[2:]), true
}

// loggedSpan holds the changes with the number from and above.
func loggedSpan(from uint64) span {
	return span{kind: kindLogged, lower: loggedKey(from), upper: []byte{keyVersion, byte(kindLogged) + 1}}
}

// beginLog is the step from schema 1, which had no log, to 2. The change that is
// the last one so far is logged as one that touched nothing, so that whoever
// reads the store now can go on from there.
func beginLog(db *pebble.DB, batch *pebble.Batch) error {
	seq, err := meta(db, metaSequence)
	if err != nil {
		return err
	}
	return putLogged(batch, seq, rand.Uint64(), nil)
}
