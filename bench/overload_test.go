package bench

import "testing"

// overloadArgs are the flags of a short overload.
func overloadArgs(t *testing.T) []string {
	return []string{"--seconds=0.4", "--crowd=30", "--times=2", "--tokens=2", "--faces=" + writeFaces(t, people(distinctPeople, 1, splitTest)), "--models-dir=" + testModels(t)}
}

// TestOverload: of what is asked for too much, every call is answered or told when to come again.
func TestOverload(t *testing.T) {
	asChild(t, serveWell)
	var res overloadResult
	benchJSON(t, &res, "overload", overloadArgs(t)...)
	if res.Flood.Answered.Calls < 1 || res.Flood.Delay.Calls != res.Flood.Refused.Calls || res.Failures > 0 {
		t.Errorf("under the load: %+v", res.Flood)
	}
	if res.Alone.Answered.Calls < 1 || res.Beside.Answered.Calls < 1 || res.After.Answered.Calls < 1 {
		t.Errorf("a caller alone: %+v, %+v, %+v", res.Alone, res.Beside, res.After)
	}
	if res.Crowd.Callers != 30 || res.Crowd.Attempts < 30 || res.Memory.Peak < mib {
		t.Errorf("%+v, %+v", res.Crowd, res.Memory)
	}
}

func TestOverloadFindsCrash(t *testing.T) {
	asChild(t, serveCrash)
	_, err := runBench(t, "overload", overloadArgs(t)...)
	wantError(t, err, "double free or corruption")
}
