// Package turns is the Go side of bench/peers: it makes an index a program that measures
// itself when it is told to, so that programs in several languages can take turns.
//
// contender.py is the Python side, and index.py tells both what to do.
package turns

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Index stores vectors and finds the nearest. It need not be safe for concurrent use.
type Index interface {
	// Add stores vectors, [dim]float32 of unit length each. The ID of a vector is its
	// place in vectors. It is called once, and may keep what it was given.
	Add(vectors [][]float32) error
	// Search returns the IDs of the k vectors that are the most similar to query,
	// [dim]float32 of unit length, best first.
	Search(query []float32, k int) ([]int, error)
}

// A ManyIndex answers many queries in one call too.
type ManyIndex interface {
	Index
	// SearchMany does what Search does, for all queries in one call.
	SearchMany(queries [][]float32, k int) error
}

const (
	// hits is how many hits every search asks for, here and in contender.py.
	hits = 10

	// callSeconds is how long the cost of a call is measured.
	callSeconds = 0.2

	// leastSearches is how many searches a turn has, however slow they are.
	leastSearches = 5
)

// Main is the main function of a program that takes part. Its last three arguments are two
// files of vectors (little-endian float32), the gallery and the queries, and the dimension.
// It reads commands from the standard input, one a line, and answers each with a line of
// JSON. It ends with its input, or at the first error.
func Main(newIndex func(dim int) (Index, error)) {
	if err := run(os.Args[len(os.Args)-3:], os.Stdin, os.Stdout, newIndex); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(1)
	}
}

// A contender is an index in a comparison.
type contender struct {
	newIndex func(dim int) (Index, error)
	gallery  string // the file
	dim      int
	index    Index // with the gallery; nil before add
	queries  [][]float32
	next     int // the query that the next turn begins with
}

func run(args []string, in io.Reader, out io.Writer, newIndex func(dim int) (Index, error)) error {
	dim, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("the dimension: %w", err)
	}
	c := &contender{newIndex: newIndex, gallery: args[0], dim: dim}
	if c.queries, err = read(args[1], dim); err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer, err := c.do(strings.Fields(lines.Text()))
		if err != nil {
			return fmt.Errorf("%s: %w", lines.Text(), err)
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

func (c *contender) do(command []string) (any, error) {
	switch {
	case len(command) == 1 && command[0] == "add":
		return c.add()
	case len(command) == 1 && command[0] == "call":
		return c.call()
	case len(command) == 2 && command[0] == "answers":
		count, err := strconv.Atoi(command[1])
		if err != nil {
			return nil, err
		}
		return c.answers(c.queries[:min(count, len(c.queries))])
	case len(command) == 2 && command[0] == "search":
		seconds, err := strconv.ParseFloat(command[1], 64)
		if err != nil {
			return nil, err
		}
		return c.turn(c.index, seconds)
	case len(command) == 1 && command[0] == "batch":
		return c.batch()
	}
	return nil, fmt.Errorf("there is no such command")
}

// add fills the index, and returns how many seconds that took, without reading the file.
func (c *contender) add() (took float64, err error) {
	c.index, took, err = c.fill(math.MaxInt)
	debug.FreeOSMemory() // so that what is left is the index
	return took, err
}

// call measures a search among no more vectors than it returns: what any call costs.
func (c *contender) call() (turn, error) {
	index, _, err := c.fill(hits)
	if err != nil {
		return turn{}, err
	}
	return c.turn(index, callSeconds)
}

// fill returns an index with the gallery's vectors, or with so many of them, and how many
// seconds it took to add them.
func (c *contender) fill(most int) (Index, float64, error) {
	rows, err := read(c.gallery, c.dim)
	if err != nil {
		return nil, 0, err
	}
	start := time.Now()
	index, err := c.newIndex(c.dim)
	if err != nil {
		return nil, 0, err
	}
	err = index.Add(rows[:min(most, len(rows))])
	return index, time.Since(start).Seconds(), err
}

// answers returns the hits of queries.
func (c *contender) answers(queries [][]float32) ([][]int, error) {
	all := make([][]int, len(queries))
	for q, query := range queries {
		var err error
		if all[q], err = c.index.Search(query, hits); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// A turn is how many seconds a search took in one turn of searches.
type turn struct {
	Median float64 `json:"median"`
	Mean   float64 `json:"mean"`
}

// turn searches for so many seconds, one query after the other.
func (c *contender) turn(index Index, seconds float64) (turn, error) {
	var times []float64
	start := time.Now()
	for now := start; len(times) < leastSearches || now.Sub(start).Seconds() < seconds; {
		if _, err := index.Search(c.queries[c.next], hits); err != nil {
			return turn{}, err
		}
		c.next = (c.next + 1) % len(c.queries)
		end := time.Now()
		times = append(times, end.Sub(now).Seconds())
		now = end
	}
	mean := time.Since(start).Seconds() / float64(len(times))
	debug.FreeOSMemory() // so that it collects no garbage in the turn of another
	slices.Sort(times)
	return turn{Median: times[len(times)/2], Mean: mean}, nil
}

// batch returns the seconds that a query takes, where all are asked in one call.
func (c *contender) batch() (float64, error) {
	index, ok := c.index.(ManyIndex)
	if !ok {
		return 0, errors.New("this index answers one query at a time")
	}
	start := time.Now()
	err := index.SearchMany(c.queries, hits)
	took := time.Since(start).Seconds() / float64(len(c.queries))
	debug.FreeOSMemory() // so that it collects no garbage in the turn of another
	return took, err
}

// read returns the vectors of a file.
func read(name string, dim int) ([][]float32, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	all := make([]float32, len(data)/4)
	if _, err := binary.Decode(data, binary.LittleEndian, all); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return slices.Collect(slices.Chunk(all, dim)), nil
}
