package bench

import (
	"errors"
	"strings"
	"testing"
)

// loadArgs are the flags of a short load with four clients.
func loadArgs(t *testing.T) []string {
	return []string{"--clients=4", "--seconds=0.6", "--faces=" + writeFaces(t, people(4, 1, splitTest)), "--models-dir=" + testModels(t)}
}

func TestLoad(t *testing.T) {
	asChild(t, serveWell)
	var res loadResult
	benchJSON(t, &res, "load", loadArgs(t)...)
	if res.Calls < 4 || res.Differences+res.Failures+res.Inconsistent > 0 || len(res.Kinds) != 5 {
		t.Errorf("a sound server: %+v", res)
	}
	if res.Memory.Samples < 1 || res.Memory.Start < mib {
		t.Errorf("the server's memory was not read: %+v", res.Memory)
	}
}

func TestLoadFindsWrongAnswers(t *testing.T) {
	asChild(t, serveWrong)
	out, err := runBench(t, "load", loadArgs(t)...)
	if !errors.Is(err, errWrong) {
		t.Fatalf("error is %v; answers were wrong", err)
	}
	if !strings.Contains(out, "found: identify") || !strings.Contains(out, "in [similarity]") {
		t.Errorf("the report does not say what differs:\n%s", out)
	}
}

func TestLoadFindsFailures(t *testing.T) {
	asChild(t, serveErrors)
	out, err := runBench(t, "load", loadArgs(t)...)
	if !errors.Is(err, errWrong) {
		t.Fatalf("error is %v; calls failed", err)
	}
	if !strings.Contains(out, "found: ") {
		t.Errorf("the report does not say what failed:\n%s", out)
	}
}

func TestLoadFindsCrash(t *testing.T) {
	asChild(t, serveCrash)
	_, err := runBench(t, "load", loadArgs(t)...)
	wantError(t, err, "double free or corruption")
	wantError(t, err, "exit status 134")
}

func TestLoadServerThatDoesNotStart(t *testing.T) {
	asChild(t, serveWell)
	args := append(loadArgs(t), "--models-dir="+t.TempDir(), "--embedder-name=sface")
	_, err := runBench(t, "load", args...)
	wantError(t, err, "models pull sface")
}
