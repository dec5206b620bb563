package bench

import (
	"fmt"
	"slices"

	"rollcall/gallery"
)

// burstResult is what "bench burst" prints.
type burstResult struct {
	Model    modelFacts   `json:"model"`
	Pictures int          `json:"pictures"`
	Students int          `json:"students"`
	Rosters  int          `json:"rosters"`
	FPIR     float64      `json:"asked_fpir"`
	Sizes    []burstTally `json:"sizes"`
}

// burstTally is what came of the bursts of one kind and size, in all rosters.
type burstTally struct {
	Kind   string `json:"kind"`
	Frames int    `json:"frames"`
	FNIR   ratio  `json:"fnir"`
	FPIR   ratio  `json:"fpir"`
	// SameFPIR is the FNIR where the threshold is multiplied so that the asked share of the strangers' bursts
	// pass it, and Factor by how much.
	SameFPIR ratio   `json:"fnir_at_asked_fpir"`
	Factor   float64 `json:"threshold_factor"`
	LeftOut  ratio   `json:"own_frames_left_out"`
	Noticed  ratio   `json:"frames_of_others_noticed"`

	missed, named      int
	own, others        []float64 // similarity of the best student, in thresholds; of a student's burst 0 if it is another
	frames, left       int
	intruders, noticed int
}

// add counts one burst of a student, or with "" of a stranger.
func (t *burstTally) add(student string, id gallery.Identification, frames []gallery.Frame) {
	for _, f := range frames {
		t.frames++
		if !f.Counted {
			t.left++
		}
	}
	over, best := 0.0, ""
	if len(id.Candidates) > 0 {
		over, best = float64(id.Similarity)/float64(id.Threshold), id.Candidates[0].StudentID
	}
	if student == "" {
		t.others = append(t.others, over)
		if id.StudentID != "" {
			t.named++
		}
		return
	}
	if best != student {
		over = 0
	}
	t.own = append(t.own, over)
	if id.StudentID != student {
		t.missed++
	}
}

// sum fills in the shares.
func (t *burstTally) sum(fpir float64) {
	t.FNIR, t.FPIR = ratioOf(t.missed, len(t.own)), ratioOf(t.named, len(t.others))
	t.LeftOut, t.Noticed = ratioOf(t.left, t.frames), ratioOf(t.noticed, t.intruders)
	if len(t.others) == 0 {
		return
	}
	slices.Sort(t.others)
	t.Factor = t.others[max(0, len(t.others)-1-int(fpir*float64(len(t.others))))]
	below := 0
	for _, over := range t.own {
		if over <= t.Factor {
			below++
		}
	}
	t.SameFPIR = ratioOf(below, len(t.own))
}

func (r burstResult) tables() []table {
	var tables []table
	for _, kind := range []string{differentPictures, onePicture} {
		t := table{
			title: fmt.Sprintf("%s, frames of %s\n  %d pictures, %d rosters of %d students with one enrolled crop each; asked FPIR %g",
				r.Model, kind, r.Pictures, r.Rosters, r.Students, r.FPIR),
			header: []string{"frames", "FNIR", "strangers named (FPIR)", "FNIR at the asked FPIR", "its threshold", "own frames left out", "others' noticed"},
		}
		for _, s := range r.Sizes {
			if s.Kind == kind {
				t.row(fmt.Sprint(s.Frames), s.FNIR.String(), s.FPIR.String(), s.SameFPIR.String(), fmt.Sprintf("x %.3f", s.Factor), s.LeftOut.String(), s.Noticed.String())
			}
		}
		tables = append(tables, t)
	}
	return tables
}
