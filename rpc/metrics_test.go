package rpc

import (
	"fmt"
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall/gallery"
)

// The galleries' figures are told as their sums. Recall is told where a guard has measured
// it, and only there: the least one.
func TestGalleriesAreSums(t *testing.T) {
	got := make(map[string]float64)
	collectGalleries(func(d *prometheus.Desc, v float64, labels ...string) {
		got[fmt.Sprint(names[d], labels)] = v
	}, []gallery.Stats{
		{Students: 3, Crops: 5, Models: []gallery.ModelStats{
			{Name: "searched", Vectors: 4, Bytes: 100}, {Name: "sampled", Vectors: 1, Bytes: 10, Recall: 0.75, RecallKnown: true}}},
		{Students: 20, Crops: 50, Models: []gallery.ModelStats{{Name: "sampled", Vectors: 40, Bytes: 1000, Recall: 0.5, RecallKnown: true}}},
		{Students: 1, Models: []gallery.ModelStats{{Name: "sampled"}}},
	})
	want := map[string]float64{
		"loaded[]": 3, "students[]": 24, "crops[]": 55,
		"vectors[searched]": 4, "bytes[searched]": 100,
		"vectors[sampled]": 41, "bytes[sampled]": 1010, "recall[sampled]": 0.5,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

var names = map[*prometheus.Desc]string{
	inMemoryDesc: "loaded", studentsDesc: "students", cropsDesc: "crops",
	vectorsDesc: "vectors", indexDesc: "bytes", recallDesc: "recall",
}
