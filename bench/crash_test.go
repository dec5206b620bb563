package bench

import (
	"os"
	"testing"
)

// TestCrash kills a few servers. Which calls the kills meet differs from run to run; what is looked
// at after them does not.
func TestCrash(t *testing.T) {
	asChild(t, serveWell)
	faces := writeFaces(t, people(3*crashCrops*crashPictures, 1, splitTest))
	var res crashResult
	benchJSON(t, &res, "crash", "--models-dir="+testModels(t), "--faces="+faces, "--clients=3", "--kills=6", "--data="+t.TempDir(), "--sessions=2")
	if res.Kills != 6 || res.AtSyncs == 0 || res.AtSyncs == 6 || res.Checks+res.Checking+res.Starting < 6 {
		t.Errorf("incomplete: %+v", res)
	}
	for _, kind := range []string{"enrol", "check in"} {
		if res.Acknowledged[kind] == 0 {
			t.Errorf("no %s was acknowledged: %v", kind, res.Acknowledged)
		}
	}
	if res.Identified == 0 || res.Lines == 0 {
		t.Errorf("nothing was looked at: %+v", res)
	}
}

// TestCrashSeesALoss is answered that crops are deleted, and they are not.
func TestCrashSeesALoss(t *testing.T) {
	asChild(t, serveForget)
	faces := writeFaces(t, people(3*crashCrops*crashPictures, 1, splitTest))
	data := t.TempDir()
	_, err := runBench(t, "crash", "--models-dir="+testModels(t), "--faces="+faces, "--clients=3", "--kills=25", "--data="+data, "--sessions=2")
	wantError(t, err, errLost.Error())
	wantError(t, err, "the folder is kept: "+data)
	if kept, err := os.ReadDir(data); err != nil || len(kept) != 1 {
		t.Errorf("%d folders are kept, %v", len(kept), err)
	}
}

func TestHoldings(t *testing.T) {
	h := newHolding()
	h.enrol("k0", "s0", []string{"b", "a"}, 0)
	h.enrol("k1", "", nil, 1)
	h.assign("k1", "s1")
	h.enrol("k1", "s0", []string{"c"}, 2) // the correction stays
	want := holding{map[string][]string{"s0": {"a", "b"}, "s1": nil}, map[string]heldCrop{"k0": {"s0", false, 0}, "k1": {"s1", true, 2}}}
	if d := want.differs(h); d != "" || h.crops["k1"].picture != 2 {
		t.Error(d, h)
	}
	before := h.clone()
	h.merge("s0", "s1")
	want = holding{map[string][]string{"s1": {"a", "b"}}, map[string]heldCrop{"k0": {"s1", true, 0}, "k1": {"s1", true, 2}}}
	if d := want.differs(h); d != "" {
		t.Error(d)
	}
	if before.differs(h) == "" || h.differs(before) == "" {
		t.Error("a merge makes no difference")
	}
	h.deleteStudent("s1")
	if d := newHolding().differs(h); d != "" {
		t.Error(d)
	}
}
