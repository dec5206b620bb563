package bench

import (
	"fmt"
	"math"
)

// detectResult is what "bench detect" prints.
type detectResult struct {
	Detector  string           `json:"detector"`
	Locator   string           `json:"locator"`
	Photos    int              `json:"photos"`
	Faces     int              `json:"faces"` // on all photos
	LeastSize float64          `json:"least_size"`
	Recalls   []detectorRecall `json:"recalls"`
	Costs     []detectCost     `json:"costs"`
}

// sizeBounds are the sizes, in pixels, between which recalls are told apart.
var sizeBounds = []float64{16, 20, 24, 32, 40, 64, 128, 301}

// detectorRecall is what one detector found.
type detectorRecall struct {
	Detector  string  `json:"detector"`
	Threshold float64 `json:"threshold"`       // score from which a face counted here; 0: the detector's own
	False     float64 `json:"false_per_photo"` // from that score on
	Recall    ratio   `json:"recall"`
	BySize    []ratio `json:"recall_by_size"` // see size_bounds
	// Landmarks are the errors of the faces that were found.
	Landmarks  landmarkErrors `json:"landmark_errors"`
	SizeBounds []float64      `json:"size_bounds"` // pixels
}

func (t *faceTally) recalls(name string) detectorRecall {
	threshold := t.threshold()
	r := detectorRecall{Detector: name, Threshold: threshold, SizeBounds: sizeBounds}
	for _, score := range t.wrong {
		if score >= threshold {
			r.False += 1 / float64(t.photos)
		}
	}
	r.Recall = t.recall(threshold, 0, math.Inf(1))
	for i, least := range sizeBounds[:len(sizeBounds)-1] {
		r.BySize = append(r.BySize, t.recall(threshold, least, sizeBounds[i+1]))
	}
	r.Landmarks = landmarkErrors{Mean: mean(t.errors), P95: quantile(t.errors, 0.95)}
	return r
}

// detectCost is how long one photo takes, all cores together, in milliseconds: medians of the rounds.
type detectCost struct {
	What          string  `json:"what"`
	Width         int     `json:"width"`
	Height        int     `json:"height"`
	Faces         int     `json:"faces"`
	Found         ratio   `json:"found"`
	False         int     `json:"false"`
	Decode        float64 `json:"decode_ms"`
	Detect        float64 `json:"detect_ms"`
	Locate        float64 `json:"locate_ms"`
	AfterDecoding float64 `json:"after_decoding_ms"`
	Least         float64 `json:"after_decoding_least_ms"` // of the rounds
	CPU           float64 `json:"after_decoding_cpu_ms"`   // of all cores together; 0: not known on this system
	Embed         float64 `json:"embed_ms"`                // all faces found
}

func (r detectResult) tables() []table {
	recall := table{
		title:  fmt.Sprintf("faces found on %d composed photos of %d x %d pixels with %d faces, at %g false faces a photo or fewer", r.Photos, crowded.width, crowded.height, r.Faces, falsePerPhoto),
		header: []string{"size, pixels\t"},
	}
	columns := func(of func(detectorRecall) string) []string {
		var cells []string
		for _, d := range r.Recalls {
			cells = append(cells, of(d))
		}
		return cells
	}
	recall.header = append([]string{"size, pixels"}, columns(func(d detectorRecall) string { return d.Detector })...)
	for i, least := range sizeBounds[:len(sizeBounds)-1] {
		label := fmt.Sprintf("%.0f to %.0f", least, sizeBounds[i+1]-1)
		recall.row(append([]string{label}, columns(func(d detectorRecall) string { return d.BySize[i].String() })...)...)
	}
	recall.row(append([]string{"all"}, columns(func(d detectorRecall) string { return d.Recall.String() })...)...)
	recall.row(append([]string{"false faces a photo"}, columns(func(d detectorRecall) string { return fmt.Sprintf("%.3f", d.False) })...)...)
	recall.row(append([]string{"score from which a face counts"}, columns(func(d detectorRecall) string {
		if d.Threshold == 0 {
			return "the detector's own"
		}
		return fmt.Sprintf("%.3f", d.Threshold)
	})...)...)
	recall.row(append([]string{"landmark error, mean and 95th percentile"}, columns(func(d detectorRecall) string {
		return fmt.Sprintf("%.3f, %.3f eye distances", d.Landmarks.Mean, d.Landmarks.P95)
	})...)...)

	cost := table{title: "time, medians, all cores together", header: []string{"", "decoding", "detecting", "locating", "after decoding", "at best", "of the processor", "embedding", "found", "false"}}
	for _, c := range r.Costs {
		cost.row(c.What, inMilliseconds(c.Decode), inMilliseconds(c.Detect), inMilliseconds(c.Locate), inMilliseconds(c.AfterDecoding),
			inMilliseconds(c.Least), inMilliseconds(c.CPU), inMilliseconds(c.Embed), c.Found.String(), fmt.Sprint(c.False))
	}
	cost.notes = append(cost.notes, "One core works on a frame, all cores on a photo. \"Of the processor\" is the time of all cores together, without decoding.")
	return []table{recall, cost}
}
