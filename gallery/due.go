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
	DueOldCrops  = "OLD_CROPS"  // the newest picture is too old
	DueFewCrops  = "FEW_CROPS"  // there are fewer than EnoughCrops
)

const (
	// EnoughCrops is how many crops a student should have: with three, a probe is
	// missed half as often as with one.
	EnoughCrops = 3

	// GoodScore is the quality that at least one crop of a student should have. Of the
	// pictures of faces.csv one in a hundred has less.
	GoodScore = 0.8

	// DefaultDueAge is from which age on the newest picture is too old: a child's face
	// changes within a year.
	DefaultDueAge = 365 * 24 * time.Hour
)

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
// of their ids. After, limit, group and next are as in [Gallery.Students]. Pictures
// from before the given time are too old. The errors are ErrInvalidID,
// ErrUnavailable and ErrClosed.
func (g *Gallery) Due(ctx context.Context, after string, limit int, group string, before time.Time) (page []Due, next string, err error) {
	if after, err = parseIfAny("student", after); err != nil {
		return nil, "", err
	}
	if group, err = parseIfAny("group", group); err != nil {
		return nil, "", err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, "", err
	}
	defer release()
	limit = pageLength(limit)
	for _, st := range m.studentsAfter(after, group) {
		d := st.due(m.spaces[m.settings.Model], before)
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
func (st *student) due(sp *space, before time.Time) Due {
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
	if d.Newest.Before(before) {
		d.Reasons = append(d.Reasons, DueOldCrops)
	}
	if d.Crops < EnoughCrops {
		d.Reasons = append(d.Reasons, DueFewCrops)
	}
	return d
}
