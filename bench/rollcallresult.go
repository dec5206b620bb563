package bench

import "fmt"

// rollcallResult is what "bench rollcall" prints.
type rollcallResult struct {
	Model     modelFacts `json:"model"`
	Photos    int        `json:"photos"`
	Enrolled  int        `json:"enrolled"`
	Present   int        `json:"present"`
	Strangers int        `json:"strangers"`
	FPIR      float64    `json:"fpir"`

	NotFound int `json:"faces_not_found"`
	Unusable int `json:"faces_unusable"`

	Alone assignments `json:"one_by_one"`
	First assignments `json:"first_round"`
	Roll  assignments `json:"roll_call"`

	// Times are medians in milliseconds, all cores together, from the decoded image.
	TimedFaces int     `json:"timed_faces"`
	Whole      float64 `json:"roll_call_ms"`
	Call       float64 `json:"of_this_the_gallery_ms"`
	Detect     float64 `json:"detecting_alone_ms"`
	Embed      float64 `json:"embedding_alone_ms"`
	Ratio      float64 `json:"roll_call_to_both_alone"` // of each round, the median
}

func (r rollcallResult) tables() []table {
	t := table{
		title: fmt.Sprintf("%s\n  %d photos of classes of %d, %d of them present, with %d strangers; FPIR %g",
			r.Model, r.Photos, r.Enrolled, r.Present, r.Strangers, r.FPIR),
		header: []string{"", "students without their name", "with another's", "others named", "errors", "fewer than one by one"},
		notes: []string{fmt.Sprintf("%d faces were not found, %d are unusable; of the others %d are students', %d not",
			r.NotFound, r.Unusable, r.Roll.Students, r.Roll.Others)},
	}
	for _, way := range []struct {
		name string
		a    assignments
	}{{"one by one", r.Alone}, {"roll call, first round", r.First}, {"roll call", r.Roll}} {
		fewer := 1 - float64(way.a.errors())/float64(max(1, r.Alone.errors()))
		t.row(way.name, ratioOf(way.a.Unnamed, way.a.Students).String(), fmt.Sprint(way.a.Wrong), ratioOf(way.a.Named, way.a.Others).String(),
			fmt.Sprint(way.a.errors()), percent(fewer))
	}
	if r.TimedFaces == 0 {
		return []table{t}
	}
	cost := table{
		title:  fmt.Sprintf("time of %d faces and %d students, from the decoded image, medians", r.TimedFaces, facesTimed),
		header: []string{"roll call", "of this the gallery", "detecting alone", "embedding alone", "roll call to both"},
	}
	cost.row(inMilliseconds(r.Whole), inMilliseconds(r.Call), inMilliseconds(r.Detect), inMilliseconds(r.Embed), fmt.Sprintf("%.2f", r.Ratio))
	return []table{t, cost}
}
