package rpc

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall/gallery"
)

// Recall is told where a guard has measured it, and only there.
func TestRecallMetric(t *testing.T) {
	ch := make(chan prometheus.Metric, 100)
	collectGallery(ch, "3b", gallery.Stats{Models: []gallery.ModelStats{{Name: "searched"}, {Name: "sampled", Recall: 0.75, RecallKnown: true}}})
	close(ch)
	var recalls int
	for m := range ch {
		if strings.Contains(m.Desc().String(), "rollcall_index_recall") {
			recalls++
		}
	}
	if recalls != 1 {
		t.Errorf("%d models tell their recall, want the one that was sampled", recalls)
	}
}
