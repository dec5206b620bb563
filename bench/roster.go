package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/spf13/pflag"

	"rollcall/embedder"
	"rollcall/gallery"
)

// rosterOptions are the flags of the benches that enrol students and identify the
// other crops. Students and the FPIR are set to their defaults before addFlags.
type rosterOptions struct {
	models modelOptions
	faces  facesOptions
	cut    cutOptions

	students int
	settings gallery.Settings
}

func (o *rosterOptions) addFlags(set *pflag.FlagSet) {
	o.faces.addFlags(set)
	o.addOtherFlags(set)
}

// addOtherFlags adds the flags that do not say which faces are used.
func (o *rosterOptions) addOtherFlags(set *pflag.FlagSet) {
	set.IntVar(&o.students, "students", o.students, "how many people with two pictures or more are enrolled; 0: all")
	o.cut.addFlags(set)
	set.Float64Var(&o.settings.FPIR, "fpir", o.settings.FPIR, "wanted share of strangers' probes that get a MATCH, for calibrated models")
	set.Float32Var(&o.settings.Margin, "margin", gallery.DefaultMargin, "similarity by which the best student must be ahead of the next")
	o.models.addFlags(set)
}

func (o *rosterOptions) validate() error {
	if o.students < 0 {
		return fmt.Errorf("--students is %d; it can be 0 (all) or more", o.students)
	}
	if err := o.settings.Check(); err != nil {
		return fmt.Errorf("--fpir or --margin: %w", err)
	}
	return errors.Join(o.faces.validate(), o.cut.validate())
}

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

// enrolled is the crop of a student that is enrolled, the first that is usable in all of found, or -1.
func (s student) enrolled(found ...[]*embedder.Result) int {
	for _, i := range s.crops {
		if !slices.ContainsFunc(found, func(results []*embedder.Result) bool { return !usable(results[i]) }) {
			return i
		}
	}
	return -1
}

func usable(r *embedder.Result) bool { return len(r.Quality.Reasons) == 0 }

// settingsAt returns settings with this rate. Nothing is kept for so long that it plays a
// part here.
func settingsAt(fpir float64) gallery.Settings {
	return gallery.Settings{FPIR: fpir, KeepVerdicts: gallery.DefaultKeepVerdicts, KeepChanges: gallery.DefaultKeepChanges}
}
