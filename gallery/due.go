package gallery

import (
	"context"
	"slices"
	"time"
)

// Why a student should be photographed again, the most pressing first. Nothing is
// learnt from check-ins: a person takes a picture, and enrols it.
const (
	DueNoCrop    = "NO_CROP"    // nobody recognises the student under the gallery's model
	DuePoorCrops = "POOR_CROPS" // every crop has a score under GoodScore
	DueFalling   = "FALLING"    // DueQuery.Falling says so: the student's matches become less similar
	DueOldCrops  = "OLD_CROPS"  // the newest picture is too old
	DueFewCrops  = "FEW_CROPS"  // there are fewer than EnoughCrops
)

const (
	// EnoughCrops is how many crops a student should have: with three, a probe is
	// missed a quarter as often as with one ("rollcall bench calibration").
	EnoughCrops = 3

	// GoodScore is the quality that at least one crop of a student should have. Of the
	// upright crops of "rollcall bench quality", one in a hundred has less.
	GoodScore = 0.8

	// DefaultDueAge is from which age on the newest picture is too old: a child's face
	// changes within a year.
	DefaultDueAge = 365 * 24 * time.Hour
)

// A DueQuery asks for a page of the students who should be photographed again.
type DueQuery struct {
	After, Group string // as in [Gallery.Students]
	Limit        int
	Before       time.Time // pictures from before are too old

	// Falling says whether the matches of a student become less similar, since the time
	// of the newest picture. It is asked with the gallery locked, and must not wait.
	Falling func(studentID string, newest time.Time) bool
}

// A Due is a student who should be photographed again.
type Due struct {
	StudentID string
	Groups    []string
	Reasons   []string  // DueNoCrop, …
	Crops     int       // that the gallery's model recognises the student by
	Newest    time.Time // of the newest picture of these crops; zero: there is none
	BestScore float32   // of these crops, 0 to 1; 0 without crops
}

// Due returns a page of the students who should be photographed again, in the order
// of their ids. Next is the After of the next page; "" on the last one. The errors
// are ErrInvalidID, ErrUnavailable and ErrClosed.
func (g *Gallery) Due(ctx context.Context, q DueQuery) (page []Due, next string, err error) {
	if q.After, err = parseIfAny("student", q.After); err != nil {
		return nil, "", err
	}
	if q.Group, err = parseIfAny("group", q.Group); err != nil {
		return nil, "", err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, "", err
	}
	defer release()
	limit := pageLength(q.Limit)
	for _, st := range m.studentsAfter(q.After, q.Group) {
		d := st.due(m.spaces[m.settings.Model], q)
		if len(d.Reasons) == 0 {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].StudentID, nil
		}
		page = append(page, d)
	}
	return page, "", nil
}

// due says why the student should be photographed again, if at all. The space is that
// of the gallery's model; nil: nothing is embedded yet.
func (st *student) due(sp *space, q DueQuery) Due {
	d := Due{StudentID: st.ID, Groups: slices.Clone(st.Groups)}
	for _, c := range st.crops {
		p := c.place(sp)
		if p == nil {
			continue
		}
		d.Crops++
		d.BestScore = max(d.BestScore, p.score)
		if c.Pictured.After(d.Newest) {
			d.Newest = c.Pictured
		}
	}
	if d.Crops == 0 {
		d.Reasons = []string{DueNoCrop}
		return d
	}
	if d.BestScore < GoodScore {
		d.Reasons = append(d.Reasons, DuePoorCrops)
	}
	if q.Falling(st.ID, d.Newest) {
		d.Reasons = append(d.Reasons, DueFalling)
	}
	if d.Newest.Before(q.Before) {
		d.Reasons = append(d.Reasons, DueOldCrops)
	}
	if d.Crops < EnoughCrops {
		d.Reasons = append(d.Reasons, DueFewCrops)
	}
	return d
}
