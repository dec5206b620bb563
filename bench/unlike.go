package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/storage"
)

// unlikeOptions are the flags of "bench unlike".
type unlikeOptions struct{ rosterOptions }

func unlikeBench() Bench {
	return newBench("unlike", "how often a crop in the wrong folder is noticed, and a right one is refused",
		`Enrols one, two or three crops of each student in galleries of several sizes, and then
tries to enrol more: another crop of each student, which is right, and for each
student a crop of another student, and one of somebody who is not enrolled, which are
wrong. Prints how many of each are refused. First by the rule alone (refused is what
is less like the student's crops than like another student's, or less than a floor,
whose rate is the share of wrong crops that reach it); then by the gallery, which
also refuses duplicates.`,
		&unlikeOptions{rosterOptions{students: 400, settings: settingsAt(gallery.DefaultFPIR)}})
}

// unlikeSizes are the sizes of galleries. The largest is --students, or all people with enough crops.
var unlikeSizes = []int{10, 30, 100}

// mostOwn is how many crops of a student are enrolled at most.
const mostOwn = 3

// unlikeTries is how many students are tried for each row, in several galleries if need be.
const unlikeTries = 400

// unlikeRates are the rates of the floors that are compared; 0: no floor.
var unlikeRates = []float64{0, 0.1, 0.02, gallery.UnlikeRate, 0.005, 0.001}

func (o *unlikeOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	crops, err := o.cut.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	stored, err := ways(w)[0].embed(ctx, progress, w, crops, true)
	if err != nil {
		return nil, err
	}
	model, err := w.galleryModel()
	if err != nil {
		return nil, err
	}
	f := folders{model: model, settings: o.settings, stored: stored, rng: rand.New(rand.NewPCG(o.cut.seed, 4))}
	place := make(map[string]int)
	for i, c := range crops {
		if !usable(stored[i]) {
			continue
		}
		k, known := place[c.person]
		if !known {
			k = len(f.people)
			place[c.person] = k
			f.people = append(f.people, nil)
		}
		f.people[k] = append(f.people[k], i)
	}
	res := unlikeResult{Model: w.describe(), Crops: len(crops)}
	for own := 1; own <= mostOwn; own++ {
		last := 0
		for _, students := range append(slices.Clone(unlikeSizes), o.students) {
			row, err := f.measure(ctx, students, own)
			if err != nil {
				return nil, err
			}
			if row.Students > last {
				res.Rows = append(res.Rows, row)
			}
			last = row.Students
		}
	}
	return res, nil
}

// folders are the crops of people, as a school has them in folders.
type folders struct {
	model    gallery.Model
	settings gallery.Settings
	stored   []*embedder.Result
	people   [][]int // crops of each person
	rng      *rand.Rand
}

// attempt is a crop that somebody wants to enrol as that of the student at a place in the gallery.
type attempt struct{ student, crop int }

// The kinds of attempts.
const (
	rightCrop = iota
	anotherStudents
	strangersCrop
	attemptKinds
)

// draw makes a gallery: the crops of each student, and attempts of each kind. It reports false if there are
// not enough people.
func (f *folders) draw(students, own int) (enrolled [][]int, attempts [attemptKinds][]attempt, ok bool) {
	var strangers []int // crops
	var more []int      // a further crop of each student
	for _, k := range f.rng.Perm(len(f.people)) {
		crops := f.people[k]
		if len(enrolled) == students || len(crops) <= own {
			strangers = append(strangers, crops[f.rng.IntN(len(crops))])
			continue
		}
		order := f.rng.Perm(len(crops))
		var mine []int
		for _, i := range order[:own] {
			mine = append(mine, crops[i])
		}
		enrolled, more = append(enrolled, mine), append(more, crops[order[own]])
	}
	if len(enrolled) < students || students < 2 || len(strangers) == 0 {
		return nil, attempts, false
	}
	for s := range enrolled {
		other := (s + 1 + f.rng.IntN(students-1)) % students
		attempts[rightCrop] = append(attempts[rightCrop], attempt{s, more[s]})
		attempts[anotherStudents] = append(attempts[anotherStudents], attempt{s, more[other]})
		attempts[strangersCrop] = append(attempts[strangersCrop], attempt{s, strangers[f.rng.IntN(len(strangers))]})
	}
	return enrolled, attempts, true
}

// measure counts what is refused in galleries of so many students with so many crops each.
func (f *folders) measure(ctx context.Context, students, own int) (unlikeRow, error) {
	enough := 0
	for _, crops := range f.people {
		if len(crops) > own {
			enough++
		}
	}
	students = min(students, enough)
	row := unlikeRow{Students: students, Own: own, Rules: make([]refusals, len(unlikeRates))}
	for tried := 0; tried < unlikeTries; tried += students {
		enrolled, attempts, ok := f.draw(students, own)
		if !ok {
			return row, fmt.Errorf("too few people have more than %d usable crops: %d", own, enough)
		}
		for kind, list := range attempts {
			for _, a := range list {
				mine, others := f.similarities(enrolled, a)
				for i, rate := range unlikeRates {
					refused := mine < others
					if rate > 0 && len(f.model.Calibration) > 0 {
						refused = refused || mine < f.model.MatchThreshold(own, rate)
					}
					row.Rules[i].add(kind, refused)
				}
			}
		}
		if err := f.enrol(ctx, enrolled, attempts, &row.Gallery); err != nil {
			return row, err
		}
	}
	return row, nil
}

// similarities returns those of a crop to the student's own crops and to all others: the greatest of each.
func (f *folders) similarities(enrolled [][]int, a attempt) (mine, others float32) {
	mine, others = -1, -1
	for s, crops := range enrolled {
		for _, i := range crops {
			similarity := dot(f.stored[i].Embedding, f.stored[a.crop].Embedding)
			if s == a.student {
				mine = max(mine, similarity)
			} else {
				others = max(others, similarity)
			}
		}
	}
	return mine, others
}

// enrol lets a gallery decide the attempts. What it takes is deleted again.
func (f *folders) enrol(ctx context.Context, enrolled [][]int, attempts [attemptKinds][]attempt, count *refusals) (err error) {
	store := storage.OpenMemory(storage.Faults{})
	defer func() { err = errors.Join(err, store.Close()) }()
	partition, err := store.Partition(gallery.DefaultGallery)
	if err != nil {
		return err
	}
	g, err := gallery.Open(ctx, partition, gallery.Options{Models: only(f.model), New: f.settings})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	for s, crops := range enrolled {
		for k, i := range crops {
			e := gallery.Enrolment{
				CropID: fmt.Sprintf("%d-%d", s, k), StudentID: fmt.Sprint(s), Embedding: embeddingOf(f.stored[i]),
				AllowDuplicate: true, AllowUnlike: true,
			}
			if _, err := g.Enroll(ctx, e); err != nil {
				return err
			}
		}
	}
	for kind, list := range attempts {
		for _, a := range list {
			e := gallery.Enrolment{CropID: "tried", StudentID: fmt.Sprint(a.student), Embedding: embeddingOf(f.stored[a.crop])}
			_, err := g.Enroll(ctx, e)
			var unlike *gallery.UnlikeError
			var duplicate *gallery.DuplicateError
			refused := errors.As(err, &unlike) || errors.As(err, &duplicate)
			if err != nil && !refused {
				return err
			}
			count.add(kind, refused)
			if !refused {
				if err := g.DeleteCrop(ctx, e.CropID); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
