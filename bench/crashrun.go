package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

const (
	// crashLife is how many kills a folder sees: the log, which is read whole after each, grows.
	crashLife = 25

	// crashWork is how long a server works at most before it is killed. A second takes
	// hundreds of calls, and one that dies at a sync has met it long before.
	crashWork = time.Second

	// crashMoments is how many moments around syncs there are to choose from, the early ones more
	// often. Opening a folder takes the first 30 or so, a commit two.
	crashMoments = 200

	crashClientPrefix = "client-"
	crashOfficeToken  = "crash-office" // name of the token that the clients work with
)

// A crashActor is a client: it makes one call after the other, until one is not answered, and
// after a crash it looks whether all is there. Each has one goroutine.
type crashActor interface {
	act(ctx context.Context, api crashAPI) error
	check(ctx context.Context, api crashAPI, view *crashView) error
}

// A crashRun is the life of one folder.
type crashRun struct {
	options  *crashOptions
	bench    *workbench
	pictures []crop
	tally    *crashTally
	killed   func()
	start    time.Time // of the bench

	rng    *rand.Rand
	data   string
	admin  string                  // secret of a token that may do everything
	enrol  string                  // secret of one that may enrol in all galleries
	actors map[string][]crashActor // by the gallery that they work in; "": the office
	office *crashOffice
}

// live kills servers on a new folder, and looks at what is left. The folder stays if that is wrong.
func (r *crashRun) live(ctx context.Context, life uint64) (err error) {
	r.rng = rand.New(rand.NewPCG(r.options.source.seed, life))
	if r.data, err = os.MkdirTemp(r.options.data, "rollcall-bench-data-"); err != nil {
		return err
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w\nthe folder is kept: %s", err, r.data)
			return
		}
		err = errors.Join(err, os.RemoveAll(r.data))
	}()
	if r.admin, err = benchToken(ctx, r.data); err != nil {
		return err
	}
	r.hire()
	for i := 0; i < crashLife && !r.options.done(r.tally, r.start); i++ {
		if err := r.kill(ctx, i == 0); err != nil {
			return err
		}
	}
	return r.end(ctx)
}

// hire makes the clients.
func (r *crashRun) hire() {
	own := func() *rand.Rand { return rand.New(rand.NewPCG(r.rng.Uint64(), 0)) }
	r.actors = make(map[string][]crashActor)
	for i := range r.options.clients {
		gallery := crashGalleries[i%len(crashGalleries)]
		each := crashCrops * crashPictures
		r.actors[gallery] = append(r.actors[gallery], &crashClient{
			name: fmt.Sprintf("%s%d", crashClientPrefix, i), gallery: gallery, apart: !r.options.source.drawn(),
			pictures: r.pictures[i*each : (i+1)*each], rng: own(), held: newHolding(), tally: r.tally,
		})
	}
	for i, gallery := range crashGalleries {
		r.actors[gallery] = append(r.actors[gallery], &crashRegister{
			name: fmt.Sprintf("door-%d", i), gallery: gallery, rng: own(), numbers: make(map[string]uint64), tally: r.tally,
		})
	}
	r.office = &crashOffice{
		picture: r.pictures[0], secret: r.admin, rng: own(), tokens: make(map[string]*crashToken), galleries: make(map[string]int), tally: r.tally,
	}
	r.actors[""] = []crashActor{r.office}
}

// kill starts a server, checks what it has, lets the clients work, and kills it, unless it kills
// itself before.
func (r *crashRun) kill(ctx context.Context, first bool) error {
	args := r.servingArgs()
	works := time.Duration(r.rng.Int64N(int64(crashWork)))
	atSync := !first && r.rng.IntN(2) == 0
	if atSync {
		args, works = r.dyingArgs(1+r.rng.Int64N(1+r.rng.Int64N(crashMoments))), crashWork
	}
	launched := time.Now()
	c, err := launch(ctx, args, r.admin)
	if err != nil && (c == nil || !atSync || !c.wasKilled()) {
		return err
	}
	stage, ours := whileStarting, false
	if err == nil {
		r.tally.started(time.Since(launched))
		stage, ours, err = r.use(ctx, c, first, works)
		if err := c.kill(); err != nil {
			return err
		}
		if err != nil && ctx.Err() == nil && (!atSync || !errors.Is(err, errUnknown)) {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !c.wasKilled() {
		return c.crash()
	}
	r.tally.killed(stage, !ours)
	r.killed()
	return nil
}

// servingArgs is the command line of a server that does not die by itself.
func (r *crashRun) servingArgs() []string {
	return append(serveArgs(r.bench, r.data), "--wrong-tokens-per-minute=0") // revoked ones are tried
}

// dyingArgs is the command line of a server that dies at a moment.
func (r *crashRun) dyingArgs(moment int64) []string {
	w := r.bench
	args := []string{
		"bench", "crash", "--dying-server=" + r.data, fmt.Sprintf("--die-at=%d", moment), "--models-dir=" + w.dir,
		"--embedder-name=" + w.embedder.Contract.Name, "--onnxruntime=" + w.runtime.Path,
		fmt.Sprintf("--sessions=%d", w.sessions), fmt.Sprintf("--threads=%d", w.threads),
	}
	if w.locator != "" {
		args = append(args, "--locator-name="+w.locator)
	}
	return args
}

// use checks what a server has, and lets the clients work until it dies or is killed. It returns
// at which stage that was, and whether it was killed here. The error is errUnknown if it died
// while it was checked.
func (r *crashRun) use(ctx context.Context, c *child, first bool, works time.Duration) (stage crashStage, ours bool, err error) {
	defer r.connect(c)()
	if first {
		err = r.furnish(ctx)
	} else {
		err = r.check(ctx)
	}
	if err != nil {
		return whileChecking, false, err
	}
	timer := time.AfterFunc(works, func() { _ = c.kill() }) // kill says so again
	err = r.work(ctx)
	return whileWorking, !timer.Stop(), err
}

// connect makes the clients call a server, until disconnect is called.
func (r *crashRun) connect(c *child) (disconnect func()) {
	connections := &http.Transport{MaxIdleConnsPerHost: r.options.clients + 2*len(crashGalleries)}
	r.office.at = func(gallery, token string) crashAPI { return newCrashAPI(connections, c.url, token, gallery) }
	return connections.CloseIdleConnections
}

// furnish makes the galleries, and the token that the clients work with.
func (r *crashRun) furnish(ctx context.Context) error {
	api := r.office.at("", r.admin)
	for _, id := range crashGalleries[1:] {
		if _, err := askServer(ctx, api.gallery.CreateGallery, &pb.CreateGalleryRequest{GalleryId: id}); err != nil {
			return err
		}
	}
	a, err := askServer(ctx, api.tokens.CreateToken, &pb.CreateTokenRequest{Name: crashOfficeToken, Role: pb.Role_ROLE_ENROLL})
	r.enrol = a.GetSecret()
	return err
}

// check has every client look whether all is there.
func (r *crashRun) check(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for gallery, actors := range r.actors {
		group.Go(func() error {
			api := r.office.at(gallery, r.admin)
			view, err := viewServer(ctx, r.office.at, r.admin)
			if gallery != "" {
				view, err = viewGallery(ctx, api, r.tally)
			}
			for _, a := range actors {
				if err == nil {
					err = a.check(ctx, api, view)
				}
			}
			if err != nil && gallery != "" {
				err = fmt.Errorf("gallery %s: %w", gallery, err)
			}
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		r.tally.checked()
	}
	return err
}

// work lets every client make calls until one is not answered.
func (r *crashRun) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for gallery, actors := range r.actors {
		api := r.office.at(gallery, r.enrol)
		for _, a := range actors {
			group.Go(func() error {
				for {
					if err := a.act(ctx, api); errors.Is(err, errUnknown) {
						return nil
					} else if err != nil {
						return err
					}
				}
			})
		}
	}
	return group.Wait()
}

// end starts the last server of a folder, stops it as an operator does, and reads what is left in
// the folder.
func (r *crashRun) end(ctx context.Context) error {
	c, err := launch(ctx, r.servingArgs(), r.admin)
	if err != nil {
		return err
	}
	disconnect := r.connect(c)
	err = r.check(ctx)
	disconnect()
	if stopped := c.stop(); stopped != nil {
		return errors.Join(err, stopped)
	}
	if err == nil {
		err = r.readFolder(ctx)
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// readFolder verifies the chains of all partitions in the folder.
func (r *crashRun) readFolder(ctx context.Context) (err error) {
	store, err := storage.Open(r.data, storage.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ids, err := store.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		p, err := store.Partition(id)
		if err != nil {
			return err
		}
		for _, err := range p.Changes(ctx, 0) {
			if err != nil {
				return fmt.Errorf("the log of %s: %w", id, err)
			}
		}
		for _, err := range p.Lines(ctx, 0) {
			if err != nil {
				return fmt.Errorf("the journal of %s: %w", id, err)
			}
		}
		if strings.HasPrefix(id, "office-") && r.office.galleries[id] == galleryGone {
			return fmt.Errorf("gallery %s was deleted, and something of it is in the folder", id)
		}
	}
	return nil
}

// kill kills the process, if it has not ended, and waits for its end.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the server: %w", err)
	}
	<-c.ended
	return nil
}

// wasKilled says whether a process that has ended was killed.
func (c *child) wasKilled() bool {
	state, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && state.Signaled() && state.Signal() == syscall.SIGKILL
}
