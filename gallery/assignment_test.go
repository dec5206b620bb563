package gallery

import (
	"math"
	"math/rand/v2"
	"testing"
)

// bestByTrying returns the greatest sum of gains over all assignments.
func bestByTrying(gain [][]float64, row int, used map[int]bool) float64 {
	if row == len(gain) {
		return 0
	}
	best := bestByTrying(gain, row+1, used) // without a column
	for col, g := range gain[row] {
		if g >= 0 && !used[col] {
			used[col] = true
			best = max(best, g+bestByTrying(gain, row+1, used))
			delete(used, col)
		}
	}
	return best
}

func randomGain(rng *rand.Rand, rows, cols int) [][]float64 {
	density := rng.Float64()
	coarse := rng.IntN(2) == 0 // many ties
	gain := make([][]float64, rows)
	for i := range gain {
		gain[i] = make([]float64, cols)
		for j := range gain[i] {
			switch {
			case rng.Float64() > density:
				gain[i][j] = -1
			case coarse:
				gain[i][j] = float64(rng.IntN(4)) / 4
			default:
				gain[i][j] = rng.Float64()
			}
		}
	}
	return gain
}

func TestAssignAgainstTrying(t *testing.T) {
	rng := newRand(t, 5)
	for range 5000 {
		gain := randomGain(rng, rng.IntN(7), rng.IntN(7))
		got := assign(gain)
		if len(got) != len(gain) {
			t.Fatalf("%d rows, %d answers", len(gain), len(got))
		}
		sum, used := 0.0, map[int]bool{}
		for row, col := range got {
			if col < 0 {
				continue
			}
			if used[col] {
				t.Fatalf("column %d twice: %v of %v", col, got, gain)
			}
			used[col] = true
			if gain[row][col] < 0 {
				t.Fatalf("forbidden pair %d, %d: %v of %v", row, col, got, gain)
			}
			sum += gain[row][col]
		}
		if want := bestByTrying(gain, 0, map[int]bool{}); math.Abs(sum-want) > 1e-6 {
			t.Fatalf("sum %v, want %v: %v of %v", sum, want, got, gain)
		}
	}
}

// A pair at the very threshold is a match like any other.
func TestAssignPrefersSeats(t *testing.T) {
	got := assign([][]float64{{0, -1}, {-1, 0}})
	if got[0] != 0 || got[1] != 1 {
		t.Errorf("%v, want [0 1]", got)
	}
}

// BenchmarkAssign is a photo of a large class in a school: 40 faces, each near
// some of 200 students.
func BenchmarkAssign(b *testing.B) {
	gain := randomGain(rand.New(rand.NewPCG(1, 1)), 40, 200)
	for b.Loop() {
		assign(gain)
	}
}
