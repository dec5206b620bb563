package gallery

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// MaxFrames bounds the frames of a burst: more tell nothing new within a second.
const MaxFrames = 10

// The frames of a burst are combined to the mean of their unit vectors, made unit length: what they have in
// common is the person, and what differs (the light, the pose, blur) partly cancels out. But the mean of a
// stranger's frames also lies nearer to other people than a single frame does: the more so, the more the
// frames differ, that is the shorter the mean is before it is made unit length. So the threshold is divided
// by a power of that length. Frames that are all alike get the threshold of a single one.
const (
	// burstPower is that power. Measured with rollcall-base-2 on pictures of people of the split train who have
	// eight or more, each burst compared with an enrolled crop of everybody else: the means of 2, 3, 5 and 8
	// pictures have a length of 0.93 to 0.87, and reach a threshold so divided at 0.6 to 1.1 times the wanted rate,
	// for an FMR of 1e-2 to 1e-5; single pictures reach it at 0.9 to 1.2 times the rate. Without the division it
	// is up to 2.1 times, with a power of a half 0.3 to 0.9 times (an experiment; "rollcall bench burst" prints what it comes to).
	burstPower = 0.25
	// anotherFMR sets the similarity under which a frame shows another person than the others: one in a
	// thousand frames of somebody else counts all the same. On the people of validation, of whom a burst shows
	// different pictures, 0.2 to 0.6 % of the frames are taken for somebody else's, and of frames cut from one
	// picture none.
	anotherFMR = 0.001
)

// A Burst is a question about some frames: whose face is on them? They are meant to show one person.
type Burst struct {
	Frames     []Embedding // 1 to [MaxFrames], all of one model
	Scope      Scope       // who it may be
	FPIR       float64     // as in [Probe]; the rate of bursts
	Candidates int         // as in [Probe]
}

// strictness is what a threshold is multiplied by, if it is 1 or more.
type strictness float32

// than returns the stricter threshold.
func (s strictness) than(threshold float32) float32 {
	return min(max(threshold, threshold*max(float32(s), 1)), 1)
}

// undone returns the similarity that passes the threshold as narrowly without the strictness.
func (s strictness) undone(similarity float32) float32 {
	return min(similarity, similarity/max(float32(s), 1))
}

// A Frame is what one frame of a burst was good for.
type Frame struct {
	Counted   bool    // the verdict rests on it too
	Agreement float32 // similarity to those that count, without itself; 0 if there is no other
}

// IdentifyBurst says whose face the frames show, with their evidence combined, and one Frame for each of
// them. Frames of somebody else than most of them do not count. If no person is on more than half of the
// frames, none counts, and the verdict is Unknown with ReasonAnotherPerson. The errors are those of
// [Gallery.Identify].
func (g *Gallery) IdentifyBurst(ctx context.Context, b Burst) (Identification, []Frame, error) {
	if len(b.Frames) < 1 || len(b.Frames) > MaxFrames {
		return Identification{}, nil, fmt.Errorf("%w: a burst has 1 to %d frames, not %d", ErrInvalidVector, MaxFrames, len(b.Frames))
	}
	first := b.Frames[0]
	var vectors [][]float32
	for i, e := range b.Frames {
		if e.Model != first.Model {
			return Identification{}, nil, fmt.Errorf("frame %d: %w: it is of model %q, not %q", i, ErrInvalidVector, e.Model, first.Model)
		}
		if _, err := g.modelOf(e); err != nil {
			return Identification{}, nil, fmt.Errorf("frame %d: %w", i, err)
		}
		vectors = append(vectors, e.Vector)
	}
	agree, err := g.agreement(ctx, first.Model)
	if err != nil {
		return Identification{}, nil, err
	}
	frames := samePerson(vectors, agree)
	var counted [][]float32
	for i, f := range frames {
		if f.Counted {
			counted = append(counted, vectors[i])
		}
	}
	if counted == nil {
		return Identification{Verdict: Unknown, Reasons: []string{ReasonAnotherPerson}, Dimension: len(first.Vector), FPIR: math.NaN()}, frames, nil
	}
	mean, length := meanOf(counted)
	first.Vector = mean
	id, err := g.identify(ctx, Probe{
		Embedding: first, Scope: b.Scope, FPIR: b.FPIR, Candidates: b.Candidates,
		stricter: strictness(math.Pow(length, -burstPower)),
	}, "")
	return id, frames, err
}

// agreement returns the similarity from which two frames show one person.
func (g *Gallery) agreement(ctx context.Context, name string) (float32, error) {
	model, err := g.model(name)
	if err != nil {
		return 0, err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	return m.threshold(model, 1, anotherFMR), nil
}

// samePerson finds the person that most of the vectors show. It begins with those that agree with the vector
// in the middle of the largest group, and then counts each that agrees with the mean of the others that
// count. To agree is to be at least that similar.
func samePerson(vectors [][]float32, agree float32) []Frame {
	frames := make([]Frame, len(vectors))
	centre := vectors[middle(vectors, agree)]
	for i, v := range vectors {
		frames[i].Counted = dot(v, centre) >= agree
	}
	// It mostly ends after one or two rounds. More rounds than vectors would be a cycle.
	for range vectors {
		before := slices.Clone(frames)
		for i := range frames {
			others, any := withoutOne(vectors, before, i)
			if !any {
				continue // the only one that counts
			}
			frames[i].Agreement = dot(vectors[i], others)
			frames[i].Counted = frames[i].Agreement >= agree
		}
		if slices.Equal(frames, before) {
			break
		}
	}
	counted := 0
	for _, f := range frames {
		if f.Counted {
			counted++
		}
	}
	if 2*counted <= len(frames) {
		return make([]Frame, len(frames))
	}
	return frames
}

// middle returns the vector with which most others agree; of several, the one that they resemble most.
func middle(vectors [][]float32, agree float32) (best int) {
	most, sum := -1, float32(0)
	for i, v := range vectors {
		n, s := 0, float32(0)
		for _, w := range vectors {
			if similarity := dot(v, w); similarity >= agree {
				n, s = n+1, s+similarity
			}
		}
		if n > most || n == most && s > sum {
			best, most, sum = i, n, s
		}
	}
	return best
}

// withoutOne returns the mean of the vectors that count, without vector i; false if there are none.
func withoutOne(vectors [][]float32, frames []Frame, i int) (mean []float32, ok bool) {
	var others [][]float32
	for j, f := range frames {
		if f.Counted && j != i {
			others = append(others, vectors[j])
		}
	}
	if others == nil {
		return nil, false
	}
	mean, length := meanOf(others)
	return mean, length > 0
}

// meanOf returns the mean of unit vectors, made unit length, and its length before that, 0 to 1. Vectors that
// cancel each other out have no mean: then the length is 0.
func meanOf(vectors [][]float32) (mean []float32, length float64) {
	mean = make([]float32, len(vectors[0]))
	sum := make([]float64, len(mean))
	for _, v := range vectors {
		for k, x := range v {
			sum[k] += float64(x) / float64(len(vectors))
		}
	}
	for _, x := range sum {
		length += x * x
	}
	if length = math.Sqrt(length); length == 0 {
		return mean, 0
	}
	for k, x := range sum {
		mean[k] = float32(x / length)
	}
	return mean, min(length, 1)
}
