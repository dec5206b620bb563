package bench

import (
	"testing"

	"rollcall/gallery"
)

// TestRollCallBench: the counts add up. All drawn faces are alike, so a roll call can be sure of nobody.
func TestRollCallBench(t *testing.T) {
	var res rollcallResult
	benchJSON(t, &res, "rollcall", "--faces="+drawnFaceFolder(t, 20, 2), "--models-dir="+t.TempDir(),
		"--photos=2", "--rounds=0", "--enrolled=6", "--present=4", "--strangers=2")
	if res.Photos != 2 || res.Roll.Students+res.Roll.Others+res.NotFound+res.Unusable < 12 || res.Roll.Students > 8 || res.Roll.Students == 0 {
		t.Fatalf("%+v", res)
	}
	for name, a := range map[string]assignments{"alone": res.Alone, "first": res.First, "roll": res.Roll} {
		if a.Students != res.Roll.Students || a.Others != res.Roll.Others || a.Unnamed+a.Wrong > a.Students || a.Named > a.Others {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if res.First.Unnamed < res.Roll.Unnamed {
		t.Errorf("the first round seats more than all: %+v, %+v", res.First, res.Roll)
	}
}

func TestAssignments(t *testing.T) {
	var a assignments
	a.add("ada", true, "ada")
	a.add("ada", true, "")
	a.add("ada", true, "ben")
	a.add("eve", false, "")
	a.add("eve", false, "ada")
	a.add("", false, "ada")
	if want := (assignments{Students: 3, Others: 3, Unnamed: 1, Wrong: 1, Named: 2}); a != want || a.errors() != 4 {
		t.Errorf("%+v, want %+v", a, want)
	}
}

// TestBurstBench measures models that are nearly perfect on their faces.
func TestBurstBench(t *testing.T) {
	faces := writeFaces(t, people(10, 6, splitTest))
	var res burstResult
	benchJSON(t, &res, "burst", "--faces="+faces, "--models-dir="+testModels(t), "--students=6", "--rosters=2", "--frames=1,3")
	if len(res.Sizes) != 4 {
		t.Fatalf("%+v", res)
	}
	for _, s := range res.Sizes {
		// Of 5 or 6 pictures there is one burst of three with different ones, or two.
		students, strangers := 2*6*4, 2*4*4
		if s.Kind == differentPictures && s.Frames == 3 {
			students, strangers = 2*6*1, 2*4*2
		}
		if s.FNIR.Of != students || s.FPIR.Of != strangers || s.Kind == differentPictures && (s.FNIR.Share > 0.2 || s.LeftOut.Share > 0.2) {
			t.Errorf("%+v, want %d and %d bursts", s, students, strangers)
		}
		if s.Frames == 3 && s.Kind == differentPictures && (s.Noticed.Of == 0 || s.Noticed.Share < 0.8) {
			t.Errorf("%s: %v of the frames of others were noticed", s.Kind, s.Noticed)
		}
	}
}

func TestBurstTally(t *testing.T) {
	var tally burstTally
	answer := func(named, best string, over float32) gallery.Identification {
		return gallery.Identification{StudentID: named, Similarity: over / 2, Threshold: 0.5, Candidates: []gallery.Candidate{{StudentID: best}}}
	}
	for range 8 {
		tally.add("ada", answer("ada", "ada", 1.5), []gallery.Frame{{Counted: true}, {}})
	}
	tally.add("ada", answer("", "ada", 0.9), nil)
	tally.add("ada", answer("ben", "ben", 1.2), nil)
	for i := range 10 {
		named := ""
		if i == 9 {
			named = "ada"
		}
		tally.add("", answer(named, "ada", 0.5+0.06*float32(i)), nil)
	}
	tally.sum(0.1)
	if tally.FNIR != ratioOf(2, 10) || tally.FPIR != ratioOf(1, 10) || tally.SameFPIR != ratioOf(2, 10) && tally.SameFPIR != ratioOf(1, 10) || tally.LeftOut != ratioOf(8, 16) {
		t.Errorf("%+v", tally)
	}
	if tally.Factor < 0.97 || tally.Factor > 0.99 { // the second highest of the strangers': 0.5 + 0.06*8
		t.Errorf("factor %v", tally.Factor)
	}
}
