package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/embedder/onnxtest"
)

// writePeople makes a folder with a folder for each person.
func writePeople(t *testing.T, people, each int) string {
	t.Helper()
	dir := t.TempDir()
	for seed := range people {
		folder := filepath.Join(dir, fmt.Sprintf("p%02d", seed))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for jitter := range each {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(jitter, ".jpg")), onnxtest.Face(int64(seed), jitter), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestEvalOfAFolder: an operator's folder, in which one crop lies in the wrong folder and one
// file is no image.
func TestEvalOfAFolder(t *testing.T) {
	dir := writePeople(t, 16, 3)
	write := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write("p03/letter.jpg", []byte("no image"))
	write("p05/wrong.jpg", onnxtest.Face(9, 1)) // the same as p09/1.jpg
	write("p05/.hidden", nil)
	labels := write("labels.csv", []byte("person,class,size\np00,a,1\np01,a,1\np02,b,1\np03,b,1\np04,b,1\np05,b,1\nnobody,b,1\n"))
	report := filepath.Join(t.TempDir(), "report.html")
	var res evalResult
	benchJSON(t, &res, "eval", dir, "--models-dir="+testModels(t), "--labels="+labels, "--report="+report)
	if res.Pictures != 16*3+2 || res.Students != 8 || len(res.Ways) != 1 || len(res.OpenSet) != 1 || res.OpenSet[0].Students != 8 || len(res.Stages) < 4 {
		t.Fatalf("incomplete: %+v", res)
	}
	if len(res.Strangers) == 0 || res.Strangers[0].FileA != "p05/wrong.jpg" || res.Strangers[0].FileB != "p09/1.jpg" || res.Strangers[0].Similarity < 0.9999 {
		t.Errorf("the crop in the wrong folder is not the first: %+v", res.Strangers)
	}
	if !slices.ContainsFunc(res.Failures, func(f failure) bool { return f.File == "p03/letter.jpg" && f.Reasons == "unreadable" }) || res.FailureSum != len(res.Failures) {
		t.Errorf("failures %+v", res.Failures)
	}
	if len(res.Fairness) != 3 || res.Fairness[0].Value != "a" || res.Fairness[0].People != 2 || res.Fairness[1].People != 4 || res.Fairness[1].Crops != 14 || res.Fairness[1].Unusable.Count < 1 {
		t.Errorf("by label: %+v", res.Fairness)
	}
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<!DOCTYPE html>", "p03/letter.jpg", "class=a", "galleries of several sizes"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if bytes.Count(page, []byte("<svg")) < 1 || bytes.Contains(page, []byte("<img")) || bytes.Contains(page, []byte("src=")) || bytes.Contains(page, []byte("<script")) {
		t.Error("the report has no plots, or needs other files")
	}
	if n := bytes.Count(page, []byte("p03/letter.jpg")); n != 1 {
		t.Errorf("the report names a failure %d times", n)
	}
	_, err = runBench(t, "eval", t.TempDir(), "--models-dir="+testModels(t))
	wantError(t, err, "PERSON/any-name.jpg")
	_, err = runBench(t, "eval", dir, "--models-dir="+testModels(t), "--mirror")
	wantError(t, err, "--mirror needs")
	_, err = runBench(t, "eval", dir, "--models-dir="+testModels(t), "--labels="+write("p00.csv", []byte("person,x\nnobody,1\n")))
	wantError(t, err, "none of its rows")
}

// TestSearchCurve compares each point with counting.
func TestSearchCurve(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 50 {
		var right, strange []float64
		for range 50 + rng.IntN(100) {
			right = append(right, math.Round(rng.Float64()*50)/50)
		}
		for range 100 + rng.IntN(400) {
			strange = append(strange, math.Round(rng.Float64()*40)/50)
		}
		students, strangers := len(right)+rng.IntN(20), len(strange)+rng.IntN(20)
		curve := searchCurve(right, strange, students, strangers)
		if len(curve) < 10 {
			t.Fatalf("%d points", len(curve))
		}
		count := func(values []float64, from float64) (n int) {
			for _, v := range values {
				if v >= from {
					n++
				}
			}
			return n
		}
		for _, p := range curve {
			if got := float64(count(strange, p.Similarity)) / float64(strangers); got > p.FPIR {
				t.Errorf("FPIR %v at %v, wanted at most %v", got, p.Similarity, p.FPIR)
			}
			if got := 1 - float64(count(right, p.Similarity))/float64(students); math.Abs(got-p.FNIR) > 1e-12 {
				t.Errorf("FNIR %v at %v, not %v", p.FNIR, p.Similarity, got)
			}
			// The next lower similarity of a stranger would let too many in.
			lower := math.Nextafter(p.Similarity, -2)
			if float64(count(strange, lower)) <= p.FPIR*float64(strangers)-1 {
				t.Errorf("the threshold %v is too high for an FPIR of %v", p.Similarity, p.FPIR)
			}
		}
	}
}

// TestPlots: what a plot is made of is well-formed, also of very little.
func TestPlots(t *testing.T) {
	bars := (&comparisons{genuine: make([]int64, similarityBins), impostor: make([]int64, similarityBins)}).histogram()
	drawn, err := histogramPlot(bars, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, string(drawn))
	for _, points := range [][]detPoint{nil, {{1, 0, 0.1}}, {{1, 0.5, 0.1}, {0.5, 0.5, 0.1}}, {{1, 0.1, 0}, {0.1, 0.2, 0.1}, {0.01, 0.3, 0.2}}} {
		drawn, err := ratesPlot("FMR", "FNMR", []curve{{"a", detPoints(points)}})
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, string(drawn))
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %.200s", err, text)
		}
	}
}
