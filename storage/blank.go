package storage

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// blankedAtOnce is how many lines of the log one commit blanks: few, as it is refused if a
// change comes while it is prepared, and then prepared again.
const blankedAtOnce = 64

// BlankChanges erases what an open erasure names from the lines of the log up to its own
// change: which students and crops a change wrote, and what they were before. Crops that
// were one of the students' at any time and have no record any more count as named. Who
// made a change stays, unless that is one of the students. The chain still verifies. A
// student who has a record (a consent that was withdrawn stays, or somebody was enrolled
// again) stays in the line of the erasure's own change.
//
// It returns how many lines it blanked. After an error some of them may be: call it
// again. The errors are ErrReadOnly, ErrClosed, ErrCorrupt and ctx's.
func (p *Partition) BlankChanges(ctx context.Context, e Erasure) (blanked int, err error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	names, err := p.namesOf(ctx, e)
	if err != nil {
		return 0, err
	}
	var found []uint64
	for pair, err := range p.store.backend.scan(ctx, p.linesUntil(e.Change)) {
		if err != nil {
			return blanked, err
		}
		sequence, ok := p.keys.sequence(pair.key)
		if !ok {
			return blanked, errLine
		}
		changed, _, err := names.blank(sequence, pair.value)
		if err != nil {
			return blanked, err
		}
		if changed {
			found = append(found, sequence)
		}
	}
	for part := range slices.Chunk(found, blankedAtOnce) {
		n, err := p.blankLines(ctx, names, part)
		if blanked += n; err != nil {
			return blanked, err
		}
	}
	return blanked, nil
}

// linesUntil is the span of the lines of the log up to the one with this number.
func (p *Partition) linesUntil(sequence uint64) span {
	return span{p.keys.line(0), p.keys.line(sequence + 1)}
}

// erasedNames are what BlankChanges erases.
type erasedNames struct {
	students, crops map[string]bool
	change          uint64          // of the erasure
	present         map[string]bool // of the students: have a record
}

// namesOf reads from the log which crops were the students'.
func (p *Partition) namesOf(ctx context.Context, e Erasure) (*erasedNames, error) {
	names := &erasedNames{students: map[string]bool{}, crops: map[string]bool{}, change: e.Change, present: map[string]bool{}}
	for _, id := range e.Students {
		names.students[id] = true
		has, err := p.has(Ref{Kind: KindStudent, ID: id})
		if err != nil {
			return nil, err
		}
		names.present[id] = has
	}
	for _, id := range e.Crops {
		names.crops[id] = true
	}
	if len(e.Students) == 0 {
		return names, nil
	}
	were := map[string]bool{}
	for pair, err := range p.store.backend.scan(ctx, p.linesUntil(e.Change)) {
		if err != nil {
			return nil, err
		}
		var line storagev1.Line
		if proto.Unmarshal(pair.value, &line) != nil {
			return nil, errLine
		}
		for _, d := range line.Writes {
			w, err := decodeWrite(d)
			if err != nil {
				return nil, err
			}
			if c, ok := w.Before.(Crop); ok && names.students[c.StudentID] {
				were[c.ID] = true
			}
		}
	}
	for id := range were {
		has, err := p.has(Ref{Kind: KindCrop, ID: id})
		if err != nil {
			return nil, err
		}
		if !has {
			names.crops[id] = true
		}
	}
	return names, nil
}

// has reports whether there is a record with this name.
func (p *Partition) has(ref Ref) (bool, error) {
	key, err := p.keys.record(ref)
	if err != nil {
		return false, err
	}
	value, err := p.store.backend.get(key)
	return value != nil, err
}

// blank returns the value of a line without the names, and whether it had any.
func (n *erasedNames) blank(sequence uint64, value []byte) (changed bool, without []byte, err error) {
	var line storagev1.Line
	if proto.Unmarshal(value, &line) != nil {
		return false, nil, errLine
	}
	if n.students[string(line.GetBy().GetContent())] {
		line.By.Salt, line.By.Content, changed = nil, nil, true
	}
	for _, d := range line.Writes {
		w, err := decodeWrite(d)
		if err != nil {
			return false, nil, err
		}
		if n.names(sequence, w) {
			d.Salt, d.Content, changed = nil, nil, true
		}
	}
	if !changed {
		return false, nil, nil
	}
	without, err = marshal(kindLine, &line)
	return true, without, err
}

// names reports whether a write names what was erased.
func (n *erasedNames) names(sequence uint64, w Write) bool {
	switch w.Ref.Kind {
	case KindStudent:
		return n.students[w.Ref.ID] && !(sequence == n.change && n.present[w.Ref.ID])
	case KindCrop, KindEmbedding:
		before, _ := w.Before.(Crop)
		return n.crops[w.Ref.ID] || n.students[before.StudentID]
	}
	return false
}

// blankLines blanks some lines in one commit.
func (p *Partition) blankLines(ctx context.Context, names *erasedNames, sequences []uint64) (blanked int, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		key := p.keys.head()
		head, err := p.store.backend.get(key)
		if err != nil {
			return 0, err
		}
		b := &batch{head: pair{key, head}, deletes: true}
		for _, sequence := range sequences {
			key := p.keys.line(sequence)
			value, err := p.store.backend.get(key)
			if err != nil {
				return 0, err
			}
			if value == nil {
				continue // trimmed since
			}
			changed, without, err := names.blank(sequence, value)
			if err != nil {
				return 0, err
			}
			if changed {
				b.set(bytes.Clone(key), without)
				b.changes++
			}
		}
		if b.changes == 0 {
			return 0, nil
		}
		err = p.store.backend.commit(b)
		if !errors.Is(err, ErrConflict) {
			return int(b.changes), err
		}
	}
}
