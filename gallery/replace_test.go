package gallery

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestIdentifyWhileReplaced identifies among few students while their crops are enrolled again and again:
// every answer is the same as without that.
func TestIdentifyWhileReplaced(t *testing.T) {
	model := Model{Name: "m", Digest: strings.Repeat("ab", 32), Dimension: 8, Calibration: []Calibration{{FMR: 0.1, Similarity: 0.3}, {FMR: 0.001, Similarity: 0.6}}}
	g := openGallery(t, Options{Models: catalogue(model)})
	r := newRand(t, 1)
	var crops []Enrolment
	for i := range 3 {
		e := Enrolment{CropID: fmt.Sprint("crop-", i), StudentID: fmt.Sprint("student-", i), Embedding: made(model, face(r, i, 8, 0)), AllowDuplicate: true}
		if _, err := g.Enroll(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		crops = append(crops, e)
	}
	probe := Probe{Embedding: made(model, crops[0].Embedding.Vector)}
	want, err := g.Identify(t.Context(), probe)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for _, e := range crops {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := g.Enroll(t.Context(), e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20_000 {
		got, err := g.Identify(t.Context(), probe)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("while crops are enrolled again: %+v, else %+v", got, want)
			break
		}
	}
	close(stop)
	writers.Wait()
}
