package storage

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// school is a gallery with ada, who was once grace, and ben, and a journal about both.
func school(t *testing.T, s *Store, at time.Time) {
	t.Helper()
	ctx := context.Background()
	own := partition(t, s, ServerPartition)
	seq, err := own.Sequence(ctx)
	must(t, err)
	g := Gallery{ID: "elm", Created: at}
	must(t, own.Commit(ctx, seq, []Change{{Time: at, Cause: "make gallery", Writes: []Write{{Ref: g.Ref(), Put: g}}}}))
	p := partition(t, s, "elm")
	grace, ada, ben := Student{ID: "grace", Created: at}, Student{ID: "ada", Created: at}, Student{ID: "ben", Created: at}
	c1, c2, c3 := Crop{ID: "c1", StudentID: "grace", Created: at}, Crop{ID: "c2", StudentID: "ada", Created: at}, Crop{ID: "c3", StudentID: "ben", Created: at}
	moved := c1
	moved.StudentID = "ada"
	put := func(records ...Record) Change {
		c := Change{Time: at, Cause: "enrol"}
		for _, r := range records {
			c.Writes = append(c.Writes, Write{Ref: r.Ref(), Put: r})
		}
		return c
	}
	vector := func(crop string) Embedding {
		return Embedding{CropID: crop, Model: "m", Vector: []float32{1}, Created: at}
	}
	must(t, p.Commit(ctx, 0, []Change{
		put(grace, c1, vector("c1")), put(ada, c2, vector("c2")), put(ben, c3, vector("c3")),
		{Time: at, Cause: "merge students", Writes: []Write{
			{Ref: ada.Ref(), Put: ada, Before: ada}, {Ref: c1.Ref(), Put: moved, Before: c1}, {Ref: grace.Ref(), Before: grace}}},
	}))
	for _, student := range []string{"grace", "ada", "ben", "guest"} {
		_, err := p.Append(ctx, []Line{{Time: at, Student: student, Content: []byte("was there")}})
		must(t, err)
	}
}

// namesIn returns who and what a store still names, in records, log and journal.
func namesIn(t *testing.T, p *Partition) map[string]bool {
	t.Helper()
	ctx, names := context.Background(), map[string]bool{}
	note := func(r Record) {
		switch r := r.(type) {
		case Student:
			names[r.ID] = true
		case Crop:
			names[r.ID], names[r.StudentID] = true, true
		case Embedding:
			names[r.CropID] = true
		}
	}
	for r, err := range p.Load(ctx) {
		must(t, err)
		note(r)
	}
	for c, err := range p.Changes(ctx, 0) {
		must(t, err)
		for _, w := range c.Writes {
			if w.Ref.Kind == KindStudent || w.Ref.Kind == KindCrop || w.Ref.Kind == KindEmbedding {
				names[w.Ref.ID] = true
			}
			note(w.Before)
		}
	}
	for l, err := range p.Lines(ctx, 0) {
		must(t, err)
		names[l.Student] = true
	}
	_, err := p.Verify(ctx)
	must(t, err)
	delete(names, "")
	return names
}

func TestApply(t *testing.T) {
	begin := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	later := begin.Add(time.Hour)
	for name, c := range map[string]struct {
		list func(k ErasureKey) map[string]time.Time
		left string // names
		want Applied
	}{
		"nothing":             {func(ErasureKey) map[string]time.Time { return nil }, "ada ben c1 c2 c3 grace guest", Applied{}},
		"a student":           {func(k ErasureKey) map[string]time.Time { return map[string]time.Time{k.Student("elm", "ada"): later} }, "ben c3 grace guest", Applied{Students: 1, Crops: 2, Embeddings: 2}},
		"a merged student":    {func(k ErasureKey) map[string]time.Time { return map[string]time.Time{k.Student("elm", "grace"): later} }, "ada ben c1 c2 c3 guest", Applied{}},
		"nobody's name":       {func(k ErasureKey) map[string]time.Time { return map[string]time.Time{k.Student("elm", "guest"): later} }, "ada ben c1 c2 c3 grace", Applied{}},
		"a crop":              {func(k ErasureKey) map[string]time.Time { return map[string]time.Time{k.Crop("elm", "c3"): later} }, "ada ben c1 c2 grace guest", Applied{Crops: 1, Embeddings: 1}},
		"a crop as a student": {func(k ErasureKey) map[string]time.Time { return map[string]time.Time{k.Student("elm", "c3"): later} }, "ada ben c1 c2 c3 grace guest", Applied{}},
		"elsewhere":           {func(k ErasureKey) map[string]time.Time { return map[string]time.Time{k.Student("oak", "ada"): later} }, "ada ben c1 c2 c3 grace guest", Applied{}},
		"before it was made": {func(k ErasureKey) map[string]time.Time {
			return map[string]time.Time{k.Student("elm", "ada"): begin.Add(-1), k.Gallery("elm"): begin.Add(-1), k.Crop("elm", "c3"): begin.Add(-1)}
		}, "ada ben c1 c2 c3 grace guest", Applied{}},
		"the gallery": {func(k ErasureKey) map[string]time.Time { return map[string]time.Time{k.Gallery("elm"): later} }, "", Applied{Galleries: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := closeAtEnd(t, OpenMemory(Faults{}))
			school(t, s, begin)
			key := ErasureKey(strings.Repeat("k", erasureKeyBytes))
			list := &Erasures{Key: key, Entries: map[string]Entry{}}
			for digest, at := range c.list(key) {
				list.Note(digest, Entry{Time: at})
			}
			var file bytes.Buffer
			must(t, list.Write(&file))
			list, err := ReadErasures(&file)
			must(t, err)
			ctx := context.Background()
			got, err := s.Apply(ctx, list)
			must(t, err)
			if got != c.want {
				t.Errorf("applied %+v, want %+v", got, c.want)
			}
			left := map[string]bool{}
			for _, name := range strings.Fields(c.left) {
				left[name] = true
			}
			if got := namesIn(t, partition(t, s, "elm")); !reflect.DeepEqual(got, left) {
				t.Errorf("%v are left, want %v", got, left)
			}
			own, err := s.Erasures(ctx)
			must(t, err)
			for digest, entry := range list.Entries {
				if own.Key != key || own.Entries[digest] != entry {
					t.Errorf("the store has not taken the list into its own")
				}
			}
			again, err := s.Apply(ctx, list)
			must(t, err)
			if again != (Applied{}) {
				t.Errorf("applied again: %+v", again)
			}
		})
	}
}

// TestApplyRefusals: who refused is erased and not enrolled, unless the store knows better.
func TestApplyRefusals(t *testing.T) {
	ctx, said := context.Background(), time.Date(2026, 9, 10, 8, 0, 0, 0, time.UTC)
	refusal := Consent{State: ConsentWithdrawn, Date: "2026-09-10"}
	for name, c := range map[string]struct {
		has  *Consent // of the record; nil: there is none
		list Entry
		left bool    // the record
		want Consent // of who has no record
	}{
		"nobody":                     {nil, Entry{said, ConsentWithdrawn}, false, refusal},
		"who never consented":        {&Consent{}, Entry{said, ConsentWithdrawn}, false, refusal},
		"who consented before":       {&Consent{ConsentGiven, "", "2026-09-09"}, Entry{said, ConsentWithdrawn}, false, refusal},
		"who consented that day":     {&Consent{ConsentGiven, "", "2026-09-10"}, Entry{said, ConsentWithdrawn}, false, refusal},
		"who consented later":        {&Consent{ConsentGiven, "", "2026-09-11"}, Entry{said, ConsentWithdrawn}, true, refusal},
		"who is known to refuse":     {&Consent{ConsentRefused, "form 1", "2026-09-02"}, Entry{said, ConsentWithdrawn}, true, refusal},
		"who gave it again":          {nil, Entry{said, ConsentGiven}, false, Consent{}},
		"who gave it, with a record": {&Consent{ConsentGiven, "", "2026-09-09"}, Entry{said, ConsentGiven}, true, Consent{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := closeAtEnd(t, OpenMemory(Faults{}))
			p := partition(t, s, "elm")
			if c.has != nil {
				st := Student{ID: "ada", Created: said.Add(-240 * time.Hour), Consent: *c.has}
				put(t, p, st)
			}
			key := ErasureKey(strings.Repeat("k", erasureKeyBytes))
			list := &Erasures{Key: key, Entries: map[string]Entry{key.Consent("elm", "ada"): c.list}}
			for range 2 {
				_, err := s.Apply(ctx, list)
				must(t, err)
				if left := namesIn(t, p)["ada"]; left != c.left {
					t.Errorf("the record is there: %v", left)
				}
				if got, err := p.Refusal(ctx, "ada"); err != nil || got != c.want {
					t.Errorf("%+v (%v), want %+v", got, err, c.want)
				}
				if got, err := p.Refusal(ctx, "ben"); err != nil || got != (Consent{}) {
					t.Errorf("ben: %+v (%v)", got, err)
				}
			}
			own, err := s.Erasures(ctx)
			if err != nil || own.Entries[key.Consent("elm", "ada")] != c.list || own.Refusal("elm", "ada") != c.want {
				t.Errorf("its own list: %+v (%v)", own.Entries, err)
			}
		})
	}
}

// TestApplyToEmptyGallery: an erased gallery that was empty when the backup was made is dropped
// too, so that who is enrolled there later does not count as old.
func TestApplyToEmptyGallery(t *testing.T) {
	ctx, begin := context.Background(), time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	s := closeAtEnd(t, OpenMemory(Faults{}))
	put(t, partition(t, s, ServerPartition), Gallery{ID: "elm", Created: begin})
	key := ErasureKey(strings.Repeat("k", erasureKeyBytes))
	applied, err := s.Apply(ctx, &Erasures{Key: key, Entries: map[string]Entry{key.Gallery("elm"): {Time: begin.Add(time.Hour)}}})
	must(t, err)
	if there, err := s.galleries(ctx); err != nil || len(there) > 0 || applied.Galleries != 1 {
		t.Errorf("%v (%v), applied %+v", there, err, applied)
	}
}

// TestApplyKeepsOwnKey holds that a store with erasures of its own does not lose them to a
// list of another server.
func TestApplyKeepsOwnKey(t *testing.T) {
	ctx := context.Background()
	s := closeAtEnd(t, OpenMemory(Faults{}))
	school(t, s, time.Now())
	key, err := s.erasureKey(ctx)
	must(t, err)
	put(t, partition(t, s, "elm"), Erasure{Digest: key.Student("elm", "zed"), Time: time.Now()})
	foreign := ErasureKey(strings.Repeat("k", erasureKeyBytes))
	_, err = s.Apply(ctx, &Erasures{Key: foreign, Entries: map[string]Entry{foreign.Student("elm", "ada"): {Time: time.Now()}}})
	must(t, err)
	if own, err := s.Erasures(ctx); err != nil || own.Key != key || !own.Student("elm", "zed", time.Time{}) {
		t.Errorf("the store has lost its own erasures (%v)", err)
	}
	if namesIn(t, partition(t, s, "elm"))["ada"] {
		t.Error("ada is there")
	}
}

func TestReadErasures(t *testing.T) {
	list := &Erasures{Key: ErasureKey(strings.Repeat("k", erasureKeyBytes)), Entries: map[string]Entry{}}
	for _, id := range []string{"a", "b", "c"} {
		list.Note(list.Key.Student("elm", id), Entry{Time: time.Date(2026, 9, 1, 8, 0, 0, 7, time.UTC)})
		list.Note(list.Key.Consent("elm", id), Entry{time.Date(2026, 9, 1, 8, 0, 0, 9, time.UTC), ConsentWithdrawn})
	}
	var file bytes.Buffer
	must(t, list.Write(&file))
	whole := file.String()
	if got, err := ReadErasures(strings.NewReader(whole)); err != nil || !reflect.DeepEqual(got, list) {
		t.Fatalf("read %v (%v), wrote %v", got, err, list)
	}
	for n := range len(whole) - 1 {
		if _, err := ReadErasures(strings.NewReader(whole[:n])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
	for _, wrong := range []string{whole + "{}", strings.Replace(whole, `"version":1`, `"version":2`, 1), strings.Replace(whole, `"count":6`, `"count":5`, 1), "PK", strings.Replace(whole, "withdrawn", "perhaps", 1)} {
		if _, err := ReadErasures(strings.NewReader(wrong)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%.40q: %v", wrong, err)
		}
	}
}
