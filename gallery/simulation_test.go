package gallery

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/storage"
)

var (
	oneSeed   = flag.Int64("seed", -1, "replay this history of TestSimulation alone, and print it")
	histories = flag.Int("histories", 400, "how many histories TestSimulation runs")
)

// TestSimulation runs histories: random edits and searches by several callers at
// once, on a disk that is slow, fails before or after it has stored, or is full,
// with galleries closed and opened in between. One scheduler lets one thing happen
// at a time and knows what the gallery must hold after it; it compares all of it.
//
// A history follows from its seed, so a failure is replayed with -seed; a long run
// is -histories 100000.
func TestSimulation(t *testing.T) {
	if *oneSeed >= 0 {
		if err := simulate(t, uint64(*oneSeed), t.Logf); err != nil {
			t.Fatal(err)
		}
		return
	}
	start := time.Now()
	for seed := range uint64(*histories) {
		if err := simulate(t, seed, func(string, ...any) {}); err != nil {
			t.Fatalf("%v\nreplay: go test ./gallery -run 'TestSimulation$' -v -seed %d", err, seed)
		}
	}
	t.Logf("%d histories, %.0f a minute", *histories, float64(*histories)/time.Since(start).Minutes())
}

// The same seed is the same history, or no failure could be replayed.
func TestSimulationReplays(t *testing.T) {
	for seed := range uint64(20) {
		var runs [2]strings.Builder
		for i := range runs {
			err := simulate(t, seed, func(format string, args ...any) { fmt.Fprintf(&runs[i], format+"\n", args...) })
			if err != nil {
				t.Fatal(err)
			}
		}
		if runs[0].String() != runs[1].String() {
			t.Fatalf("seed %d is two histories:\n%s\n\n%s", seed, &runs[0], &runs[1])
		}
	}
}

// simulate runs the history of a seed, in a bubble where time stands still unless
// everybody sleeps.
func simulate(t *testing.T, seed uint64, logf func(string, ...any)) (err error) {
	bubble(t, func(*testing.T) {
		s := newSimulation(seed, logf)
		if err = s.run(); err != nil {
			err = fmt.Errorf("seed %d, step %d: %w", seed, s.step, err)
			s.abandon()
		}
	})
	return err
}

// simulation is one history. Its methods run in the scheduler; everything else
// waits while they do.
type simulation struct {
	rng   *rand.Rand
	logf  func(string, ...any)
	step  int
	calls int // so far

	disk   *heldDisk
	store  *storage.Store
	faulty float64 // share of the commits that fail
	haste  int     // of the disk: how often, in a hundred steps, a commit goes on

	g       *Gallery // nil: closed
	closing *call    // waits for the commit that is under way
	opening *call
	checks  []*call // consistency checks under way

	o       *oracle // what the gallery holds: what every search must see
	seq     uint64  // of its last change
	next    *oracle // what it will hold when the batch is stored
	changes uint64  // in the commit that is at the disk
	batch   []*call // in the commit that is at the disk
	alone   []*call // of a batch that the full disk refused: each is a commit of its own now
	queue   []*call // edits that wait for their turn, in order
}

func newSimulation(seed uint64, logf func(string, ...any)) *simulation {
	s := &simulation{
		rng:  rand.New(rand.NewPCG(seed, 22)),
		logf: logf,
		disk: &heldDisk{at: make(chan stage, 1), goOn: make(chan error)},
		o:    newOracle(Settings{FPIR: 0.01, Margin: DefaultMargin}),
	}
	s.faulty = []float64{0, 0.05, 0.2, 0.5}[s.rng.IntN(4)]
	s.haste = []int{10, 30, 60}[s.rng.IntN(3)]
	s.store = storage.OpenMemory(storage.Faults{BeforeCommit: s.disk.stop(before), AfterCommit: s.disk.stop(after)})
	return s
}

// stage is where a commit is held.
type stage string

const (
	nowhere stage = ""
	before  stage = "before it is stored"
	after   stage = "after it was stored"
)

// heldDisk holds each commit, before and after it is stored, until the scheduler
// lets it go on.
type heldDisk struct {
	at   chan stage // where a commit has come
	goOn chan error // what the commit returns; nil: it goes on

	held stage // the scheduler's: where one is held
}

func (d *heldDisk) stop(at stage) func() error {
	return func() error {
		d.at <- at
		return <-d.goOn
	}
}

// call is something that somebody has asked of the gallery.
type call struct {
	id     int
	name   string
	cancel context.CancelFunc
	done   chan struct{} // closed when the gallery has answered
	err    error

	// Of an edit. Decide makes it on what the oracle has, and returns whether it
	// changes anything, and the error that it must be answered with, if any.
	decide func(o *oracle) (changes bool, want error)
	check  func(seq uint64) error // of the answer to a change
	want   error
	seq    uint64
}

func (c *call) answered() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// start has the gallery asked, and waits until nothing goes on any more.
func (s *simulation) start(name string, ask func(ctx context.Context) error) *call {
	callCtx, cancel := context.WithCancel(ctx)
	c := &call{id: s.calls, name: name, cancel: cancel, done: make(chan struct{})}
	s.calls++
	s.logf("%d: %d: %s", s.step, c.id, c.name)
	go func() {
		defer close(c.done)
		c.err = ask(callCtx)
	}()
	s.wait()
	return c
}

// wait waits until everybody waits for the scheduler.
func (s *simulation) wait() {
	synctest.Wait()
	select {
	case s.disk.held = <-s.disk.at:
	default:
	}
}

// edit starts an edit.
func (s *simulation) edit(name string, ask func(context.Context) error, decide func(o *oracle) (bool, error), check func(seq uint64) error) error {
	c := s.start(name, ask)
	if s.closing != nil {
		return s.mustAnswer(c, ErrClosed)
	}
	c.decide, c.check = decide, check
	s.queue = append(s.queue, c)
	return s.advance()
}

// mustAnswer checks that a call was answered with this error; nil: with none.
func (s *simulation) mustAnswer(c *call, want error) error {
	if !c.answered() {
		return fmt.Errorf("%d, %s: no answer", c.id, c.name)
	}
	said, _, _ := strings.Cut(fmt.Sprint(c.err), "\n") // a stack names goroutines, and they are never the same
	s.logf("%d:     %d is answered: %s", s.step, c.id, said)
	c.cancel()
	var dup *DuplicateError
	var changed *StudentChangedError
	var newer *NewerChangeError
	var unlike *UnlikeError
	switch {
	case want == errChanged && errors.As(c.err, &changed):
	case want == errNewer && errors.As(c.err, &newer):
	case want == errUnlike && errors.As(c.err, &unlike):
	case want == errDuplicate && errors.As(c.err, &dup):
	case want == errPanic && c.err != nil && strings.Contains(c.err.Error(), "panicked"):
	case !errors.Is(c.err, want):
		return fmt.Errorf("%d, %s: error %v, want %v", c.id, c.name, c.err, want)
	}
	return nil
}

var (
	errDuplicate = errors.New("a duplicate")
	errUnlike    = errors.New("an unlike crop")
	errPanic     = errors.New("a panic")
	errChanged   = errors.New("another student's")
	errNewer     = errors.New("something newer")
)

// advance follows the writer, which takes all edits that wait at once, as soon as
// no commit is at the disk.
func (s *simulation) advance() error {
	for s.batch == nil && len(s.alone)+len(s.queue) > 0 {
		var turn []*call
		switch {
		case len(s.alone) > 0:
			turn, s.alone = s.alone[:1], s.alone[1:]
		case s.closing != nil:
			return nil // closed says what becomes of the queue
		default:
			turn, s.queue = s.queue, nil
		}
		s.next = s.o.clone()
		seq := s.seq
		for _, c := range turn {
			changes, was := false, s.next.clone()
			if changes, c.want = c.decide(s.next); changes {
				was.history = nil
				s.next.history = append(s.next.history, moment{c.cause(), was})
				seq++
				c.seq = seq
			}
			s.changes = seq - s.seq
			if seq > s.seq { // it rests on what is not stored yet
				s.batch = append(s.batch, c)
			} else if err := s.mustAnswer(c, c.want); err != nil {
				return err
			}
		}
	}
	if held := s.disk.held != nowhere; held != (s.batch != nil) {
		return fmt.Errorf("a commit is at the disk: %v; edits under way: %d", held, len(s.batch))
	}
	for _, c := range slices.Concat(s.batch, s.alone, s.queue) {
		if c.answered() {
			return fmt.Errorf("%d, %s: answered (%v) before its edit, or one that it rests on, is stored", c.id, c.name, c.err)
		}
	}
	return nil
}

var errDisk = errors.New("the disk failed")

// release lets the commit at the disk go on, or fail.
func (s *simulation) release(fault error) error {
	s.logf("%d: the commit goes on, %s: %v", s.step, s.disk.held, fault)
	was := s.disk.held
	s.disk.held = nowhere
	s.disk.goOn <- fault
	s.wait()
	if was == before && fault == nil {
		if s.disk.held != after {
			return errors.New("a commit that went on was not stored")
		}
		return s.compare()
	}
	return s.conclude(was, fault)
}

// conclude checks what a commit came to that ended at this stage.
func (s *simulation) conclude(at stage, fault error) error {
	batch := s.batch
	s.batch = nil
	if errors.Is(fault, ErrReadOnly) && s.changes > 1 {
		s.alone = batch
		return s.advanceAlone()
	}
	if at == after {
		s.o = s.next
		for _, c := range batch {
			s.seq = max(s.seq, c.seq)
		}
	}
	want := fault
	if errors.Is(fault, errDisk) {
		want = ErrUnavailable // whether it was stored, the caller does not know
	}
	for _, c := range batch {
		if fault != nil {
			c.want = want
		}
		if c.late() && s.closing != nil && errors.Is(c.err, ErrClosed) {
			c.want = ErrClosed // it looks once more at what it made
		}
		if err := s.mustAnswer(c, c.want); err != nil {
			return err
		}
		if c.err == nil && c.check != nil {
			if err := c.check(c.seq); err != nil {
				return fmt.Errorf("%d, %s: %w", c.id, c.name, err)
			}
		}
	}
	return s.advanceAlone()
}

// advanceAlone follows the writer after a commit, through those that are alone.
func (s *simulation) advanceAlone() error {
	if len(s.alone) > 0 {
		if err := s.advance(); err != nil || s.batch != nil {
			return errors.Join(err, s.compare())
		}
	}
	s.opened()
	if s.closing != nil {
		if err := s.closed(); err != nil {
			return err
		}
	}
	return errors.Join(s.advance(), s.compare())
}

// late reports whether the call reads what it made after it was made.
func (c *call) late() bool {
	return strings.HasPrefix(c.name, "assign") || strings.HasPrefix(c.name, "groups") || strings.HasPrefix(c.name, "merge")
}

// cause is what the log says of an edit.
func (c *call) cause() string {
	for prefix, cause := range map[string]string{
		"assign": causeAssign, "merge": causeMerge, "groups": causeRegroup, "undo": c.name,
		"delete crop": causeDeleteCrop, "delete student": causeDeleteStudent,
	} {
		if strings.HasPrefix(c.name, prefix) {
			return cause
		}
	}
	return c.name
}

// run runs the history.
func (s *simulation) run() error {
	for s.step = range 40 + s.rng.IntN(60) {
		if err := s.act(); err != nil {
			return err
		}
	}
	return s.finish()
}

// finish ends everything that is under way, and looks at what is left.
func (s *simulation) finish() error {
	for s.batch != nil {
		if err := s.release(nil); err != nil {
			return err
		}
	}
	for range 2 { // as it is, and opened again
		if s.g == nil {
			if err := s.open(); err != nil {
				return err
			}
			for s.batch != nil {
				if err := s.release(nil); err != nil {
					return err
				}
			}
		}
		if err := asStored(s.g); err != nil {
			return err
		}
		s.wait()
		if err := errors.Join(s.compare(), s.checked(), s.shut()); err != nil {
			return err
		}
	}
	return s.store.Close()
}

// abandon lets everybody go.
func (s *simulation) abandon() {
	free := make(chan struct{})
	go func() {
		for {
			select {
			case <-s.disk.at:
			case s.disk.goOn <- nil:
			case <-free:
				return
			}
		}
	}()
	if s.g != nil && s.closing == nil {
		_ = s.g.Close() // whether it can is not the question any more
	}
	synctest.Wait()
	close(free)
}

// open opens the gallery; an empty store becomes one, which is an edit.
func (s *simulation) open() error {
	var g *Gallery
	c := s.start("open", func(context.Context) (err error) {
		g, err = open(s.store, Options{New: Settings{FPIR: 0.01}})
		return err
	})
	s.opening = c
	c.check = func(uint64) error { s.g = g; return nil }
	if s.seq > 0 {
		defer s.opened()
		return errors.Join(s.mustAnswer(c, nil), c.check(0))
	}
	c.decide = func(*oracle) (bool, error) { return true, nil }
	s.queue = append(s.queue, c)
	return s.advance()
}

// opened ends the opening, once it was answered.
func (s *simulation) opened() {
	if s.opening != nil && s.opening.answered() {
		s.opening = nil
	}
}

// shut closes the gallery, which may wait for a commit.
func (s *simulation) shut() error {
	g := s.g
	s.closing = s.start("close", func(context.Context) error { return g.Close() })
	if s.batch != nil {
		if s.closing.answered() {
			return errors.New("closed beside a commit")
		}
		return nil
	}
	return s.closed()
}

// closed ends the closing.
func (s *simulation) closed() error {
	if err := errors.Join(s.mustAnswer(s.closing, nil), s.checked()); err != nil {
		return err
	}
	if len(s.checks) > 0 {
		return errors.New("a check goes on in a closed gallery")
	}
	s.closing, s.g = nil, nil
	return nil
}

// checked takes the consistency checks that have ended off the list.
func (s *simulation) checked() error {
	var errs []error
	s.checks = slices.DeleteFunc(s.checks, func(c *call) bool {
		if c.answered() && c.err != nil && !errors.Is(c.err, ErrUnavailable) && !errors.Is(c.err, ErrReadOnly) && !errors.Is(c.err, ErrClosed) {
			errs = append(errs, c.err)
		}
		return c.answered()
	})
	return errors.Join(errs...)
}

// compare compares memory, which searches see, with what it must hold now.
func (s *simulation) compare() error {
	if s.g == nil || s.opening != nil {
		return nil
	}
	m := s.g.writer.memory.Load()
	if m == nil {
		return errors.New("the gallery is not in memory")
	}
	return differs(m, s.o, s.seq)
}

// differs compares memory with what it must hold after a change.
func differs(m *memory, o *oracle, seq uint64) error {
	if err := checkMemory(m); err != nil {
		return err
	}
	got, want := map[string]string{}, map[string]string{"settings": fmt.Sprint(o.settings), "seq": fmt.Sprint(seq)}
	got["settings"], got["seq"] = fmt.Sprint(settingsOf(m.settings)), fmt.Sprint(m.seq)
	for name, sp := range m.spaces {
		got["model "+name] = sp.Recipe
	}
	for id, st := range m.students {
		got["student "+id] = fmt.Sprint(st.Groups)
	}
	for id, c := range m.crops {
		got["crop "+id] = fmt.Sprint(c.StudentID, c.Corrected)
		for _, p := range c.embeddings {
			var v []float32
			if p.indexed {
				v = make([]float32, p.space.Dimension)
				p.space.engine.Vector(p.id, v)
			}
			got["embedding "+id+" "+p.space.Name] = fmt.Sprint(p.recipe.Value(), v)
		}
	}
	for name, recipe := range o.models {
		want["model "+name] = recipe
	}
	for id := range o.students {
		want["student "+id] = fmt.Sprint(o.groupsOf(id))
	}
	for id, c := range o.crops {
		want["crop "+id] = fmt.Sprint(c.student, c.corrected)
		for model, v := range c.vectors {
			if c.student == "" {
				v = nil
			}
			want["embedding "+id+" "+model] = fmt.Sprint(c.recipes[model], v)
		}
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("memory holds\n%v\nwant\n%v", got, want)
	}
	return nil
}
