package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// Applied is what a list of erasures has erased from a store.
type Applied struct {
	Galleries  int
	Students   int
	Crops      int // with those of the students, without those of whole galleries
	Embeddings int // the same
}

// causeApply is the cause of these changes in the log.
const causeApply = "apply the list of erasures"

// Apply erases what a list names and was made before the time in the list: galleries,
// students with their crops, and single crops. It blanks them in the log and the journal,
// and rewrites the files. Who refused, and has not consented on a later day, is
// erased too. The store takes the list into its own, so that refusals hold ([Partition.Refusal]):
// it takes its key too, unless it has erasures with a key of its own.
//
// Nobody else may write to the store: apply the list before it is served. After an error
// make the same call again. The errors are ErrReadOnly, ErrConflict (somebody else wrote),
// ErrClosed, ErrCorrupt and ctx's.
func (s *Store) Apply(ctx context.Context, list *Erasures) (Applied, error) {
	a := applying{store: s, list: list}
	if err := a.all(ctx); err != nil {
		return a.done, fmt.Errorf("applying the list of erasures: %w", err)
	}
	return a.done, nil
}

// applying is an Apply under way.
type applying struct {
	store *Store
	list  *Erasures
	done  Applied
}

func (a *applying) all(ctx context.Context) error {
	if err := a.takeIn(ctx); err != nil {
		return err
	}
	created, err := a.store.galleries(ctx)
	if err != nil {
		return err
	}
	ids, err := a.store.Partitions(ctx)
	if err != nil {
		return err
	}
	for id := range created { // also one that is empty: else what is enrolled there later would count as old
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if id == ServerPartition {
			continue
		}
		if a.list.Gallery(id, created[id]) {
			err = a.drop(ctx, id)
		} else {
			err = a.partition(ctx, id)
		}
		if err != nil {
			return fmt.Errorf("gallery %q: %w", id, err)
		}
	}
	// All of it: what an earlier call has deleted may still be in the files.
	return a.store.Rewrite(ctx)
}

// galleries returns when the galleries of the list were made, by id.
func (s *Store) galleries(ctx context.Context) (map[string]time.Time, error) {
	own, err := s.Partition(ServerPartition)
	if err != nil {
		return nil, err
	}
	created := make(map[string]time.Time)
	for r, err := range own.Load(ctx) {
		if err != nil {
			return nil, err
		}
		if g, ok := r.(Gallery); ok {
			created[g.ID] = g.Created
		}
	}
	return created, nil
}

// takeIn makes the list a part of the store's own, so that the next list has it too. The
// erasures go to the server's partition: a digest does not tell whose it is.
func (a *applying) takeIn(ctx context.Context) error {
	own, err := a.store.Erasures(ctx)
	if err != nil {
		return err
	}
	switch {
	case own.Key == a.list.Key:
	case len(own.Entries) > 0:
		return nil
	default:
		if err := a.store.replaceErasureKey(ctx, own.Key, a.list.Key); err != nil {
			return err
		}
	}
	c := Change{Time: time.Now().UTC(), Cause: causeApply}
	for _, digest := range slices.Sorted(maps.Keys(a.list.Entries)) {
		if entry := a.list.Entries[digest]; entry.Time.After(own.Entries[digest].Time) {
			e := Erasure{Digest: digest, Time: entry.Time, Consent: entry.Consent}
			c.Writes = append(c.Writes, Write{Ref: e.Ref(), Put: e})
		}
	}
	if len(c.Writes) == 0 {
		return nil
	}
	return a.commit(ctx, ServerPartition, c)
}

func (a *applying) commit(ctx context.Context, partition string, c Change) error {
	p, err := a.store.Partition(partition)
	if err != nil {
		return err
	}
	seq, err := p.Sequence(ctx)
	if err != nil {
		return err
	}
	return p.Commit(ctx, seq, []Change{c})
}

func (a *applying) drop(ctx context.Context, id string) error {
	a.done.Galleries++
	return a.commit(ctx, ServerPartition, Change{
		Time: time.Now().UTC(), Cause: causeApply, Drop: id, Writes: []Write{{Ref: Gallery{ID: id}.Ref()}},
	})
}

// partition erases what the list names from one gallery, in one commit, and then from its
// log, its journal and what an earlier call has left open.
func (a *applying) partition(ctx context.Context, id string) error {
	p, err := a.store.Partition(id)
	if err != nil {
		return err
	}
	seq, err := p.Sequence(ctx)
	if err != nil {
		return err
	}
	g := &applyingTo{list: a.list, gallery: id, students: map[string]bool{}, crops: map[string]bool{}}
	if err := g.records(ctx, p); err != nil {
		return err
	}
	if err := g.names(ctx, p); err != nil {
		return err
	}
	e := Erasure{Change: seq + 1, Open: true, ErasedEmbeddings: g.embeddings}
	for _, student := range slices.Sorted(maps.Keys(g.students)) {
		if g.students[student] {
			e.Students = append(e.Students, student)
			e.Digest = a.list.Key.Student(id, student)
		}
	}
	for _, crop := range slices.Sorted(maps.Keys(g.crops)) {
		if g.crops[crop] {
			e.Crops = append(e.Crops, crop)
			e.Digest = cmp.Or(e.Digest, a.list.Key.Crop(id, crop))
		}
	}
	for _, w := range g.writes {
		switch w.Ref.Kind {
		case KindStudent:
			a.done.Students++
		case KindCrop:
			e.ErasedCrops++
		}
	}
	a.done.Crops += e.ErasedCrops
	a.done.Embeddings += e.ErasedEmbeddings
	if e.Digest != "" {
		now := time.Now().UTC()
		if e.Time = a.list.Entries[e.Digest].Time; e.Time.IsZero() { // a crop that goes with its student, or somebody who refused
			e.Time = now
		}
		err := a.commit(ctx, id, Change{Time: now, Cause: causeApply, Writes: append(g.writes, Write{Ref: e.Ref(), Put: e})})
		if err != nil {
			return err
		}
	}
	return a.finish(ctx, p)
}

// applyingTo finds what a list names in one gallery.
type applyingTo struct {
	list    *Erasures
	gallery string

	// The students and crops that the gallery has or had: true for those who are erased.
	students, crops map[string]bool

	writes     []Write
	embeddings int
}

// records finds the records. The order of Load makes sure that a student comes before its
// crops, and a crop before its embeddings.
func (g *applyingTo) records(ctx context.Context, p *Partition) error {
	for r, err := range p.Load(ctx) {
		if err != nil {
			return err
		}
		gone := false
		switch r := r.(type) {
		case Student:
			gone = g.list.Student(g.gallery, r.ID, r.Created) || r.Consent.Against(g.list.Refusal(g.gallery, r.ID)) != r.Consent
			g.students[r.ID] = gone
		case Crop:
			gone = g.students[r.StudentID] || g.list.Crop(g.gallery, r.ID, r.Created)
			g.crops[r.ID] = gone
		case Embedding:
			if g.crops[r.CropID] {
				g.embeddings++
				g.writes = append(g.writes, Write{Ref: r.Ref()})
			}
		}
		if gone {
			g.writes = append(g.writes, Write{Ref: r.Ref(), Before: r})
		}
	}
	return nil
}

// names finds who is named in the log and the journal alone: somebody who was merged, or
// was never enrolled. Who has a record that stays was enrolled again, and is left alone.
func (g *applyingTo) names(ctx context.Context, p *Partition) error {
	student := func(id string) {
		if _, known := g.students[id]; !known && id != "" {
			g.students[id] = g.list.Student(g.gallery, id, time.Time{})
		}
	}
	release, err := p.store.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	for pair, err := range p.store.backend.scan(ctx, p.keys.linesFrom(0)) {
		if err != nil {
			return err
		}
		var line storagev1.Line
		if proto.Unmarshal(pair.value, &line) != nil {
			return errLine
		}
		for _, d := range line.Writes {
			w, err := decodeWrite(d)
			if err != nil {
				return err
			}
			switch w.Ref.Kind {
			case KindStudent:
				student(w.Ref.ID)
			case KindCrop:
				if _, known := g.crops[w.Ref.ID]; !known {
					g.crops[w.Ref.ID] = g.list.Crop(g.gallery, w.Ref.ID, time.Time{})
				}
				if c, ok := w.Before.(Crop); ok {
					student(c.StudentID)
				}
			}
		}
	}
	for pair, err := range p.store.backend.scan(ctx, p.keys.journalFrom(0)) {
		if err != nil {
			return err
		}
		var line storagev1.JournalLine
		if proto.Unmarshal(pair.value, &line) != nil {
			return errJournal
		}
		student(string(line.GetStudent().GetContent()))
	}
	return nil
}

// finish does what is left to do of the open erasures of a partition.
func (a *applying) finish(ctx context.Context, p *Partition) error {
	open, err := p.Erasures(ctx)
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(open, func(e Erasure) bool { return !e.Open })
	logLines, err := p.BlankChanges(ctx, open...)
	if err != nil {
		return err
	}
	var writes []Write
	for i, e := range open {
		e.LogLines += logLines[i]
		lines, err := p.Blank(ctx, e.Students...)
		if err != nil {
			return err
		}
		for _, n := range lines {
			e.JournalLines += n
		}
		e.Open, e.Students, e.Crops, e.Finished = false, nil, nil, time.Now().UTC()
		writes = append(writes, Write{Ref: e.Ref(), Put: e})
	}
	if len(writes) == 0 {
		return nil
	}
	seq, err := p.Sequence(ctx)
	if err != nil {
		return err
	}
	err = p.Commit(ctx, seq, []Change{{Time: time.Now().UTC(), Cause: CauseErased, Writes: writes}})
	if errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: stop the server before a list of erasures is applied", err)
	}
	return err
}

// CauseErased is the cause of a change that notes that erasures are finished.
const CauseErased = "finish erasure"
