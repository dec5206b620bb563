package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// soakSchool is one gallery, with the callers that work on it.
type soakSchool struct {
	*soak
	number int
	id     string // of the gallery
}

func (s *soak) newSchool(i int) *soakSchool {
	return &soakSchool{soak: s, number: i, id: fmt.Sprintf("school-%d", i)}
}

// work lets the gallery live one term after the other.
func (s *soakSchool) work(ctx context.Context) {
	// The galleries do not end their terms at the same time.
	first := s.options.term * time.Duration(s.number+1) / time.Duration(s.options.galleries)
	for term := 0; ctx.Err() == nil; term++ {
		lasts := s.options.term
		if term == 0 {
			lasts = first
		}
		s.live(ctx, uint64(term), lasts)
	}
}

// soakTurns: of so many galleries one uses the other model, once a term, so that the model
// is idle in between; and one takes backups, which hold all galleries.
const soakTurns = 4

// endAfter is [context.WithTimeout] without a deadline, which clients would send to the server.
func endAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(d, cancel)
	return ctx, cancel
}

// live makes the gallery, lets office and door work, and deletes it.
func (s *soakSchool) live(ctx context.Context, term uint64, lasts time.Duration) {
	seed := s.options.source.seed<<32 + uint64(s.number)
	office := s.newCaller(s.child.token, rand.New(rand.NewPCG(seed, 2*term)))
	defer office.close()
	s.do(ctx, office, work{name: "open a gallery", do: (*soakCaller).open})
	switch s.number % soakTurns {
	case 0:
		s.do(ctx, office, work{name: "use the other model", do: (*soakCaller).useModel})
	case 1:
		s.do(ctx, office, work{name: "take a backup", do: (*soakCaller).backup})
		s.do(ctx, office, work{name: "cut a backup off", do: (*soakCaller).cutBackup})
	}
	working, stop := endAfter(ctx, lasts)
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { s.watchTerm(working) })
	group.Go(func() {
		door := s.newCaller(office.door, rand.New(rand.NewPCG(seed, 2*term+1)))
		defer door.close()
		s.repeat(working, door, doorWork)
	})
	s.repeat(working, office, slices.Concat(officeWork, doorWork))
	group.Wait()
	// Also when time is up: nothing is left to the next run of anybody.
	s.do(context.WithoutCancel(ctx), office, work{name: "delete a gallery", do: (*soakCaller).leave})
}

// repeat does what chance says until ctx ends.
func (s *soakSchool) repeat(ctx context.Context, c *soakCaller, all []work) {
	var sum int
	for _, w := range all {
		sum += w.weight
	}
	for ctx.Err() == nil {
		left := c.rng.IntN(sum)
		for _, w := range all {
			if left -= w.weight; left < 0 {
				s.do(ctx, c, w)
				break
			}
		}
	}
}

// do does some work and counts it. An error that comes of the end of the time is none.
func (s *soakSchool) do(ctx context.Context, c *soakCaller, w work) {
	err := w.do(c, ctx)
	if ctx.Err() == nil {
		s.tally.count(w.name, err)
	}
}

// watchTerm watches the verdicts of the gallery for as long as it lives.
func (s *soakSchool) watchTerm(ctx context.Context) {
	c := s.newCaller(s.child.token, nil)
	defer c.close()
	stream, err := c.journal.WatchVerdicts(ctx, &pb.WatchVerdictsRequest{})
	if err == nil {
		for stream.Receive() {
		}
		err = errors.Join(stream.Err(), stream.Close())
	}
	if ctx.Err() == nil {
		s.tally.count("watch a gallery", fmt.Errorf("the watch ended: %w", err))
	}
}

// soakCaller calls the server about one gallery. It makes one call after the other.
type soakCaller struct {
	*soakSchool
	rng    *rand.Rand
	door   string // the token of a door
	token  string
	http   *http.Client // HTTP/1.1
	stream *http.Client // HTTP/2, for streams in both directions

	attendance rollcallv1connect.AttendanceServiceClient
	gallery    rollcallv1connect.GalleryServiceClient
	streams    rollcallv1connect.GalleryServiceClient
	journal    rollcallv1connect.JournalServiceClient
	models     rollcallv1connect.ModelServiceClient
	tokens     rollcallv1connect.TokenServiceClient
	backups    rollcallv1connect.BackupServiceClient
	exports    rollcallv1connect.ExportServiceClient
}

func (s *soakSchool) newCaller(token string, rng *rand.Rand) *soakCaller {
	var h2 http.Protocols
	h2.SetUnencryptedHTTP2(true)
	c := &soakCaller{soakSchool: s, rng: rng, token: token,
		http:   &http.Client{Transport: toGallery{bearer{&http.Transport{}, token}, s.id}},
		stream: &http.Client{Transport: toGallery{bearer{&http.Transport{Protocols: &h2}, token}, s.id}},
	}
	url := s.child.url
	c.attendance = rollcallv1connect.NewAttendanceServiceClient(c.http, url)
	c.gallery = rollcallv1connect.NewGalleryServiceClient(c.http, url)
	c.streams = rollcallv1connect.NewGalleryServiceClient(c.stream, url, connect.WithGRPC())
	c.journal = rollcallv1connect.NewJournalServiceClient(c.stream, url)
	c.models = rollcallv1connect.NewModelServiceClient(c.http, url, connect.WithProtoJSON())
	c.tokens = rollcallv1connect.NewTokenServiceClient(c.http, url)
	c.backups = rollcallv1connect.NewBackupServiceClient(c.stream, url)
	c.exports = rollcallv1connect.NewExportServiceClient(c.stream, url)
	return c
}

func (c *soakCaller) close() {
	c.http.CloseIdleConnections()
	c.stream.CloseIdleConnections()
}

// toGallery names the gallery of what it sends.
type toGallery struct {
	bearer
	id string
}

func (t toGallery) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Rollcall-Gallery", t.id)
	return t.bearer.RoundTrip(r)
}

// warm makes one call, so that the default gallery and the model are loaded.
func (s *soak) warm(ctx context.Context, client *http.Client) error {
	_, err := rollcallv1connect.NewAttendanceServiceClient(client, s.child.url).Identify(ctx, &pb.IdentifyRequest{Image: s.people[0].crops[0]})
	return err
}

// inconsistent makes each gallery once more, fills it, and says in how many storage and index
// disagree.
func (s *soak) inconsistent(ctx context.Context) (n int, err error) {
	for i := range s.options.galleries {
		school := s.newSchool(i)
		c := school.newCaller(s.child.token, rand.New(rand.NewPCG(s.options.source.seed, uint64(i))))
		defer c.close()
		if err := c.open(ctx); err != nil {
			return n, err
		}
		report, err := c.gallery.CheckConsistency(ctx, &pb.CheckConsistencyRequest{})
		if err != nil {
			return n, err
		}
		if !report.GetConsistent() {
			n++
		}
		if err := c.leave(ctx); err != nil {
			return n, err
		}
	}
	return n, nil
}
