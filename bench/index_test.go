package bench

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"rollcall/index"
)

// indexRows runs "bench index" and returns its rows.
func indexRows(t *testing.T, args ...string) []indexRow {
	t.Helper()
	var found indexResult
	benchJSON(t, &found, "index", append(args, "--rounds=2", "--read-mib=1")...)
	return found.Rows
}

func TestIndex(t *testing.T) {
	processors := runtime.GOMAXPROCS(0)
	rows := indexRows(t, "--engine=exact,hnsw,coder-hnsw", "--students=60", "--crops=4", "--dimension=48", "--queries-count=50", "--scope=20", "--during-build=300")
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, engine := range []string{"exact", "hnsw", "coder-hnsw"} {
		row := rows[i]
		if row.Engine != engine || row.N != 240 || row.Dim != 48 || row.Queries != 50 {
			t.Errorf("row %d: %+v", i, row)
		}
		if row.ExactRecall10 != 1 || row.Scope.Recall1 != 1 || row.Scope.Size != 20 {
			t.Errorf("%s: recall of exact answers is %g, in the scope %g", engine, row.ExactRecall10, row.Scope.Recall1)
		}
		if d := row.DuringBuild; d.Inserted != 300 || d.InsertRate <= 0 || d.IdleP99 <= 0 || d.P99 < d.P50 {
			t.Errorf("%s: during the insertion: %+v", engine, d)
		}
		// float32 alone are 192 bytes.
		for name, figure := range map[string]float64{
			"p50": row.P50, "p99": row.P99, "qps_1": row.QPS1, "qps_2": row.QPS2, "exact_p50": row.ExactP50, "many": row.Many, "build": row.Build,
			"build_2": row.Build2, "bytes": row.BytesPerVector - 191, "read": row.ReadGB, "exact_gb": row.ExactGB, "scope": row.Scope.P50,
		} {
			if !(figure > 0) {
				t.Errorf("%s: %s is %g", engine, name, figure)
			}
		}
	}
	if exact := rows[0]; exact.Recall1 != 1 || exact.Recall10 != 1 || exact.ExactShare != 1 {
		t.Errorf("the exact engine's recall is %g and %g, %g of its answers are exact", exact.Recall1, exact.Recall10, exact.ExactShare)
	}
	if now := runtime.GOMAXPROCS(0); now != processors {
		t.Errorf("it leaves %d processors, there were %d", now, processors)
	}
}

// TestIndexFields are the names that scripts rely on.
func TestIndexFields(t *testing.T) {
	var found struct{ Rows []map[string]any }
	benchJSON(t, &found, "index", "--engine=exact", "--students=20", "--crops=1", "--dimension=16", "--queries-count=5", "--rounds=1", "--read-mib=1", "--scope=0")
	rows := found.Rows
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, name := range []string{
		"engine", "n", "dim", "recall_at_1", "recall_at_10", "exact_share", "exact_recall_at_10", "p50_us", "p99_us", "many_us",
		"qps_1", "qps_2", "build_s", "build_2_s", "bytes_per_vector", "read_gb_s",
	} {
		if rows[0][name] == nil {
			t.Errorf("%s is missing in %v", name, rows[0])
		}
	}
	for _, name := range []string{"scope", "during_build"} {
		if rows[0][name] != nil {
			t.Errorf("%s was not asked for: %v", name, rows[0])
		}
	}
}

// TestIndexFiles measures files with the vectors that it generates for the same options, and
// finds the same.
func TestIndexFiles(t *testing.T) {
	g, q := generate(rand.New(rand.NewPCG(1, 0)), 300, 2, 40, 16)
	gallery, queries := writeVectors(t, g.data, 0), writeVectors(t, q.data, 0)
	made := indexRows(t, "--engine=hnsw", "--students=300", "--crops=2", "--dimension=16", "--queries-count=40")
	read := indexRows(t, "--engine=hnsw", "--dimension=16", "--gallery="+gallery, "--queries="+queries)
	part := indexRows(t, "--engine=exact", "--dimension=16", "--gallery="+gallery, "--queries="+queries, "--queries-count=7", "--in-order")
	if made[0].N != 600 || read[0].N != 600 || read[0].Recall10 != made[0].Recall10 || read[0].Queries != 40 || part[0].Queries != 7 {
		t.Errorf("made %+v, read %+v, a part %+v", made[0], read[0], part[0])
	}
}

func TestIndexTables(t *testing.T) {
	out, err := runBench(t, "index", "--students=30", "--dimension=32", "--queries-count=10", "--rounds=1", "--read-mib=1", "--during-build=50")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"machine ", "--students=30", "10 nearest of 150 vectors of 32 components, 10 queries", "1.0000", "hnsw", "bytes a vector", "within a scope of 30", "while 50 vectors are inserted", "GB/s"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestIndexBadFlags(t *testing.T) {
	good := writeVectors(t, []float32{1, 0, 0, 1}, 0)
	files := []string{"--gallery=" + good, "--queries=" + good, "--dimension=2"}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--gallery=" + good}, "--queries"},
		{[]string{"--queries=" + good}, "--gallery"},
		{append(files, "--students=5"), "--students"},
		{append(files, "--crops=5"), "--crops"},
		{append(files, "--dimension=3"), "--dimension"},
		{append(files, "--queries=none"), "none"},
		{[]string{"--dimension=0"}, "--dimension"},
		{[]string{"--dimension=65537"}, "--dimension"},
		{[]string{"--students=0"}, "--students"},
		{[]string{"--students=2000000000", "--crops=2000000000"}, "more than"},
		{[]string{"--rounds=0"}, "--rounds"},
		{[]string{"--read-mib=0"}, "--read-mib"},
		{[]string{"--queries-count=0"}, "--queries-count"},
		{[]string{"--scope=-1"}, "--scope"},
		{[]string{"--during-build=-1"}, "--during-build"},
		{[]string{"--engine=exact,hnws"}, `"hnws"`},
		{[]string{"--engine="}, "--engine"},
		{[]string{"--engine=auto"}, `"auto"`},
		{[]string{"--output=xml"}, "--output"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			out, err := runBench(t, "index", test.args...)
			wantError(t, err, test.says)
			if out != "" {
				t.Errorf("it printed %q", out)
			}
		})
	}
}

// writeVectors makes a file of vectors in which the last cut bytes are missing.
func writeVectors(t *testing.T, data []float32, cut int) string {
	t.Helper()
	bytes, err := binary.Append(nil, binary.LittleEndian, data)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "vectors")
	if err := os.WriteFile(name, bytes[:len(bytes)-cut], 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestReadVectorsBad(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		name string
		data []float32
		cut  int // bytes missing at the end
		says string
	}{
		{name: "empty", says: "0 bytes"},
		{name: "torn", data: []float32{1, 0, 0, 1}, cut: 1, says: "15 bytes"},
		{name: "of another dimension", data: []float32{1, 0, 0}, says: "12 bytes"},
		{name: "NaN", data: []float32{1, 0, nan, 1}, says: "vector 1"},
		{name: "infinite", data: []float32{float32(math.Inf(1)), 0}, says: "vector 0"},
		{name: "zero", data: []float32{0, 1, 0, 0}, says: "vector 1"},
		{name: "too long", data: []float32{0, 1.001}, says: "vector 0"},
		{name: "too short", data: []float32{0, 0.999}, says: "vector 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := writeVectors(t, test.data, test.cut)
			_, err := readVectors(name, 2)
			wantError(t, err, test.says)
			wantError(t, err, name)
		})
	}
	if _, err := readVectors(filepath.Join(t.TempDir(), "none"), 2); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestGenerate(t *testing.T) {
	generated := func(seed uint64) (gallery, queries vectors) {
		return generate(rand.New(rand.NewPCG(seed, 0)), 50, 4, 100, 256)
	}
	gallery, queries := generated(1)
	again, _ := generated(1)
	other, _ := generated(2)
	if !slices.Equal(gallery.data, again.data) || slices.Equal(gallery.data, other.data) {
		t.Error("the vectors do not follow from the seed")
	}
	if gallery.len() != 200 || queries.len() != 100 {
		t.Fatalf("%d vectors, %d queries", gallery.len(), queries.len())
	}
	var same, different []float64
	for i := range gallery.len() {
		if !isUnit(gallery.at(i)) {
			t.Errorf("vector %d is not of unit length", i)
		}
		for j := range i {
			if s := float64(dot(gallery.at(i), gallery.at(j))); i/4 == j/4 {
				same = append(same, s)
			} else {
				different = append(different, s)
			}
		}
	}
	if s, d := mean(same), mean(different); math.Abs(s-1/1.64) > 0.02 || math.Abs(d) > 0.01 {
		t.Errorf("crops of a student have a similarity of %g, those of two of %g", s, d)
	}
	for q := range queries.len() {
		best := 0.
		for i := range gallery.len() {
			best = max(best, float64(dot(queries.at(q), gallery.at(i))))
		}
		if best < 0.4 {
			t.Errorf("query %d is near nobody: %g", q, best)
		}
	}
}

// TestRightAnswers sorts all similarities, the simple way to know the best.
func TestRightAnswers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	for range 30 {
		n, dim := 1+rng.IntN(40), 1+rng.IntN(20)
		gallery, queries := generate(rng, n, 1, 1+rng.IntN(9), dim)
		for i := range n / 3 { // equal ones
			copy(gallery.at(rng.IntN(n)), gallery.at(i))
		}
		right, err := newRightAnswers(t.Context(), gallery, gallery, queries)
		if err != nil {
			t.Fatal(err)
		}
		for q := range queries.len() {
			similarity := func(i int) (sum float64) {
				for j, x := range gallery.at(i) {
					sum += float64(x) * float64(queries.at(q)[j])
				}
				return sum
			}
			order := rng.Perm(n)
			slices.SortFunc(order, func(a, b int) int { return cmp.Compare(similarity(b), similarity(a)) })
			for k := 1; k <= searchK; k++ {
				of := min(k, n)
				// Some of the best, in any order, then wrong ones.
				good := rng.IntN(of + 1)
				var hits []index.Hit
				for _, at := range rng.Perm(good) {
					hits = append(hits, index.Hit{ID: index.ID(order[at])})
				}
				wrong := 0
				for _, i := range order {
					if len(hits) < k && similarity(i) < similarity(order[of-1])-1e-4 {
						hits = append(hits, index.Hit{ID: index.ID(i)})
						wrong++
					}
				}
				if got, gotOf := right.recall(q, hits, k); got != good || gotOf != of {
					t.Fatalf("%d of %d vectors: %d right and %d wrong hits count as %d of %d", k, n, good, wrong, got, gotOf)
				}
				if good > 0 { // one hit many times is one hit
					twice := slices.Repeat(hits[:1], k)
					if got, _ := right.recall(q, twice, k); got != 1 {
						t.Fatalf("the same hit %d times counts as %d", k, got)
					}
				}
			}
			if got, _ := right.recall(q, []index.Hit{{ID: index.ID(n)}}, 1); got != 0 {
				t.Fatal("a vector that does not exist is right")
			}
		}
	}
}

// TestRightAnswersInside takes only vectors of a scope for right.
func TestRightAnswersInside(t *testing.T) {
	gallery := vectors{2, []float32{1, 0, 0.6, 0.8, 0, 1}}
	query := vectors{2, []float32{1, 0}}
	inside := vectors{2, gallery.data[2:]}
	right, err := newRightAnswers(t.Context(), gallery, inside, query)
	if err != nil {
		t.Fatal(err)
	}
	if right, of := right.recall(0, []index.Hit{{ID: 1}}, 1); right != 1 || of != 1 {
		t.Errorf("the nearest in the scope: %d of %d", right, of)
	}
	if right, _ := right.recall(0, []index.Hit{{ID: 2}}, 1); right != 0 {
		t.Error("the second is taken for the nearest")
	}
}
