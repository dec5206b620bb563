package turns

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// backwards is an index that answers with the last vectors that it was given, last first,
// and writes down what it was asked.
type backwards struct {
	stored int
	asked  *[]float32 // the first component of each query
}

func (b *backwards) Add(vectors [][]float32) error { b.stored = len(vectors); return nil }

func (b *backwards) Search(query []float32, k int) ([]int, error) {
	*b.asked = append(*b.asked, query[0])
	var ids []int
	for id := b.stored - 1; len(ids) < k && id >= 0; id-- {
		ids = append(ids, id)
	}
	return ids, nil
}

// write makes a file of vectors.
func write(t *testing.T, vectors []float32) string {
	t.Helper()
	data, err := binary.Append(nil, binary.LittleEndian, vectors)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "vectors")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRun(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = rng.Float32()
		}
		return v
	}
	const dim, stored = 3, 25
	queries := random(4 * dim)
	args := []string{write(t, random(stored*dim)), write(t, queries), "3"}
	var out bytes.Buffer
	var asked []float32
	var made []*backwards
	err := run(args, strings.NewReader("call\nadd\nanswers 3\nsearch 0\n"), &out, func(dim int) (Index, error) {
		made = append(made, &backwards{asked: &asked})
		return made[len(made)-1], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 2 || made[0].stored != hits || made[1].stored != stored {
		t.Errorf("it filled %d indexes: %+v", len(made), made)
	}
	var call, search turn
	var added float64
	var answers [][]int
	lines := json.NewDecoder(&out)
	for _, to := range []any{&call, &added, &answers, &search} {
		if err := lines.Decode(to); err != nil {
			t.Fatal(err)
		}
	}
	if call.Median <= 0 || call.Mean <= 0 || added < 0 || search.Median < 0 || search.Mean <= 0 {
		t.Errorf("a call %+v, adding %g, a search %+v", call, added, search)
	}
	want := []int{24, 23, 22, 21, 20, 19, 18, 17, 16, 15}
	if len(answers) != 3 {
		t.Errorf("%d answers", len(answers))
	}
	for _, got := range answers {
		if !slices.Equal(got, want) {
			t.Errorf("hits %v, want %v", got, want)
		}
	}
	// Turns go on with the query where the last one ended.
	first := func(q int) float32 { return queries[q%4*dim] }
	turns := asked[:len(asked)-3-leastSearches]
	for q, got := range append(slices.Clone(turns), asked[len(asked)-leastSearches:]...) {
		if got != first(q) {
			t.Fatalf("search %d asked for another query than the one that follows", q)
		}
	}
}

func TestRunErrors(t *testing.T) {
	good := write(t, []float32{1, 0, 0, 1})
	for _, test := range []struct{ gallery, queries, dim, command, says string }{
		{good, good, "two", "", "dimension"},
		{good, "none", "2", "", "none"},
		{"none", good, "2", "add", "none"},
		{good, good, "2", "ad", "ad: there is no such command"},
		{good, good, "2", "search soon", "soon"},
	} {
		err := run([]string{test.gallery, test.queries, test.dim}, strings.NewReader(test.command+"\n"), &bytes.Buffer{}, func(int) (Index, error) {
			return &backwards{asked: new([]float32)}, nil
		})
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v, want %q", test.command, err, test.says)
		}
	}
}
