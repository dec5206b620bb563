package gallery

import "fmt"

// Verdict is the answer to "whose face is this?". (A crop that cannot be judged
// has no vector, and so never comes here.)
type Verdict int

const (
	// Unknown: no student in scope reaches the threshold.
	Unknown Verdict = iota
	// Match: one student reaches the threshold, and no other comes within the
	// margin.
	Match
	// Ambiguous: the best student reaches the threshold, but another student comes
	// within the margin: ask a person.
	Ambiguous
)

func (v Verdict) String() string {
	switch v {
	case Unknown:
		return "UNKNOWN"
	case Match:
		return "MATCH"
	case Ambiguous:
		return "AMBIGUOUS"
	}
	return fmt.Sprintf("Verdict(%d)", int(v))
}

// The reasons that an answer gives for not being a match. They are stable and
// meant for programs.
const (
	ReasonBelowThreshold     = "BELOW_THRESHOLD"       // the best student is below the threshold
	ReasonTwoStudentsClose   = "TWO_STUDENTS_CLOSE"    // the two best are closer than the margin
	ReasonNobodyEnrolled     = "NOBODY_ENROLLED"       // there is nobody to compare with
	ReasonTakenByAnotherCrop = "TAKEN_BY_ANOTHER_CROP" // roll call: the student fits another probe better
	ReasonTwoCropsClose      = "TWO_CROPS_CLOSE"       // roll call: the student fits another probe almost as well
	ReasonAnotherPerson      = "ANOTHER_PERSON"        // burst: no person is on more than half of the frames
)

// The warnings that an answer gives: the verdict stands, but somebody should look
// at the server. They are stable and meant for programs.
const (
	// WarningOtherModel: the model is not the gallery's own, so that only the crops
	// that it embedded are compared.
	WarningOtherModel = "OTHER_MODEL"

	// WarningOtherRecipe: the gallery's embeddings under the model were made in
	// another way (another locator, another version of the alignment), and compare
	// less well. Embed the crops again, or choose the model again if the new way is
	// the right one.
	WarningOtherRecipe = "OTHER_RECIPE"

	// WarningNotCalibrated: the search or the settings have another FPIR than the
	// default, which has no effect, because neither the model nor the gallery has a
	// calibration that could turn it into a threshold.
	WarningNotCalibrated = "NOT_CALIBRATED"
)

// warnings returns what is to be said about a probe of this model and recipe.
func (m *memory) warnings(model, recipe string) []string {
	var list []string
	if m.settings.Model != "" && m.settings.Model != model {
		list = append(list, WarningOtherModel)
	}
	if sp := m.spaces[model]; sp != nil && sp.Recipe != recipe {
		list = append(list, WarningOtherRecipe)
	}
	return list
}

// judge returns the verdict on students' scores, best first, and its reason when it
// is no match. A runner-up within the margin makes the best one ambiguous even if
// it is below the threshold itself: so small a difference does not tell two people
// apart.
func judge(ranked []Candidate, threshold, margin float32) (Verdict, string) {
	switch {
	case len(ranked) == 0:
		return Unknown, ReasonNobodyEnrolled
	case !(ranked[0].Similarity >= threshold): // or NaN
		return Unknown, ReasonBelowThreshold
	case len(ranked) > 1 && ranked[0].Similarity-ranked[1].Similarity < margin:
		return Ambiguous, ReasonTwoStudentsClose
	}
	return Match, ""
}
