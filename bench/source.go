package bench

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/pflag"
)

// sourceOptions say where the crops of a bench about time or memory come from: from drawn
// faces where no folder is named.
type sourceOptions struct {
	faces facesOptions
	seed  uint64
}

func (o *sourceOptions) addFlags(set *pflag.FlagSet) {
	o.faces.addFlags(set)
	set.Lookup("faces").Usage += "; empty: drawn faces"
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
}

// drawn says whether the faces are drawn: all of them are alike to an embedder.
func (o *sourceOptions) drawn() bool { return o.faces.folder == "" }

// choose returns pictures of n different people.
func (o *sourceOptions) choose(n int) ([]face, error) {
	if o.drawn() {
		chosen := make([]face, n)
		for i := range chosen {
			var err error
			if chosen[i], err = drawFace(o.seed<<32 + uint64(i)); err != nil {
				return nil, err
			}
		}
		return chosen, nil
	}
	all, err := readFaces(o.faces.folder, o.faces.split)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.seed, 0))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	seen := make(map[string]bool)
	var chosen []face
	for _, f := range all {
		if len(chosen) < n && !seen[f.person] {
			seen[f.person] = true
			chosen = append(chosen, f)
		}
	}
	if len(chosen) < n {
		return nil, fmt.Errorf("the split %s has pictures of %d people, and %d are needed", o.faces.split, len(chosen), n)
	}
	return chosen, nil
}

// benchSide is the side of the crops of benches about time, in pixels: that of the
// input that most embedders have, and about what a detector cuts from a picture of
// a class.
const benchSide = 112

// gentleCut cuts crops that every locator should manage: what is measured with
// them is time and memory, not accuracy.
func gentleCut(seed uint64, side int) cutOptions {
	return cutOptions{seed: seed, grow: 0.3, shift: 0.03, turn: 5, side: side}
}

// crops returns crops of n different people.
func (o *sourceOptions) crops(ctx context.Context, n int) ([]crop, error) {
	faces, err := o.choose(n)
	if err != nil {
		return nil, err
	}
	return gentleCut(o.seed, benchSide).cutAll(ctx, faces)
}
