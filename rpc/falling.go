package rpc

import (
	"context"
	"math"
	"slices"
	"time"

	"rollcall/access/journal"
	pb "rollcall/proto/rollcall/v1"
)

const (
	// recently is the time of which the matches are compared with those before it. In a
	// month of school there are some 20 check-ins.
	recently = 30 * day
	// leastMatches is how many matches there must be in either time.
	leastMatches = 8
	// leastFall is how much the mean similarity must have fallen: half of the standard
	// deviation of the similarities of one person's pictures (0.1, rollcall-base-2).
	leastFall = 0.05
	// leastErrors is how many standard errors it must have fallen (Welch 1947): that
	// happens by chance to one student in a thousand, by each way to ask.
	leastErrors = 3.5

	// mostMatchLines bounds the lines of the journal that one call reads, the newest:
	// some 5 µs each.
	mostMatchLines = 200_000
)

// matches are the matches of the students, by student: a history for each way to ask.
type matches map[string][]*matchHistory

// matchHistory is the matches of one student by one call, in order, and by one recipe.
// Others compare with nothing: the frames of a burst are more similar together than each
// alone, faces on a photo of a class are small, and a claimed student passes with less.
type matchHistory struct {
	procedure, recipe string
	when              []time.Time
	scores            []float64
}

// matchesOf reads the newest lines of a journal.
func matchesOf(ctx context.Context, from *journal.Journal) (matches, error) {
	days, err := from.Days(ctx)
	if err != nil || len(days) == 0 {
		return nil, err
	}
	after := days[0].First - 1
	if last := days[len(days)-1].Last; last > after+mostMatchLines {
		after = last - mostMatchLines
	}
	found := make(matches)
	for line, err := range from.Lines(ctx, after) {
		if err != nil {
			return nil, err
		}
		if line.GetVerdict() == pb.Verdict_VERDICT_MATCH && line.GetStudentId() != "" {
			found.add(line)
		}
	}
	return found, nil
}

func (m matches) add(line *pb.Line) {
	own := m[line.GetStudentId()]
	i := slices.IndexFunc(own, func(h *matchHistory) bool { return h.procedure == line.GetProcedure() })
	if i < 0 {
		i, own = len(own), append(own, &matchHistory{procedure: line.GetProcedure()})
		m[line.GetStudentId()] = own
	}
	if own[i].recipe != line.GetRecipe() {
		*own[i] = matchHistory{procedure: line.GetProcedure(), recipe: line.GetRecipe()}
	}
	own[i].when = append(own[i].when, line.GetTime().AsTime())
	own[i].scores = append(own[i].scores, float64(line.GetSimilarity()))
}

// falling reports whether the student's matches have become clearly less similar of
// late, by any call. Only those since the newest picture count.
func (m matches) falling(studentID string, newest, now time.Time) bool {
	return slices.ContainsFunc(m[studentID], func(h *matchHistory) bool { return h.falling(newest, now) })
}

func (h *matchHistory) falling(newest, now time.Time) bool {
	var before, late sample
	for i, at := range h.when {
		switch {
		case at.Before(newest):
		case at.Before(now.Add(-recently)):
			before.add(h.scores[i])
		default:
			late.add(h.scores[i])
		}
	}
	if before.n < leastMatches || late.n < leastMatches {
		return false
	}
	fall := before.mean() - late.mean()
	return fall >= leastFall && fall >= leastErrors*math.Sqrt(before.meanVariance()+late.meanVariance())
}

// sample sums up numbers.
type sample struct{ n, sum, squares float64 }

func (s *sample) add(v float64) { s.n, s.sum, s.squares = s.n+1, s.sum+v, s.squares+v*v }

func (s *sample) mean() float64 { return s.sum / s.n }

// meanVariance is the variance of the mean.
func (s *sample) meanVariance() float64 {
	return max(0, s.squares/s.n-s.mean()*s.mean()) / (s.n - 1)
}
