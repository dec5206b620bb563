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

// BlankChanges erases what open erasures name from the lines of the log up to their own
// changes: which students and crops a change wrote, and what they were before. Crops that
// were one of the students' at any time and have no record any more count as named. Who
// made a change stays, unless that is one of the students. The chain still verifies. A
// student who has a record (a consent that was withdrawn stays, or somebody was enrolled
// again) stays in the line of the erasure's own change.
//
// It returns how many lines it blanked for each of them. After an error some of them may
// be blanked: call it again. The errors are ErrReadOnly, ErrClosed, ErrCorrupt and ctx's.
func (p *Partition) BlankChanges(ctx context.Context, erasures ...Erasure) (blanked []int, err error) {
	release, err := p.store.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	names, err := p.namesOf(ctx, erasures)
	if err != nil {
		return nil, err
	}
	var found []uint64
	for pair, err := range p.store.backend.scan(ctx, p.linesUntil(names.last)) {
		if err != nil {
			return nil, err
		}
		sequence, ok := p.keys.sequence(pair.key)
		if !ok {
			return nil, errLine
		}
		_, by, err := names.blank(sequence, pair.value)
		if err != nil {
			return nil, err
		}
		if len(by) > 0 {
			found = append(found, sequence)
		}
	}
	blanked = make([]int, len(erasures))
	for part := range slices.Chunk(found, blankedAtOnce) {
		if err := p.blankLines(ctx, names, part, blanked); err != nil {
			return blanked, err
		}
	}
	return blanked, nil
}

// linesUntil is the span of the lines of the log up to the one with this number.
func (p *Partition) linesUntil(sequence uint64) span {
	return span{p.keys.line(0), p.keys.line(sequence + 1)}
}

// erasedNames are what BlankChanges erases, with the places of their erasures in the list.
type erasedNames struct {
	students, crops map[string]int
	changes         []uint64        // of the erasures
	last            uint64          // of changes
	present         map[string]bool // of the students: have a record
}

// namesOf reads from the log which crops were the students'.
func (p *Partition) namesOf(ctx context.Context, erasures []Erasure) (*erasedNames, error) {
	names := &erasedNames{students: map[string]int{}, crops: map[string]int{}, present: map[string]bool{}}
	for i, e := range erasures {
		names.changes, names.last = append(names.changes, e.Change), max(names.last, e.Change)
		for _, id := range e.Students {
			names.students[id] = i
			has, err := p.has(Ref{Kind: KindStudent, ID: id})
			if err != nil {
				return nil, err
			}
			names.present[id] = has
		}
		for _, id := range e.Crops {
			names.crops[id] = i
		}
	}
	if len(names.students) == 0 {
		return names, nil
	}
	were := map[string]int{}
	for pair, err := range p.store.backend.scan(ctx, p.linesUntil(names.last)) {
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
			if c, ok := w.Before.(Crop); ok {
				if i, was := names.students[c.StudentID]; was {
					were[c.ID] = i
				}
			}
		}
	}
	for id, i := range were {
		has, err := p.has(Ref{Kind: KindCrop, ID: id})
		if err != nil {
			return nil, err
		}
		if _, named := names.crops[id]; !has && !named {
			names.crops[id] = i
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

// blank returns the value of a line without the names, and for which erasures it had some.
func (n *erasedNames) blank(sequence uint64, value []byte) (without []byte, by map[int]bool, err error) {
	var line storagev1.Line
	if proto.Unmarshal(value, &line) != nil {
		return nil, nil, errLine
	}
	by = map[int]bool{}
	if i, is := n.students[string(line.GetBy().GetContent())]; is && sequence <= n.changes[i] {
		line.By.Salt, line.By.Content, by[i] = nil, nil, true
	}
	for _, d := range line.Writes {
		w, err := decodeWrite(d)
		if err != nil {
			return nil, nil, err
		}
		if i, is := n.names(w); is && sequence <= n.changes[i] && !n.stays(sequence, i, w.Ref) {
			d.Salt, d.Content, by[i] = nil, nil, true
		}
	}
	if len(by) == 0 {
		return nil, nil, nil
	}
	without, err = marshal(kindLine, &line)
	return without, by, err
}

// names returns which erasure is about a write.
func (n *erasedNames) names(w Write) (erasure int, is bool) {
	switch w.Ref.Kind {
	case KindStudent:
		erasure, is = n.students[w.Ref.ID]
	case KindCrop, KindEmbedding:
		if erasure, is = n.crops[w.Ref.ID]; is {
			return erasure, is
		}
		if c, ok := w.Before.(Crop); ok {
			erasure, is = n.students[c.StudentID]
		}
	}
	return erasure, is
}

// stays reports whether a line goes on naming a record: it is the line of the erasure, and
// the student is still there.
func (n *erasedNames) stays(sequence uint64, erasure int, ref Ref) bool {
	return ref.Kind == KindStudent && sequence == n.changes[erasure] && n.present[ref.ID]
}

// blankLines blanks some lines in one commit, and counts them for their erasures.
func (p *Partition) blankLines(ctx context.Context, names *erasedNames, sequences []uint64, blanked []int) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := p.keys.head()
		head, err := p.store.backend.get(key)
		if err != nil {
			return err
		}
		b := &batch{head: pair{key, head}, deletes: true}
		counts := make([]int, len(blanked))
		for _, sequence := range sequences {
			key := p.keys.line(sequence)
			value, err := p.store.backend.get(key)
			if err != nil {
				return err
			}
			if value == nil {
				continue // trimmed since
			}
			without, by, err := names.blank(sequence, value)
			if err != nil {
				return err
			}
			if len(by) > 0 {
				b.set(bytes.Clone(key), without)
				b.changes++
			}
			for i := range by {
				counts[i]++
			}
		}
		if b.changes == 0 {
			return nil
		}
		switch err = p.store.backend.commit(b); {
		case errors.Is(err, ErrConflict):
			continue
		case err != nil:
			return err
		}
		for i, n := range counts {
			blanked[i] += n
		}
		return nil
	}
}
