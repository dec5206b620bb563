package gallery

import (
	"maps"
	"slices"
)

// table is a part of a roll call that can be solved alone: some seats, and the
// students who are near the threshold at one of them. They are near at no seat of
// another table.
type table struct {
	seats    []*Seat
	students []string
	gain     [][]float64 // by seat and student: the similarity above the threshold; negative: below it; far: not near it
	margin   float64
}

// far is the gain of a student who is not near the threshold at a seat: less than
// the gain of any similarity.
const far = -4

// tables divides the roll into its tables. A seat that nobody is near is at no
// table.
func (r *Roll) tables() []*table {
	at := make(map[string][]int) // the seats that a student is near
	for i := range r.Seats {
		for _, c := range r.Seats[i].near {
			at[c.StudentID] = append(at[c.StudentID], i)
		}
	}
	var tables []*table
	seated := make([]bool, len(r.Seats))
	for first := range r.Seats {
		if seated[first] || len(r.Seats[first].near) == 0 {
			continue
		}
		students := make(map[string]bool)
		var seats []int
		for next := []int{first}; len(next) > 0; next = next[1:] {
			if seated[next[0]] {
				continue
			}
			seated[next[0]] = true
			seats = append(seats, next[0])
			for _, c := range r.Seats[next[0]].near {
				if !students[c.StudentID] {
					students[c.StudentID] = true
					next = append(next, at[c.StudentID]...)
				}
			}
		}
		slices.Sort(seats)
		tables = append(tables, r.table(seats, slices.Sorted(maps.Keys(students))))
	}
	return tables
}

func (r *Roll) table(seats []int, students []string) *table {
	t := &table{students: students, margin: float64(r.margin)}
	for _, i := range seats {
		s := &r.Seats[i]
		row := slices.Repeat([]float64{far}, len(students))
		for _, c := range s.near {
			j, _ := slices.BinarySearch(students, c.StudentID)
			row[j] = float64(c.Similarity) - float64(r.Threshold)
		}
		t.seats, t.gain = append(t.seats, s), append(t.gain, row)
	}
	return t
}

// rival looks for the best assignment that explains the seat in another way:
// somebody else sits there, or its student sits elsewhere. That pair may be below
// the threshold by the margin. It returns by how much the sum is less, and which of
// the two ways it is.
func (t *table) rival(seat int) (loss float32, reason string) {
	student, _ := slices.BinarySearch(t.students, t.seats[seat].Assigned)
	sum := t.sum(t.gain)

	// An empty seat explains nothing, so it counts like a seat whose student is
	// below the threshold by the margin. To get that, all gains of the seat are
	// raised by the margin, so that none is negative, and the sum is lowered by it.
	other := t.without(seat, student)
	for j, g := range t.gain[seat] {
		if j != student && g > far {
			other[seat][j] = g + t.margin
		}
	}
	somebody := sum - (t.sum(other) - t.margin)

	// The same for the student.
	other = t.without(seat, student)
	for i := range t.seats {
		if g := t.gain[i][student]; i != seat && g > far {
			other[i][student] = g + t.margin
		}
	}
	elsewhere := sum - (t.sum(other) - t.margin)

	if somebody <= elsewhere {
		return float32(somebody), ReasonTwoStudentsClose
	}
	return float32(elsewhere), ReasonTwoCropsClose
}

// without returns a copy of the gains in which the student cannot sit on the seat.
func (t *table) without(seat, student int) [][]float64 {
	gain := make([][]float64, len(t.gain))
	for i := range gain {
		gain[i] = slices.Clone(t.gain[i])
	}
	gain[seat][student] = far
	return gain
}

// sum returns the greatest sum of gains.
func (t *table) sum(gain [][]float64) (sum float64) {
	for i, j := range assign(gain) {
		if j >= 0 {
			sum += gain[i][j]
		}
	}
	return sum
}
