package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/gallery"
	"rollcall/index"
)

// TestEval measures models that are nearly perfect on their faces: what is
// wrong then is the bench.
func TestEval(t *testing.T) {
	all := append(people(14, 3, splitTest), people(5, 1, splitTest)...)
	faces := writeFaces(t, append(all, people(1, 2, splitTrain)...))
	var res evalResult
	benchJSON(t, &res, "eval", faces, "--models-dir="+testModels(t), "--students=12")
	if res.Pictures != 14*3+5 || res.Students != 12 || len(res.Ways) != 3 {
		t.Fatalf("%d pictures, %d students, %d ways", res.Pictures, res.Students, len(res.Ways))
	}
	for i, v := range res.Ways {
		probes, strangers := 12*2, 2*3+5
		if v.Enrolled.Probes+2*v.NotEnrolled != probes || v.Strangers.Probes != strangers {
			t.Errorf("%s: %d and %d probes; there are %d of students, %d of strangers", v.Way, v.Enrolled.Probes, v.Strangers.Probes, probes, strangers)
		}
		for _, c := range []verdictCounts{v.Enrolled, v.Strangers} {
			if c.Right+c.Wrong+c.Ambiguous+c.Unknown+c.Unusable != c.Probes {
				t.Errorf("%s: the verdicts do not add up: %+v", v.Way, c)
			}
		}
		if i < 2 && (v.Rank1.Share < 0.95 || v.NotFound.Share > 0.05 || v.FPIR.Share > 0.3) {
			t.Errorf("%s: rank 1 %v, not found %v, FPIR %v", v.Way, v.Rank1, v.NotFound, v.FPIR)
		}
	}
	located := res.Ways[0]
	if located.Landmarks == nil || located.Landmarks.Mean > 0.1 || located.Landmarks.Mean <= 0 {
		t.Errorf("landmark errors %+v: the test locator is better than that, and not perfect", located.Landmarks)
	}
	if none := res.Ways[2]; none.Rank1.Share >= located.Rank1.Share {
		t.Errorf("rank 1 is %v without landmarks and %v with: alignment makes no difference", none.Rank1, located.Rank1)
	}
}

// TestCalibration looks at what the bench prints of people who are too few for the larger galleries.
func TestCalibration(t *testing.T) {
	faces := "--faces=" + writeFaces(t, append(people(45, 3, splitTest), people(3, 1, splitTrain)...))
	dir := testModels(t)
	onnxtest.Install(t, dir, onnxtest.SFace(2).Named("other"))
	var res calibrationResult
	benchJSON(t, &res, "calibration", faces, "--models-dir="+dir, "--embedder-name=test-sface", "--against-name=other", "--seeds=2")
	if len(res.Rows) == 0 || len(res.Scores) == 0 {
		t.Fatalf("incomplete: %+v", res)
	}
	for _, row := range res.Rows {
		for _, x := range row.Targets {
			if x.Seeds != 2 || x.FPIR.Of == 0 || x.Interval.Low > x.FPIR.Share || x.Interval.High < x.FPIR.Share || x.FNIR.Of == 0 || x.FNIR.Share > 0.5 {
				t.Errorf("%s, %d x %d: %+v", row.Model, row.Students, row.Crops, x)
			}
		}
	}
	for _, row := range res.Scores {
		if row.FNIR[0] > row.FNIR[1] || row.At[0] > row.At[1] || row.FNIR[1] > 0.5 {
			t.Errorf("%+v", row)
		}
	}
}

// TestAgainst compares a model with another one, and with a copy of itself under another name.
func TestAgainst(t *testing.T) {
	faces := "--faces=" + writeFaces(t, append(people(14, 3, splitTest), people(5, 1, splitTest)...))
	dir := testModels(t)
	onnxtest.Install(t, dir, onnxtest.SFace(2).Named("other"), onnxtest.SFace(1).Named("copy"))
	for _, name := range []string{"other", "copy"} {
		var res againstResult
		benchJSON(t, &res, "against", faces, "--models-dir="+dir, "--embedder-name=test-sface", "--against-name="+name, "--students=12", "--rosters=3")
		if res.Pictures != 14*3+5 || res.People != 19 || res.Students != 12 || len(res.Rules) != 4 || res.Models[0].Embedder != "test-sface" || res.Models[1].Embedder != name {
			t.Fatalf("incomplete: %+v", res)
		}
		for _, r := range res.Rules {
			differs := r.Differ.Count > 0 || r.Difference != difference{} || r.Enrolled[0] != r.Enrolled[1]
			if name == "copy" && differs {
				t.Errorf("the copy differs: %+v", r)
			}
			if r.Enrolled[0].Probes+2*res.NotEnrolled != 3*12*2 || r.Strangers[0].Probes != 3*(2*3+5) {
				t.Errorf("%d and %d probes", r.Enrolled[0].Probes, r.Strangers[0].Probes)
			}
		}
		if res.Cosine == nil || (name == "copy") != (res.Cosine.P5 > 0.9999) {
			t.Errorf("%s: cosines %+v", name, res.Cosine)
		}
		if res.Rank1[0].Share < 0.95 {
			t.Errorf("rank 1 %v", res.Rank1)
		}
	}
	_, err := runBench(t, "against", faces, "--models-dir="+dir, "--embedder-name=copy", "--against-name=copy")
	wantError(t, err, "both embedders are copy")
	_, err = runBench(t, "against", faces, "--models-dir="+dir, "--against-name=absent")
	wantError(t, err, "absent")
}

// TestCalibrate takes a calibration from the people for training and judges the
// others by it.
func TestCalibrate(t *testing.T) {
	faces := writeFaces(t, append(people(6, 2, splitTest), people(80, 2, splitTrain)...))
	installed := testModels(t)
	calibrate := func() (table calibration, out string) {
		t.Helper()
		out, err := runBench(t, "eval", faces, "--models-dir="+installed, "--split=train", "--calibrate")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out), &table); err != nil {
			t.Fatal(err)
		}
		return table, out
	}
	table, out := calibrate()
	contract := onnxtest.SFace(1).Contract
	contract.Calibration, contract.CalibrationSource = table.Calibration, table.Source
	if err := contract.Validate(); err != nil {
		t.Errorf("the table does not fit a contract: %v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "calibration.json")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after evalResult
	args := []string{faces, "--models-dir=" + installed}
	benchJSON(t, &before, "eval", args...)
	benchJSON(t, &after, "eval", append(args, "--calibration="+file)...)
	if before.Ways[0].Threshold == after.Ways[0].Threshold {
		t.Errorf("the threshold is %v with and without the calibration", after.Ways[0].Threshold)
	}
	_, err := runBench(t, "eval", faces, "--models-dir="+installed, "--calibrate")
	wantError(t, err, "--split validation")
}

func TestEmbed(t *testing.T) {
	faces := writeFaces(t, people(distinctCrops, 1, splitTest))
	var res embedResult
	benchJSON(t, &res, "embed", "--faces="+faces, "--models-dir="+testModels(t), "--calls=5", "--rounds=2", "--seconds=0.1", "--clients=3")
	if len(res.Latency) != 2 || len(res.Throughput) != 2 || res.Crops < distinctCrops/2 {
		t.Fatalf("incomplete: %+v", res)
	}
	for _, l := range res.Latency {
		var sum float64
		var stages []string
		for _, s := range l.Stages {
			sum += s.Share
			stages = append(stages, s.Stage)
		}
		if l.Latency.Calls != 10 || math.Abs(sum-1) > 1e-9 || !(l.OutsideRun > 0 && l.OutsideRun < 1) {
			t.Errorf("%s: %d calls, shares add up to %g, %g outside of Run", l.Mode, l.Latency.Calls, sum, l.OutsideRun)
		}
		for _, stage := range []string{"run", stageGallery, stageRest} {
			if !slices.Contains(stages, stage) {
				t.Errorf("%s: nothing is known of %q among the stages %q", l.Mode, stage, stages)
			}
		}
		if located := slices.Contains(stages, "locate"); located != (l.Mode == "image alone, located") {
			t.Errorf("%s: the stages are %v", l.Mode, stages)
		}
		if (l.LocatorRun > 0) != slices.Contains(stages, "locate") || l.Run <= 0 {
			t.Errorf("%s: Run alone takes %g and %g ms", l.Mode, l.Run, l.LocatorRun)
		}
	}
	for _, r := range res.Throughput {
		for i, c := range r.Contenders {
			if c.Median <= 0 || c.Least > c.Median || c.Most < c.Median || (i == 0 && c.Ratio != 1) {
				t.Errorf("%s: %+v", r.Mode, c)
			}
		}
		if len(r.Contenders) != 3 {
			t.Errorf("%s: %d contenders", r.Mode, len(r.Contenders))
		}
	}
}

// TestEmbedWithoutAlignment has no landmarks to compare.
func TestEmbedWithoutAlignment(t *testing.T) {
	dir := t.TempDir()
	onnxtest.Install(t, dir, onnxtest.FaceNet(1))
	var res embedResult
	benchJSON(t, &res, "embed", "--models-dir="+dir, "--calls=2", "--rounds=1", "--seconds=0.05", "--clients=2")
	if len(res.Latency) != 1 || res.Model.Locator != "" || res.Latency[0].LocatorRun != 0 {
		t.Errorf("a model that does not align: %+v", res)
	}
}

// TestNetwork identifies with both servers.
func TestNetwork(t *testing.T) {
	faces := writeFaces(t, people(distinctCrops, 1, splitTest))
	var res networkResult
	benchJSON(t, &res, "network", "--faces="+faces, "--models-dir="+testModels(t), "--rounds=2", "--seconds=0.1", "--clients=3")
	if res.Crops == 0 || len(res.Contenders) != 2 {
		t.Fatalf("incomplete: %+v", res)
	}
	for _, c := range res.Contenders {
		if !(c.Median > 0 && c.Ratio > 0) {
			t.Errorf("%+v", c)
		}
	}
}

// TestCPU accounts for all of the work, and finds the parts that cannot be missed.
func TestCPU(t *testing.T) {
	faces := writeFaces(t, people(distinctCrops, 1, splitTest))
	var res cpuResult
	benchJSON(t, &res, "cpu", "--faces="+faces, "--models-dir="+testModels(t), fmt.Sprintf("--calls=%d", times(100, 40)), "--rounds=2", "--side=192")
	if len(res.Kinds) != 4 || res.Calls != 2*times(100, 40) || res.Crops == 0 || res.Bytes == 0 {
		t.Fatalf("incomplete: %+v", res)
	}
	found := make(map[string]bool)
	for _, k := range res.Kinds {
		var outside float64
		for part, cost := range k.Parts {
			found[part] = found[part] || cost > 0
			if part != partRun {
				outside += cost
			}
		}
		if math.Abs(outside-k.Outside) > 1e-9 || k.Samples == 0 {
			t.Errorf("%s: %+v", k.Kind, k)
		}
	}
	for _, part := range []string{partRun, "decode the JPEG"} {
		if !found[part] {
			t.Errorf("nothing is known of %q: %+v", part, res.Kinds)
		}
	}
}

// TestPartOf sorts stacks; the inner functions come first.
func TestPartOf(t *testing.T) {
	for _, test := range []struct {
		part  string
		stack []string
	}{
		{"decode the JPEG", []string{"runtime.mallocgc", "image/jpeg.Decode", "rollcall/embedder/picture.Decode", "rollcall/embedder.(*Embedder).work"}},
		{partRun, []string{"runtime.cgocall", "github.com/yalue/onnxruntime_go.(*DynamicAdvancedSession).RunWithBinding", "rollcall/embedder.find.func1", "rollcall/embedder.find"}},
		{"locate, without its runs", []string{"rollcall/embedder/align.Warp", "rollcall/embedder.find.func1", "rollcall/rpc.(*api).embed"}},
		{"align", []string{"rollcall/embedder/align.Warp", "rollcall/embedder.infer", "rollcall/rpc.(*api).embed"}},
		{"rest of the embedder", []string{"rollcall/embedder.findings", "rollcall/rpc.(*api).embed"}},
		{"net/http", []string{"net.(*conn).Read", "net/http.(*conn).serve"}},
		{partOther, []string{"runtime.findRunnable", "runtime.schedule"}},
		{partOther, nil},
	} {
		s := new(profile.Sample)
		for _, name := range test.stack {
			s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
		}
		if part := partOf(s); part != test.part {
			t.Errorf("%v: %q, want %q", test.stack, part, test.part)
		}
		s.Label = map[string][]string{clientLabel: {"yes"}}
		if part := partOf(s); part != partClient {
			t.Errorf("%v of the client: %q", test.stack, part)
		}
	}
}

func TestMemory(t *testing.T) {
	asChild(t, serveWell)
	var res memoryResult
	benchJSON(t, &res, "memory", "--models-dir="+testModels(t), "--calls=6", "--clients=3", "--sessions=2")
	if len(res.States) != 3 || res.File <= 0 {
		t.Fatalf("incomplete: %+v", res)
	}
	for _, s := range res.States {
		if s.Resident < mib {
			t.Errorf("%s: %d bytes", s.After, s.Resident)
		}
	}
	if got, want := (memoryResult{File: 100 * mib}).allowed(), int64(210*mib); got != want {
		t.Errorf("a file of 100 MB may take %d bytes, want %d", got, want)
	}
}

func TestSessions(t *testing.T) {
	var res sessionsResult
	benchJSON(t, &res, "sessions", "--models-dir="+testModels(t), "--cycles=3", "--sessions=2")
	if len(res.Ways) != 3 || res.Sessions != 2 {
		t.Fatalf("incomplete: %+v", res)
	}
	for i, cycles := range []int{3, 3, 1} {
		if w := res.Ways[i]; len(w.Resident) != cycles || w.Memory.Start < mib {
			t.Errorf("%s: %+v", w.Way, w)
		}
	}
}

func TestGallery(t *testing.T) {
	for _, engine := range index.Engines {
		var res galleryResult
		benchJSON(t, &res, "gallery", "--index-engine="+engine, "--crops=203", "--crops-each=2", "--queries=20", "--writes=20", "--writers=4", "--rounds=2", "--dimension=64", "--sealed")
		if res.Sealed == nil || res.Sealed.Stats.Crops != 203 || len(res.Sealed.Costs) != len(res.Costs) {
			t.Errorf("the sealed gallery: %+v", res.Sealed)
		}
		s := res.Stats
		if s.Engine != engine || s.Crops != 203 || s.Students != 102 || s.IndexBytes == 0 || s.HeapBytes < 203*64*4 {
			t.Errorf("the gallery: %+v", s)
		}
		calls := 0
		for _, c := range res.Costs {
			calls += c.Latency.Calls
			if c.Latency.Calls%2 != 0 || !(c.Latency.Median > 0) || !(c.Rate > 0) || !(c.Allocations > 0) {
				t.Errorf("%s: %+v", c.Call, c)
			}
			// One writer shares fsyncs with nobody. (Pebble may sync for itself meanwhile.)
			changes := strings.HasSuffix(c.Call, "a crop")
			if changes && (c.Written < 100 || c.AtOnce == 1 && c.Syncs < 1) {
				t.Errorf("%s: %g bytes written, %g fsyncs", c.Call, c.Written, c.Syncs)
			}
		}
		// In two rounds: six kinds of questions, a roll call, three kinds of changes, a start and a check.
		if want := 2 * (6*20 + 1 + 2*20 + 80 + 2); calls != want {
			t.Errorf("%d calls, want %d", calls, want)
		}
		if res.Beside.Calls > 0 && res.LongestWait < res.Beside.P99 {
			t.Errorf("beside the check: %+v, longest %g", res.Beside, res.LongestWait)
		}
	}
}

// TestGalleries measures few small galleries: a gallery of students takes more than an empty
// one, and all of them are there after each start.
func TestGalleries(t *testing.T) {
	var res galleriesResult
	benchJSON(t, &res, "galleries", "--galleries=5", "--students=40", "--dimension=64", "--rounds=2")
	if len(res.Rows) != 2 {
		t.Fatalf("%+v", res)
	}
	full, empty := res.Rows[0], res.Rows[1]
	if full.Students != 40 || empty.Students != 0 || full.Use.Calls != 10 || full.Delete.Calls != 5 || full.Start <= 0 || full.Bytes <= empty.Bytes {
		t.Errorf("%+v and %+v", full, empty)
	}
}

// TestGalleryWrong expects other answers than the gallery gives.
func TestGalleryWrong(t *testing.T) {
	b := newGalleryRun(&galleryOptions{crops: 4, cropsEach: 1, dimension: 64, engine: gallery.DefaultEngine}, t.TempDir(), nil)
	defer b.close()
	if err := b.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.fill(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	p := gallery.Probe{Embedding: b.embedding(b.vectors[2])}
	for student, right := range map[string]bool{studentID(2): true, studentID(1): false} {
		if err := b.identify(p, gallery.Match, student)(t.Context()); (err == nil) != right {
			t.Errorf("expecting %s: %v", student, err)
		}
	}
	if err := b.gallery.DeleteCrop(t.Context(), cropID(3)); err != nil {
		t.Fatal(err)
	}
	checks, err := b.checks(nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, checks[0](t.Context()), "differ")
}

// TestTables runs a bench for people.
func TestTables(t *testing.T) {
	out, err := runBench(t, "gallery", "--crops=60", "--queries=5", "--writes=5", "--writers=2", "--rounds=1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"machine ", "--crops=60", "stranger, in a class", "beside CheckConsistency"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestBadFlags(t *testing.T) {
	folder := writeFaces(t, people(1, 1, splitTest))
	faces := "--faces=" + folder
	for _, test := range []struct {
		bench string
		args  []string
		says  string
	}{
		{"eval", nil, "needs the folder"},
		{"eval", []string{folder, "--split=all"}, "--split"},
		{"eval", []string{folder, "--students=-1"}, "--students"},
		{"eval", []string{folder, "--fpir=0"}, "--fpir"},
		{"eval", []string{folder, "--fpir=NaN"}, "--fpir"},
		{"eval", []string{folder, "--grow=-0.1"}, "--grow"},
		{"eval", []string{folder, "--shift=NaN"}, "--shift"},
		{"eval", []string{folder, "--turn=200"}, "--turn"},
		{"eval", []string{folder, "--output=xml"}, "--output"},
		{"eval", []string{folder, "--split=train", "--models-dir=" + testModels(t)}, facesTable},
		{"against", []string{faces}, "--against or --against-name is missing"},
		{"against", []string{faces, "--against-contract=c.json"}, "--against or --against-name is missing"},
		{"against", []string{"--against-name=a"}, "--faces is missing"},
		{"against", []string{faces, "--against-name=a", "--rosters=0"}, "--rosters"},
		{"against", []string{faces, "--against-name=a", "--students=-1"}, "--students"},
		{"against", []string{faces, "--against-name=a", "--margin=NaN"}, "--margin"},
		{"detect", nil, "--faces is missing"},
		{"rollcall", nil, "--faces is missing"},
		{"rollcall", []string{faces, "--photos=0"}, "--photos"},
		{"rollcall", []string{faces, "--present=31"}, "--present"},
		{"rollcall", []string{faces, "--fpir=1"}, "--fpir"},
		{"burst", nil, "--faces is missing"},
		{"burst", []string{faces, "--frames=11"}, "--frames"},
		{"burst", []string{faces, "--rosters=0"}, "--rosters"},
		{"detect", []string{faces, "--photos=0"}, "--photos"},
		{"detect", []string{faces, "--rounds=0"}, "--rounds"},
		{"detect", []string{faces, "--megapixels=12,25"}, "--megapixels"},
		{"detect", []string{faces, "--least-size=NaN"}, "--least-size"},
		{"detect", []string{faces, "--output=xml"}, "--output"},
		{"embed", []string{"--clients=0"}, "--clients"},
		{"embed", []string{"--seconds=NaN"}, "--seconds"},
		{"cpu", []string{"--side=0"}, "--side"},
		{"load", []string{"--clients=0"}, "--clients"},
		{"load", []string{"--output=xml"}, "--output"},
		{"sessions", []string{"--cycles=0"}, "--cycles"},
		{"gallery", []string{"--writers=0"}, "--writers"},
		{"galleries", []string{"--students=0"}, "--students"},
		{"crash", []string{"--kills=0"}, "--for"},
		{"crash", []string{"--clients=0"}, "--clients"},
		{"crash", []string{"--dying-server=d"}, "--die-at"},
		{"gallery", []string{"--crops-each=0"}, "--crops-each"},
		{"gallery", []string{"--dimension=8"}, "--dimension"},
		{"gallery", []string{"--crops=10", "--index-engine=none"}, "none"},
	} {
		t.Run(fmt.Sprint(test.bench, test.args), func(t *testing.T) {
			out, err := runBench(t, test.bench, test.args...)
			wantError(t, err, test.says)
			if out != "" {
				t.Errorf("it printed %q", out)
			}
		})
	}
}

// TestLocator measures the test locator, which finds the markers of drawn faces.
func TestLocator(t *testing.T) {
	crops := 2 * times(20, 4)
	faces := writeFaces(t, people(crops/2, 2, splitTest))
	var res locatorResult
	benchJSON(t, &res, "locator", "--faces="+faces, "--models-dir="+testModels(t))
	if res.Crops != crops || res.Locator == "" || res.NotFound.Of != crops || res.Mistaken.Of != res.Patches {
		t.Fatalf("%+v", res)
	}
	// It knows the markers by their colours, which the grey crops have lost.
	if res.Landmarks.Mean <= 0 || res.Landmarks.Mean > 0.3 || res.AUC < 0.5 {
		t.Errorf("landmark errors %+v, AUC %g", res.Landmarks, res.AUC)
	}
}

// TestSplits reads every split of a folder.
func TestSplits(t *testing.T) {
	all := append(people(4, 1, splitTest), people(16, 1, splitTrain)...)
	dir := writeFaces(t, all)
	for split, want := range map[string]int{splitTest: 4, splitTrain: 16, splitValidation: 2} { // p0007 and p0017
		faces, err := readFaces(dir, split)
		if err != nil || len(faces) != want {
			t.Errorf("%s: %d faces, %v; want %d", split, len(faces), err, want)
		}
	}
}

// TestConditions runs every deformation with drawn faces. What becomes of them only real ones tell.
func TestConditions(t *testing.T) {
	students, strangers := times(5, 2), times(4, 2)
	crops := 3*students + strangers
	faces := writeFaces(t, append(people(students, 3, splitTest), people(strangers, 1, splitTest)...))
	var res conditionsResult
	benchJSON(t, &res, "conditions", "--faces="+faces, "--models-dir="+testModels(t), fmt.Sprintf("--students=%d", students))
	if len(res.Conditions) != len(deformations()) || res.Crops != crops || res.Students != students || len(res.Several) != 2 {
		t.Fatalf("incomplete: %+v", res)
	}
	up := res.Conditions[0]
	if up.Usable.Count < crops-2 || up.CleanRank1.Share < 0.9 || up.Clean.Probes != 2*students || up.Alike.Probes != 2*students || up.CleanStrangers.Probes != strangers || up.Clean != up.Alike {
		t.Errorf("upright: %+v", up)
	}
	for _, c := range res.Conditions[1:] {
		if c.Usable.Of != crops || c.CleanStrangers.Probes != strangers {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
}

// TestQuality: without dropping, all orders miss the same; the best possible order misses no more than any
// other. A fit to drawn faces takes nothing but from the score.
func TestQuality(t *testing.T) {
	students := times(8, 3)
	faces := writeFaces(t, append(append(people(students, 3, splitTest), people(4, 1, splitTest)...), people(20, 3, splitTrain)...))
	dir := "--models-dir=" + testModels(t)
	var res qualityResult
	benchJSON(t, &res, "quality", "--faces="+faces, dir, fmt.Sprintf("--students=%d", students))
	if len(res.Rates) != 2 || len(res.Limits) != 3 || res.Pictures != 3*students+4 {
		t.Fatalf("incomplete: %+v", res)
	}
	for _, at := range res.Rates {
		for _, rate := range at.Rates {
			best := rate.Orders[len(rate.Orders)-1]
			for _, order := range rate.Orders {
				for i, v := range order.FNIR {
					if i == 0 && v != best.FNIR[0] || v < best.FNIR[i] || v > 1 {
						t.Errorf("%s by %s: %v, best %v", rate.Probes, order.By, order.FNIR, best.FNIR)
					}
				}
			}
		}
	}
	var fit qualityFit
	benchJSON(t, &fit, "quality", "--faces="+faces, dir, "--split=train", "--fit")
	if fit.Crops == 0 || fit.Crops > 2*20*3 {
		t.Errorf("fitted to %d crops", fit.Crops)
	}
	for i, w := range fit.Weights {
		if !(w <= 0) {
			t.Errorf("term %d adds %v", i, w)
		}
	}
}

// TestFitQuality: weights by which similarities were made are found again.
func TestFitQuality(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 0))
	want := []float64{0.5, -1.5, -0.3}
	used := []int{2, 7}
	rows := make([]embedder.Terms, 500)
	wanted := make([]float64, len(rows))
	for i := range rows {
		rows[i][2], rows[i][7] = rng.Float64(), 3*rng.Float64()
		wanted[i] = 1 / (1 + math.Exp(-(want[0] + want[1]*rows[i][2] + want[2]*rows[i][7])))
	}
	for i, w := range fitLogistic(rows, wanted, used) {
		if math.Abs(w-want[i]) > 0.01 {
			t.Errorf("weight %d is %v, want %v", i, w, want[i])
		}
	}
}

// TestUnlike: drawn faces are told apart, so wrong crops are refused and right ones are not.
func TestUnlike(t *testing.T) {
	faces := writeFaces(t, append(people(12, 4, splitTest), people(3, 1, splitTest)...))
	var res unlikeResult
	benchJSON(t, &res, "unlike", "--faces="+faces, "--models-dir="+testModels(t), "--students=12")
	if len(res.Rows) != 2*mostOwn {
		t.Fatalf("rows: %+v", res.Rows)
	}
	for _, row := range res.Rows {
		for i, r := range append(row.Rules, row.Gallery) {
			if r.Right.Of < unlikeTries || r.Right.Of != r.Student.Of || r.Right.Of != r.Strangers.Of {
				t.Errorf("%d students, rule %d: %+v", row.Students, i, r)
			}
			if r.Right.Share > 0.1 || r.Student.Share < 0.9 || r.Strangers.Share < 0.7 {
				t.Errorf("%d students with %d crops, rule %d: %v", row.Students, row.Own, i, r)
			}
		}
	}
}

// TestEvalMirrored measures what the mean with the mirror image brings beside the server's way.
func TestEvalMirrored(t *testing.T) {
	faces := writeFaces(t, people(8, 3, splitTest))
	var res evalResult
	benchJSON(t, &res, "eval", faces, "--models-dir="+testModels(t), "--students=7", "--mirror")
	if len(res.Ways) != 6 || res.Ways[1].Way != "none mirrored" {
		t.Fatalf("%d ways: %+v", len(res.Ways), res.Ways)
	}
	// The test model's contract mirrors nothing, so without the mirror image it is the server's way.
	plain, all := res.Ways[1], res.Ways[3]
	if plain.Rank1 != res.Ways[0].Rank1 || plain.FNIR != res.Ways[0].FNIR {
		t.Errorf("none mirrored: %v, the server's: %v", plain.Rank1, res.Ways[0].Rank1)
	}
	if all.Verification != nil && plain.Verification != nil && all.Verification[0] == plain.Verification[0] {
		t.Error("the mirror image changes no similarity")
	}
}

// TestDuplicates: every person again, of whom models that are nearly perfect on these faces
// should refuse most, and nobody else.
func TestDuplicates(t *testing.T) {
	faces := writeFaces(t, append(people(14, 3, splitTest), people(9, 1, splitTest)...))
	var res duplicatesResult
	benchJSON(t, &res, "duplicates", "--faces="+faces, "--models-dir="+testModels(t), "--students=10", "--rosters=3")
	if res.Students != 10 || res.Refused.Of != 30 || res.Wrongly.Of == 0 || len(res.Hindsight) != 5 {
		t.Fatalf("incomplete: %+v", res)
	}
	if res.Refused.Share < 0.5 || res.Wrongly.Share > 0.5 || res.Named.Share < 0.9 {
		t.Errorf("%+v", res)
	}
	_, err := runBench(t, "duplicates", "--faces="+faces, "--models-dir="+testModels(t), "--students=15")
	wantError(t, err, "only 14 people")
}
