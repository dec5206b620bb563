package bench

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/rpc"
	"rollcall/rpc/erasure"
	"rollcall/storage"
)

// server is a Rollcall server in this process, with an empty gallery in a folder
// that lasts as long as it.
type server struct {
	url      string
	embedder *embedder.Embedder

	closers []func() error // last first
}

// startServer starts a server on a free port of this machine, set up as "serve"
// does it, with an empty folder of its own. The caller closes it.
func startServer(ctx context.Context, w *workbench) (*server, error) {
	dir, remove, err := tempData()
	if err != nil {
		return nil, err
	}
	s, err := startServerOn(ctx, w, dir, serverOptions{})
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	s.closers = append([]func() error{remove}, s.closers...)
	return s, nil
}

// serverOptions say how a server differs from others.
type serverOptions struct {
	secure *tls.Config // nil: no TLS
	disk   vfs.FS      // that its folder is on; nil: the system's
}

// startServerOn is startServer on a folder of the caller's, which may hold tokens.
func startServerOn(ctx context.Context, w *workbench, dir string, o serverOptions) (_ *server, err error) {
	s := new(server)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	store, err := storage.Open(dir, storage.Options{FS: o.disk})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, store.Close)
	tokens, err := access.OpenTokens(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, tokens.Close)
	metrics := rpc.NewMetrics()
	if s.embedder, err = w.newEmbedder(embedder.Options{Observe: metrics.ObserveStage}); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.embedder.Close)
	galleries, err := gallery.OpenGalleries(ctx, store, gallery.Options{
		Models: rpc.Facts(w.library, s.embedder), New: gallery.Settings{Model: w.embedder.Contract.Name},
	}, 0)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, galleries.Close)
	// The log lines are written, as they are in a server, and go nowhere.
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	journals := journal.Open(store, logger)
	s.closers = append(s.closers, journals.Close)
	if _, err := s.embedder.Load(ctx, w.embedder.Contract.Name); err != nil {
		return nil, err
	}
	eraser := erasure.Open(store, galleries, journals, logger)
	s.closers = append(s.closers, func() error { eraser.Close(); return nil })
	rpcServer := rpc.New(rpc.Options{Logger: logger, Metrics: metrics, TLS: o.secure})
	rpcServer.Ready(rpc.Backend{Embedder: s.embedder, Eraser: eraser, Galleries: galleries, Journals: journals, Models: w.library, Tokens: tokens})
	scheme := "http://"
	if o.secure != nil {
		scheme = "https://"
	}
	return s, s.listen(ctx, scheme, rpcServer)
}

// listen serves until the server is closed.
func (s *server) listen(ctx context.Context, scheme string, rpcServer *rpc.Server) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = scheme + ln.Addr().String()
	// When ctx ends, calls in flight may still finish: close waits for them.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- rpcServer.Serve(serving, ln) }()
	s.closers = append(s.closers, func() error {
		stop()
		return <-served
	})
	return nil
}

// spentLine finds in the text of /metrics how many seconds were spent in a stage of
// embedding or, without one, in the gallery.
var spentLine = regexp.MustCompile(`^rollcall_(?:enrol|embed_stage)_seconds_sum(?:\{stage="(\w+)"\})? (\S+)$`)

// spent returns where the time of all calls so far went, by stage, as the server's
// metrics tell it.
func (s *server) spent(ctx context.Context) (map[string]time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	sums := make(map[string]time.Duration)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		found := spentLine.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		seconds, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return nil, fmt.Errorf("read /metrics: %w", err)
		}
		sums[cmp.Or(found[1], stageGallery)] = time.Duration(seconds * float64(time.Second))
	}
	return sums, lines.Err()
}

func (s *server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// newHTTPClient returns a client that keeps a connection for each of n callers, and sends
// a token; "": none.
func newHTTPClient(n int, token string) *http.Client {
	return withToken(&http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n, MaxConnsPerHost: n}, token)
}

// newHTTP2Client returns a client with one connection of HTTP/2 in clear text.
func newHTTP2Client(token string) *http.Client {
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	return withToken(&http.Transport{Protocols: &only}, token)
}

func withToken(transport *http.Transport, token string) *http.Client {
	if token == "" {
		return &http.Client{Transport: transport}
	}
	return &http.Client{Transport: bearer{transport, token}}
}

// bearer adds a token to what it sends.
type bearer struct {
	*http.Transport
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.Transport.RoundTrip(r)
}

// benchTokenName is the name of the token that benchToken makes.
const benchTokenName = "bench"

// benchToken makes a token that may do everything, and get embeddings, in a folder that no
// server has open.
func benchToken(ctx context.Context, dir string) (text string, err error) {
	store, err := storage.Open(dir, storage.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	tokens, err := access.OpenTokens(ctx, store, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, tokens.Close()) }()
	text, _, err = tokens.Create(ctx, access.Token{Caller: access.Caller{Name: benchTokenName, Role: access.Admin, Embeddings: true}}, access.Anybody)
	return text, err
}

// tempData makes a folder for a gallery that lasts as long as the bench.
func tempData() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("", "rollcall-bench-data-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}
