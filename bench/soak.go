package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"

	"rollcall/embedder"
	"rollcall/models"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// soakOptions are the flags of "bench soak".
type soakOptions struct {
	models modelOptions
	source sourceOptions

	lasts, warm, term, every time.Duration
	galleries, students      int
}

func soakBench() Bench {
	return newBench("soak", "does a server that works for a long time grow",
		`Starts a server as a process of its own and gives it all kinds of work at once for a
long time. Each gallery has two callers: an office, which enrols, replaces, merges,
undoes, deletes, exports and imports, calibrates, lets the gallery use another model and sends requests
that are wrong; and a door, which identifies, verifies and calls the roll. Both also
break off calls and connections in the middle, and open and close watches. After a
--term a gallery is deleted and made anew, so that what has to be kept does not grow.
The galleries do not fit into the memory that the server may take for them together,
so it loads and evicts them all the time, and it unloads a model that is idle.

Every few seconds it reads the server's memory, goroutines, file descriptors and data
folder. From the end of --warm-up on, the line of least squares through the medians
of twelve equal parts of the time says how much each grows; the noise is half of the
95 % confidence interval of that growth. A figure is not flat if its growth is more than
its noise and more than its limit, which the table says. Goroutines and descriptors
are also counted when nobody calls, before the work and after it.

It fails if a figure is not flat, if a call failed that should not, or if storage and index
disagree afterwards. It deletes what it made.`,
		&soakOptions{lasts: 30 * time.Minute, term: 2 * time.Minute, every: 5 * time.Second, galleries: 8, students: 60})
}

func (o *soakOptions) addFlags(set *pflag.FlagSet) {
	set.DurationVar(&o.lasts, "for", o.lasts, "how long the work lasts")
	set.DurationVar(&o.warm, "warm-up", 0, "from when on the figures have to be flat; 0: half of the time")
	set.DurationVar(&o.term, "term", o.term, "how long a gallery lives")
	set.DurationVar(&o.every, "every", o.every, "how often the figures are read")
	set.IntVar(&o.galleries, "galleries", o.galleries, "galleries at once, with two callers each")
	set.IntVar(&o.students, "students", o.students, "students of each gallery, with two crops each")
	o.source.addFlags(set)
	o.models.addFlags(set)
	o.models.against.addFlags(set, "against", "second embedder", ", or else a copy of the first, if that is built in or given as a file")
}

func (o *soakOptions) validate() error {
	warm := o.warmUp()
	switch {
	case o.every <= 0 || warm < 0 || o.lasts-warm < soakParts*o.every:
		return fmt.Errorf("--for is %v, --warm-up %v, --every %v; after the warm-up there has to be time for %d samples", o.lasts, warm, o.every, soakParts)
	case o.term <= 0:
		return fmt.Errorf("--term is %v; it has to be more than 0", o.term)
	case o.galleries < 1:
		return fmt.Errorf("--galleries is %d; it has to be 1 or more", o.galleries)
	case o.students < soakSeats:
		return fmt.Errorf("--students is %d; it has to be %d or more", o.students, soakSeats)
	}
	return nil
}

// warmUp is how long the figures may grow. Most of it is Pebble's: its cache fills, and it keeps
// some logs to use them again, until some 80 MB were written.
func (o *soakOptions) warmUp() time.Duration {
	if o.warm > 0 {
		return o.warm
	}
	return o.lasts / 2
}

// soakFlags make a server small, so that it has to make room all the time: one MiB for all
// galleries, and no place for a model that is idle for a few seconds. A call may take long: the
// callers make no pause, and photos give way to crops.
var soakFlags = []string{"--gallery-memory=1", "--model-ttl=15s", "--request-timeout=5m"}

// errNotFlat is what "bench soak" fails with, after its report.
var errNotFlat = errors.New("the server did not stand the soak")

func (o *soakOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	second, err := o.second(ctx, w)
	if err != nil {
		return nil, err
	}
	data, remove, err := tempData()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s := &soak{options: o, models: [2]string{w.embedder.Contract.Name, second}, tally: newSoakTally()}
	c, err := startChild(ctx, w, data, soakFlags...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	s.child, s.data = c, data
	running, stop := whileRunning(ctx, c)
	defer stop(nil)
	fmt.Fprintln(progress, "preparing crops and photos …")
	if err := s.prepare(running); err != nil {
		return nil, errors.Join(err, context.Cause(running))
	}
	res, err := s.run(running, progress)
	if err != nil {
		return nil, errors.Join(err, context.Cause(running))
	}
	res.Model, res.Second = w.describe(), second
	return res, res.failure()
}

// second returns the name of the embedder that galleries change to now and then.
func (o *soakOptions) second(ctx context.Context, w *workbench) (string, error) {
	if o.models.against.file != "" || o.models.against.name != "" {
		m, err := w.beside(ctx, o.models.against)
		if err != nil {
			return "", err
		}
		return m.embedder.Contract.Name, nil
	}
	return w.copyEmbedder(ctx, "soak-second")
}

// copyEmbedder installs the embedder once more, under another name, in a folder that lasts
// as long as the bench.
func (w *workbench) copyEmbedder(ctx context.Context, name string) (string, error) {
	if w.temp == "" {
		locator, err := w.library.Model(w.locator)
		if !w.embedder.BuiltIn || err == nil && !locator.BuiltIn {
			return "", errors.New("name a second embedder with --against-name")
		}
		if w.temp, err = os.MkdirTemp("", "rollcall-bench-models-"); err != nil {
			return "", err
		}
		w.dir = w.temp
		if w.library, err = models.OpenLibrary(w.dir); err != nil {
			return "", err
		}
	}
	content, err := w.embedder.Read()
	if err != nil {
		return "", err
	}
	file := filepath.Join(w.temp, ".copy.onnx")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return "", err
	}
	contract := w.embedder.Contract
	contract.Name, contract.Source = name, nil
	_, err = w.library.Add(ctx, name, file, models.AddOptions{Contract: &contract, Check: embedder.Check})
	return name, err
}

// soak is one run. Everything but the tally stays as prepare and measure made it.
type soak struct {
	options *soakOptions
	models  [2]string // the usual one, and the other
	people  []soakPerson
	photo   []byte // of soakSeats people
	child   *child
	data    string
	tally   *soakTally
}

// soakPerson is somebody whom galleries enrol: three crops of one picture.
type soakPerson struct{ crops [3][]byte }

// soakSeats is how many people the photo of the roll call shows.
const soakSeats = 6

// prepare makes everything that is sent: later the cores are the server's. It leaves out people
// of whom the server cannot use a crop.
func (s *soak) prepare(ctx context.Context) error {
	client := newHTTPClient(1, s.child.token)
	defer client.CloseIdleConnections()
	api := rollcallv1connect.NewAttendanceServiceClient(client, s.child.url)
	faces, err := s.options.source.choose(s.options.students + s.options.students/4 + 1)
	if err != nil {
		return err
	}
	var used []face
	for _, f := range faces {
		person, usable, err := s.person(ctx, api, f)
		if err != nil {
			return err
		}
		if usable && len(used) < s.options.students {
			s.people, used = append(s.people, person), append(used, f)
		}
	}
	if len(used) < s.options.students {
		return fmt.Errorf("only %d of %d people have crops that can be used; choose others with --seed", len(used), len(faces))
	}
	photo, err := composition{width: 1200, height: 800, faces: soakSeats, least: 80, most: 160, turn: 10, light: true}.composeOf(used, used[:soakSeats], s.options.source.seed, 0)
	s.photo = photo.jpeg
	return err
}

func (s *soak) person(ctx context.Context, api rollcallv1connect.AttendanceServiceClient, f face) (p soakPerson, usable bool, err error) {
	for k := range p.crops {
		c, err := gentleCut(s.options.source.seed+uint64(k), benchSide).cut(f)
		if err != nil {
			return p, false, err
		}
		p.crops[k] = c.jpeg
		_, err = api.Embed(ctx, &pb.EmbedRequest{Image: c.jpeg, CropId: "tried", StudentId: "tried", AllowDuplicate: true, AllowUnlike: true})
		if connect.CodeOf(err) == connect.CodeInvalidArgument {
			return p, false, nil
		}
		if err != nil {
			return p, false, err
		}
	}
	return p, true, nil
}

// run lets all galleries work, and reads the figures meanwhile.
func (s *soak) run(ctx context.Context, progress io.Writer) (res soakResult, err error) {
	if res.Rest.Before, err = s.rest(ctx); err != nil {
		return res, err
	}
	fmt.Fprintf(progress, "%d galleries for %v …\n", s.options.galleries, s.options.lasts)
	working, stop := endAfter(ctx, s.options.lasts)
	defer stop()
	start := time.Now()
	var group sync.WaitGroup
	for i := range s.options.galleries {
		school := s.newSchool(i)
		group.Go(func() { school.work(working) })
	}
	res.Samples, err = s.watch(working, progress, start)
	stop()
	group.Wait()
	if ctx.Err() != nil {
		return res, context.Cause(ctx)
	}
	if err != nil {
		return res, err
	}
	res.Seconds = time.Since(start).Seconds()
	s.tally.into(&res)
	if res.Inconsistent, err = s.inconsistent(ctx); err != nil {
		return res, err
	}
	if res.Rest.After, err = s.rest(ctx); err != nil {
		return res, err
	}
	res.judge(s.options.warmUp())
	return res, nil
}
