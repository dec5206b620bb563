package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/storage"
)

// A school is the people of a folder, of whom classes are drawn.
type school struct {
	faces    []face
	enrolled []*embedder.Result // by face, as a server stores it
	byPerson map[string][]int   // faces
	people   []string           // in the order of the faces
	twice    []string           // people with two pictures, of which one can be enrolled
}

func newSchool(ctx context.Context, progress io.Writer, w *workbench, faces []face, seed uint64) (*school, error) {
	crops, err := usualCut(seed).cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	s := &school{faces: faces, byPerson: make(map[string][]int)}
	if s.enrolled, err = ways(w)[0].embed(ctx, progress, w, crops, true); err != nil {
		return nil, err
	}
	for i, f := range faces {
		if s.byPerson[f.person] == nil {
			s.people = append(s.people, f.person)
		}
		s.byPerson[f.person] = append(s.byPerson[f.person], i)
	}
	for _, p := range s.people {
		own := s.byPerson[p]
		if len(own) > 1 && slices.ContainsFunc(own, func(i int) bool { return usable(s.enrolled[i]) }) {
			s.twice = append(s.twice, p)
		}
	}
	return s, nil
}

// usualCut cuts as eval does unless it is told otherwise.
func usualCut(seed uint64) cutOptions {
	return cutOptions{seed: seed, grow: 0.6, shift: 0.1, turn: 15}
}

// A class is who is enrolled, and who is on the photo.
type class struct {
	enrolled []int  // faces, one of each student
	onPhoto  []face // of the students who are present, then of strangers
}

// class draws class number n.
func (s *school) class(enrolled, present, strangers int, seed uint64, n int) (class, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(n)<<1|1))
	if len(s.twice) < enrolled || len(s.people) < enrolled+strangers {
		return class{}, fmt.Errorf("the folder has %d people, %d of them with two pictures or more: too few for a class of %d and %d strangers", len(s.people), len(s.twice), enrolled, strangers)
	}
	var c class
	chosen := make(map[string]bool)
	for k, at := range rng.Perm(len(s.twice))[:enrolled] {
		person := s.twice[at]
		chosen[person] = true
		own := slices.Clone(s.byPerson[person])
		rng.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
		one := slices.IndexFunc(own, func(i int) bool { return usable(s.enrolled[i]) })
		c.enrolled = append(c.enrolled, own[one])
		if own = slices.Delete(own, one, one+1); k < present {
			c.onPhoto = append(c.onPhoto, s.faces[own[0]])
		}
	}
	for _, at := range rng.Perm(len(s.people)) {
		if len(c.onPhoto) == present+strangers {
			break
		}
		if person := s.people[at]; !chosen[person] {
			own := s.byPerson[person]
			c.onPhoto = append(c.onPhoto, s.faces[own[rng.IntN(len(own))]])
		}
	}
	return c, nil
}

// in lets do work with a gallery where the class is enrolled.
func (s *school) in(ctx context.Context, model gallery.Model, settings gallery.Settings, c class, do func(*gallery.Gallery) error) (err error) {
	store := storage.OpenMemory(storage.Faults{})
	defer func() { err = errors.Join(err, store.Close()) }()
	partition, err := store.Partition(gallery.DefaultGallery)
	if err != nil {
		return err
	}
	g, err := gallery.Open(ctx, partition, gallery.Options{Models: only(model), New: settings})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	for _, i := range c.enrolled {
		_, err := g.Enroll(ctx, gallery.Enrolment{
			CropID: s.faces[i].name, StudentID: s.faces[i].person, Embedding: embeddingOf(s.enrolled[i]), AllowDuplicate: true,
		})
		if err != nil {
			return fmt.Errorf("enrol %s: %w", s.faces[i].name, err)
		}
	}
	return do(g)
}

// A classSeat is a face that was found, and the person on it; "" where there is none, or was found already.
type classSeat struct {
	person    string
	embedding gallery.Embedding
}

// findSeats finds the faces of a photo, and counts those that are not found or unusable.
func findSeats(ctx context.Context, e *embedder.Embedder, model string, photo composed, res *rollcallResult) ([]classSeat, error) {
	p, results, err := e.EmbedFaces(ctx, embedder.FacesRequest{PhotoRequest: embedder.PhotoRequest{Image: photo.jpeg}, Model: model, Most: math.MaxInt})
	if err != nil {
		return nil, err
	}
	var seats []classSeat
	seen := make([]bool, len(photo.true))
	for i, f := range facesOf(p) {
		seat := classSeat{embedding: embeddingOf(results[i])}
		if k := nearest(photo.true, f); k >= 0 && !seen[k] {
			seen[k], seat.person = true, photo.true[k].person
		}
		if !usable(results[i]) {
			res.Unusable++
			continue
		}
		seats = append(seats, seat)
	}
	for _, found := range seen {
		if !found {
			res.NotFound++
		}
	}
	return seats, nil
}

// judge counts the errors of one photo.
func (s *school) judge(ctx context.Context, model gallery.Model, settings gallery.Settings, c class, seats []classSeat, res *rollcallResult) error {
	students := make(map[string]bool)
	for _, i := range c.enrolled {
		students[s.faces[i].person] = true
	}
	return s.in(ctx, model, settings, c, func(g *gallery.Gallery) error {
		var probes []gallery.Embedding
		for _, seat := range seats {
			found, err := g.Identify(ctx, gallery.Probe{Embedding: seat.embedding})
			if err != nil {
				return err
			}
			res.Alone.add(seat.person, students[seat.person], found.StudentID)
			probes = append(probes, seat.embedding)
		}
		roll, err := g.RollCall(ctx, model.Name, probes, gallery.Scope{}, 0)
		if err != nil {
			return err
		}
		for i, seat := range roll.Seats {
			person := seats[i].person
			res.Roll.add(person, students[person], seat.StudentID)
			if seat.Threshold < roll.Threshold {
				seat.StudentID = "" // seated in a later round
			}
			res.First.add(person, students[person], seat.StudentID)
		}
		return nil
	})
}

// assignments are what came of some faces.
type assignments struct {
	Students int `json:"students"` // faces of enrolled people
	Others   int `json:"others"`   // faces of strangers, and no faces
	// Unnamed are students' faces without a name, Wrong those with another's.
	Unnamed int `json:"unnamed"`
	Wrong   int `json:"wrong"`
	Named   int `json:"others_named"`
}

// add counts one face; named is "" for none.
func (a *assignments) add(person string, student bool, named string) {
	if !student {
		a.Others++
		if named != "" {
			a.Named++
		}
		return
	}
	a.Students++
	switch named {
	case person:
	case "":
		a.Unnamed++
	default:
		a.Wrong++
	}
}

// errors is how many faces have the wrong answer.
func (a assignments) errors() int { return a.Unnamed + a.Wrong + a.Named }
