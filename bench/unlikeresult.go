package bench

import "fmt"

// unlikeResult is what "bench unlike" prints.
type unlikeResult struct {
	Model modelFacts  `json:"model"`
	Crops int         `json:"crops"`
	Rows  []unlikeRow `json:"rows"`
}

// unlikeRow is what is refused in galleries of one size.
type unlikeRow struct {
	Students int        `json:"students"`
	Own      int        `json:"crops_of_each"`
	Rules    []refusals `json:"rules"` // one for each of unlikeRates
	Gallery  refusals   `json:"gallery"`
}

// refusals are what is refused of each kind.
type refusals struct {
	Right     ratio `json:"right"`
	Student   ratio `json:"of_another_student"`
	Strangers ratio `json:"of_a_stranger"`
}

// add counts an attempt of a kind.
func (r *refusals) add(kind int, refused bool) {
	counted := [attemptKinds]*ratio{rightCrop: &r.Right, anotherStudents: &r.Student, strangersCrop: &r.Strangers}[kind]
	count := counted.Count
	if refused {
		count++
	}
	*counted = ratioOf(count, counted.Of+1)
}

// String shows the shares: of right crops, and of wrong ones.
func (r refusals) String() string {
	wrong := ratioOf(r.Student.Count+r.Strangers.Count, r.Student.Of+r.Strangers.Of)
	return fmt.Sprintf("%.1f / %.1f %%", 100*r.Right.Share, 100*wrong.Share)
}

func (r unlikeResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("crops in the wrong folder, %s\n  %d crops; refused: of the right crops / of the wrong ones", r.Model, r.Crops),
		header: []string{"students", "crops of each"},
		notes: []string{
			"rate: the share of wrong crops that reach the floor; the gallery's is " + percent(unlikeRates[3]),
			"wrong: half of them of another student, half of a stranger; strangers noticed: by the gallery",
		},
	}
	for _, rate := range unlikeRates {
		name := "rate " + percent(rate)
		if rate == 0 {
			name = "no floor"
		}
		t.header = append(t.header, name)
	}
	t.header = append(t.header, "the gallery", "strangers noticed")
	for _, row := range r.Rows {
		cells := []string{fmt.Sprint(row.Students), fmt.Sprint(row.Own)}
		for _, rule := range row.Rules {
			cells = append(cells, rule.String())
		}
		t.row(append(cells, row.Gallery.String(), percent(row.Gallery.Strangers.Share))...)
	}
	return []table{t}
}
