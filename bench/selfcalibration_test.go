package bench

import "testing"

// Each of 40 strangers passes once in ten probes. That is as sure with one student whom they all resemble
// as with many, if only strangers are drawn.
func TestStrangerRates(t *testing.T) {
	const people, students, probes = 60, 20, 10
	rates := func(resembled int) strangerRates {
		r := strangerRates{people: people, hits: make(map[[2]int]int), probes: [][]int{make([]int, people)}, students: [][]int{nil}}
		for s := range students {
			r.students[0] = append(r.students[0], s)
		}
		for p := students; p < people; p++ {
			r.probes[0][p] = probes
			r.hits[[2]int{p, p % resembled}]++
		}
		return r
	}
	one, many := rates(1), rates(students)
	strangersOfOne, one2 := one.intervals(1)
	strangersOfMany, many2 := many.intervals(1)
	if strangersOfOne != strangersOfMany || strangersOfOne.Low < 0.099 || strangersOfOne.High > 0.101 {
		t.Errorf("strangers drawn: %v with one, %v with many; each passes once in ten", strangersOfOne, strangersOfMany)
	}
	if one2.Low > 0 || one2.High < 0.2 {
		t.Errorf("all resemble one student, who may be drawn never, or thrice: %v", one2)
	}
	if many2.Low < 0.05 || many2.High > 0.15 {
		t.Errorf("each student is resembled by as many: %v", many2)
	}
}
