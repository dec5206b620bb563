package gallery

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rollcall/storage"
)

// refusals is what a person remembers of who refused, beside what the galleries do.
type refusals struct {
	refused map[string]bool // by gallery and student: refused or withdrawn, and not given since
	records map[string]bool // who has a record: true, and it says so
	crops   map[string]int
}

// refuses says whether nobody may enrol a student. An old record may know of a refusal alone,
// and not of the consent that followed it.
func (r refusals) refuses(key string) bool {
	if says, has := r.records[key]; has {
		return says
	}
	return r.refused[key]
}

func (r refusals) copy() refusals {
	return refusals{maps.Clone(r.refused), maps.Clone(r.records), maps.Clone(r.crops)}
}

// TestRefusalsComeBack goes through random changes in two galleries, takes backups, and restores
// old ones with the newest list of erasures, again and again. Whoever refused last is enrolled
// by nobody, has no crop, and can consent again; everybody else can be enrolled.
func TestRefusalsComeBack(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { refusalsComeBack(t, newRand(t, seed)) })
		})
	}
}

func refusalsComeBack(t *testing.T, rng *rand.Rand) {
	type kept struct {
		store *storage.Store
		then  refusals
	}
	store := storage.OpenMemory(storage.Faults{})
	s := openGalleries(t, store, Options{}, 0)
	mustCreate(t, s, "elm", "oak")
	model := refusals{map[string]bool{}, map[string]bool{}, map[string]int{}}
	var list *storage.Erasures // the file beside the backups
	var backups []kept
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	crop := 0
	enrol := func(g *Gallery, gallery, id string) {
		t.Helper()
		crop++
		_, err := g.Enroll(ctx, Enrolment{CropID: fmt.Sprint("c", crop), StudentID: id, Embedding: made(plain, base(plain, crop%16)), AllowDuplicate: true, AllowUnlike: true})
		var refused *NoConsentError
		if want := model.refuses(gallery + id); errors.As(err, &refused) != want || !want && err != nil {
			t.Fatalf("enrol %s in %s, who refused: %v: %v", id, gallery, want, err)
		}
		if err == nil {
			model.records[gallery+id] = false
			model.crops[gallery+id]++
		}
	}
	for step := range 400 {
		time.Sleep(time.Second)
		gallery, id := []string{"elm", "oak"}[rng.IntN(2)], string('a'+rune(rng.IntN(5)))
		key := gallery + id
		with(t, s, gallery, func(g *Gallery) {
			switch rng.IntN(12) {
			case 0, 1, 2, 3:
				enrol(g, gallery, id)
			case 4:
				_, err := g.PutStudent(ctx, id, []string{"3b"})
				must(err)
				model.records[key] = model.refuses(key)
			case 5, 6:
				state := []ConsentState{ConsentRefused, ConsentWithdrawn}[rng.IntN(2)]
				st, _, err := g.SetConsent(ctx, id, Consent{State: state})
				must(err)
				if st.Consent.State != state || st.CropCount > 0 {
					t.Fatalf("step %d: %+v", step, st)
				}
				model.refused[key], model.records[key], model.crops[key] = true, true, 0
			case 7:
				_, _, err := g.SetConsent(ctx, id, Consent{State: ConsentGiven})
				must(err)
				model.refused[key], model.records[key] = false, false
			case 8:
				if _, err := g.DeleteStudent(ctx, id); err != nil && !errors.Is(err, ErrStudentNotFound) {
					t.Fatalf("step %d: delete %s: %v", step, key, err)
				}
				delete(model.records, key)
				delete(model.crops, key)
			case 9: // a file that was exported who knows when
				st := &StudentRecord{ID: id, Created: time.Now().Add(time.Second), Consent: Consent{State: ConsentGiven, Date: "1999-12-31"}}
				done, err := s.Import(ctx, g, gallery, []Record{{Student: st}}, ImportOptions{})
				must(errors.Join(err, done.Errors[0]))
				model.records[key] = model.refuses(key)
			}
		})
		if rng.IntN(60) == 0 {
			must(s.Delete(ctx, gallery))
			time.Sleep(time.Second)
			mustCreate(t, s, gallery)
			for _, of := range []map[string]bool{model.refused, model.records} {
				maps.DeleteFunc(of, func(key string, _ bool) bool { return key[:3] == gallery })
			}
			maps.DeleteFunc(model.crops, func(key string, _ int) bool { return key[:3] == gallery })
		}
		// The server writes the list within seconds.
		now, err := store.Erasures(ctx)
		must(err)
		if list != nil {
			for digest, entry := range list.Entries {
				now.Note(digest, entry)
			}
		}
		list = now
		switch rng.IntN(25) {
		case 0:
			backup := storage.OpenMemory(storage.Faults{})
			must(storage.Copy(ctx, backup, store, nil))
			backups = append(backups, kept{backup, model.copy()})
		case 1:
			if len(backups) == 0 {
				continue
			}
			var file bytes.Buffer
			must(list.Write(&file))
			read, err := storage.ReadErasures(&file)
			must(err)
			must(s.Close())
			old := backups[rng.IntN(len(backups))]
			time.Sleep(time.Second)
			store = storage.OpenMemory(storage.Faults{})
			must(storage.Copy(ctx, store, old.store, nil))
			_, err = store.Apply(ctx, read)
			must(err)
			s = openGalleries(t, store, Options{}, 0)
			restored(t, s, &model, old.then)
		}
	}
	for _, b := range backups {
		must(b.store.Close())
	}
}

// restored compares what came back with who has refused until now, and takes over the records.
func restored(t *testing.T, s *Galleries, model *refusals, then refusals) {
	t.Helper()
	model.records, model.crops = map[string]bool{}, map[string]int{}
	for _, gallery := range []string{"elm", "oak"} {
		if !slices.Contains(s.List(), gallery) {
			mustCreate(t, s, gallery)
		}
		with(t, s, gallery, func(g *Gallery) {
			page, _, _, err := g.Students(ctx, "", 0, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, st := range page {
				key := gallery + st.ID
				if _, had := then.records[key]; !had || st.CropCount > then.crops[key] {
					t.Errorf("%s has %d crops, and had %d when the backup was made", key, st.CropCount, then.crops[key])
				}
				if model.refused[key] && (st.CropCount > 0 || !st.Consent.State.Refuses()) {
					t.Errorf("%s has refused, and is %+v", key, st)
				}
				model.records[key], model.crops[key] = st.Consent.State.Refuses(), st.CropCount
			}
			mustBeConsistent(t, g)
		})
	}
}
