package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"rollcall/embedder"
)

// A roster says which crops are enrolled and which are probes. Crops are named
// by their place in the slice that the roster was made from.
type roster struct {
	students  []student
	strangers []int // crops of people who are not enrolled
}

// A student's crops are in random order: the first usable one is enrolled, the
// others are probes.
type student struct {
	person string
	crops  []int // two or more
}

// newRoster makes students of n people with two or more crops, all of them if n
// is 0, and strangers of everybody else. The seed decides who.
func newRoster(crops []crop, n int, seed uint64) (roster, error) {
	byPerson := make(map[string][]int)
	var people []string // in the order of crops: a map has none
	for i, c := range crops {
		if byPerson[c.person] == nil {
			people = append(people, c.person)
		}
		byPerson[c.person] = append(byPerson[c.person], i)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	var r roster
	for _, person := range people {
		own := byPerson[person]
		if len(own) < 2 || (n > 0 && len(r.students) == n) {
			r.strangers = append(r.strangers, own...)
			continue
		}
		rng.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
		r.students = append(r.students, student{person: person, crops: own})
	}
	if len(r.students) == 0 || len(r.students) < n {
		return roster{}, fmt.Errorf("only %d people have two pictures or more, and --students is %d", len(r.students), n)
	}
	slices.Sort(r.strangers)
	return r, nil
}

// mixed returns the results of probes, with those of enrolled for the crops that are enrolled: of each
// student the first usable one of these.
func (r roster) mixed(enrolled, probes []*embedder.Result) []*embedder.Result {
	out := slices.Clone(probes)
	for _, s := range r.students {
		for _, i := range s.crops {
			out[i] = enrolled[i]
			if len(enrolled[i].Quality.Reasons) == 0 {
				break
			}
		}
	}
	return out
}

// enrolled is the crop of a student that is enrolled, the first usable one, or -1.
func (s student) enrolled(found []*embedder.Result) int {
	for _, i := range s.crops {
		if len(found[i].Quality.Reasons) == 0 {
			return i
		}
	}
	return -1
}
