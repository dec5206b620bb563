package bench

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"rollcall/embedder"
	"rollcall/gallery"
)

// A trial is a probe that one roster is asked about.
type trial struct {
	roster, crop int
	person       int  // whom it shows: their place in trials.people
	student      bool // enrolled in the roster; otherwise a stranger
}

// trials are the probes of many rosters: the same for every embedder.
type trials struct {
	people   []string
	enrolled [][]enrolledCrop // by roster: one of each student
	all      []trial
	left     int // students of whom no crop is usable, and whose probes are left out
}

type enrolledCrop struct{ person, crop int }

// newTrials enrols of each student the first crop that is usable in all of found, so that all embedders
// get the same crops.
func newTrials(crops []crop, rosters []roster, found ...[]*embedder.Result) *trials {
	x := &trials{enrolled: make([][]enrolledCrop, len(rosters))}
	place := make(map[string]int)
	for _, c := range crops {
		if _, known := place[c.person]; !known {
			place[c.person] = len(x.people)
			x.people = append(x.people, c.person)
		}
	}
	for n, r := range rosters {
		for _, s := range r.students {
			enrolled := s.enrolled(found...)
			if enrolled < 0 {
				x.left++
				continue
			}
			person := place[s.person]
			x.enrolled[n] = append(x.enrolled[n], enrolledCrop{person, enrolled})
			for _, i := range s.crops {
				if i != enrolled {
					x.all = append(x.all, trial{roster: n, crop: i, person: person, student: true})
				}
			}
		}
		for _, i := range r.strangers {
			x.all = append(x.all, trial{roster: n, crop: i, person: place[crops[i].person]})
		}
	}
	return x
}

// places returns the crops that any roster enrols.
func (x *trials) places() (places []int) {
	seen := make(map[int]bool)
	for _, enrolled := range x.enrolled {
		for _, e := range enrolled {
			if !seen[e.crop] {
				seen[e.crop] = true
				places = append(places, e.crop)
			}
		}
	}
	return places
}

// nobody is the place of no person.
const nobody = -1

// closest is the student whom one embedder finds most similar to a probe.
type closest struct {
	person     int     // nobody where the probe is unusable
	similarity float32 // of the student's crop
	lead       float32 // the similarity less that of the next student; infinite where there is none
}

// ask returns what an embedder makes of each trial, by its results for the crops: as enrolled ones, and
// as probes.
func (x *trials) ask(ctx context.Context, stored, probes []*embedder.Result) ([]closest, error) {
	answers := make([]closest, len(x.all))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(x.all)); i = next.Add(1) - 1 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				t := x.all[i]
				answers[i] = closestOf(x.enrolled[t.roster], stored, probes[t.crop])
			}
			return nil
		})
	}
	return answers, group.Wait()
}

func closestOf(enrolled []enrolledCrop, stored []*embedder.Result, probe *embedder.Result) closest {
	least := float32(math.Inf(-1))
	best, second := closest{person: nobody, similarity: least}, least
	if !usable(probe) {
		return best
	}
	for _, e := range enrolled {
		switch s := dot(stored[e.crop].Embedding, probe.Embedding); {
		case s > best.similarity:
			best, second = closest{person: e.person, similarity: s}, best.similarity
		case s > second:
			second = s
		}
	}
	best.lead = best.similarity - second
	return best
}

// An outcome is the verdict on a probe, and the student whom a match names, or nobody.
type outcome struct {
	usable  bool
	verdict gallery.Verdict
	person  int
}

// A rule decides as a gallery does.
type rule struct {
	thresholds []float32 // by roster
	margin     float32
}

func (r rule) judge(t trial, n closest) outcome {
	switch {
	case n.person == nobody:
		return outcome{person: nobody}
	case n.similarity < r.thresholds[t.roster]:
		return outcome{usable: true, verdict: gallery.Unknown, person: nobody}
	case n.lead < r.margin:
		return outcome{usable: true, verdict: gallery.Ambiguous, person: nobody}
	}
	return outcome{usable: true, verdict: gallery.Match, person: n.person}
}

// judgeAll returns the outcome of each trial.
func (x *trials) judgeAll(r rule, answers []closest) []outcome {
	outcomes := make([]outcome, len(x.all))
	for i, t := range x.all {
		outcomes[i] = r.judge(t, answers[i])
	}
	return outcomes
}

// count counts the outcomes of students' probes and of strangers'.
func (x *trials) count(outcomes []outcome) (students, strangers verdictCounts) {
	for i, t := range x.all {
		o := outcomes[i]
		p := probe{found: gallery.Identification{Verdict: o.verdict}}
		if o.person != nobody {
			p.found.StudentID = x.people[o.person]
		}
		if t.student {
			p.student = x.people[t.person]
			students.add(p, o.usable)
		} else {
			strangers.add(p, o.usable)
		}
	}
	return students, strangers
}
