package rpc

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/access/journal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/storage"
)

// A student whose matches become less similar falls; one whose matches only vary, or fell before the newest
// picture, or by another recipe, does not.
func TestFallingMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seed = 9
		rng := rand.New(rand.NewPCG(seed, 0))
		store := storage.OpenMemory(storage.Faults{})
		journals := journal.Open(store, slog.New(slog.DiscardHandler))
		defer func() {
			if err := journals.Close(); err != nil {
				t.Error(err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}()
		j, err := journals.Of(journal.Server)
		if err != nil {
			t.Fatal(err)
		}
		note := func(student, procedure string, similarity float64, recipe string) {
			j.Note(&pb.Line{
				Kind: pb.LineKind_LINE_KIND_VERDICT, Verdict: pb.Verdict_VERDICT_MATCH, StudentId: student, Recipe: recipe,
				Procedure: procedure, Similarity: float32(similarity + 0.08*rng.NormFloat64()),
			})
		}
		const (
			identify = rollcallv1connect.AttendanceServiceIdentifyProcedure
			burst    = rollcallv1connect.AttendanceServiceIdentifyBurstProcedure
			verify   = rollcallv1connect.AttendanceServiceVerifyProcedure
			rollCall = rollcallv1connect.AttendanceServiceRollCallProcedure
		)
		begin := time.Now()
		for d := range 70 {
			fall, recipe, procedure := 0.0, "one", burst
			if d >= 40 {
				fall, recipe, procedure = 0.15, "another", verify
			}
			for _, procedure := range []string{identify, burst, verify, rollCall} {
				note("grows by "+procedure, procedure, 0.75-fall, "one")
			}
			note("stays", identify, 0.75, "one")
			note("a little", identify, 0.75-fall/5, "one")
			note("other recipe", identify, 0.75-fall, recipe)
			// The same face by other calls, which find it more and less similar.
			note("other call", procedure, 0.75-fall, "one")
			note("two calls", burst, 0.75, "one")
			note("two calls", identify, 0.75-fall, "one")
			if d >= 65 {
				note("rare", identify, 0.4, "one")
			} else if d < 40 {
				note("rare", identify, 0.75, "one")
			}
			j.Note(&pb.Line{Kind: pb.LineKind_LINE_KIND_VERDICT, Verdict: pb.Verdict_VERDICT_UNKNOWN, Similarity: 0.2})
			time.Sleep(day)
		}
		seen, err := matchesOf(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for student, want := range map[string]bool{
			"grows by " + identify: true, "grows by " + burst: true, "grows by " + verify: true, "grows by " + rollCall: true,
			"two calls": true, "other call": false, "stays": false, "a little": false, "other recipe": false, "rare": false, "nobody": false,
		} {
			if got := seen.falling(student, begin, now); got != want {
				t.Errorf("seed %d: %s falls: %v, want %v", seed, student, got, want)
			}
		}
		if seen.falling("grows by "+identify, now.Add(-30*day), now) {
			t.Error("the picture is younger than the fall")
		}
	})
}

// By chance hardly anybody falls.
func TestFallingByChance(t *testing.T) {
	const seed, students = 10, 5000
	rng := rand.New(rand.NewPCG(seed, 0))
	now := time.Now()
	falls := 0
	for range students {
		h := &matchHistory{}
		for d := range 60 {
			h.when = append(h.when, now.Add(-time.Duration(60-d)*day))
			h.scores = append(h.scores, 0.7+0.1*rng.NormFloat64())
		}
		if h.falling(time.Time{}, now) {
			falls++
		}
	}
	if falls > students/500 {
		t.Errorf("seed %d: %d of %d fall", seed, falls, students)
	}
}
