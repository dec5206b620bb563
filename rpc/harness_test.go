package rpc_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/embedder/ortlib"
	"rollcall/gallery"
	"rollcall/models"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
	"rollcall/rpc/erasure"
	"rollcall/storage"
)

func TestMain(m *testing.M) {
	if _, err := embedder.Start(context.Background(), ortlib.Options{}); err != nil {
		slog.Error("these tests run real models and need ONNX Runtime", "error", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// world is a whole server on small models, listening on loopback.
type world struct {
	t       *testing.T
	url     string
	server  *rpc.Server
	library *models.Library
	tokens  *access.Tokens
	data    string
	log     *lockedBuffer
	store   *storage.Store
	stop    func() // drains; safe to call twice
	done    <-chan error
}

// setup is what a test changes about a world.
type setup struct {
	models  []onnxtest.Model
	embed   embedder.Options
	options rpc.Options
	gallery gallery.Options // but for Models
	storage storage.Options
	data    string // of an earlier world
	library *models.Library
	wrap    func(rpc.Backend) rpc.Backend

	listener func(net.Listener) net.Listener // wraps that of the server
}

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	if s.models == nil {
		s.models = []onnxtest.Model{onnxtest.ArcFace(1), onnxtest.Points()}
	}
	w := &world{t: t, log: new(lockedBuffer), data: s.data, library: s.library}
	if w.library == nil {
		w.library = onnxtest.Install(t, t.TempDir(), s.models...)
	}
	if w.data == "" {
		w.data = t.TempDir()
	}
	s.options.Logger = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.options.Metrics = rpc.NewMetrics()
	s.embed.Observe = s.options.Metrics.ObserveStage
	w.server = rpc.New(s.options)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.url = "http://" + ln.Addr().String()
	if s.listener != nil {
		ln = s.listener(ln)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx, ln) }()

	store, err := storage.Open(w.data, s.storage)
	must(t, err)
	e, err := embedder.New(w.library, s.embed)
	must(t, err)
	opts := s.gallery
	opts.Models = rpc.Facts(w.library, e)
	galleries, err := gallery.OpenGalleries(ctx, store, opts, 0)
	must(t, err)
	w.tokens, err = access.OpenTokens(ctx, store, s.options.Logger)
	must(t, err)
	journals := journal.Open(store, s.options.Logger)
	eraser := erasure.Open(store, galleries, journals, s.options.Logger)
	w.store = store
	backend := rpc.Backend{Embedder: e, Eraser: eraser, Galleries: galleries, Journals: journals, Models: w.library, Tokens: w.tokens, FreeBytes: store.FreeBytes}
	if s.wrap != nil {
		backend = s.wrap(backend)
	}
	w.server.Ready(backend)
	done := make(chan error, 1)
	w.done = done
	w.stop = sync.OnceFunc(func() {
		cancel()
		done <- <-served
		eraser.Close()
		must(t, galleries.Close())
		must(t, e.Close())
		if err := journals.Close(); s.storage.MinFreeBytes <= 0 { // else the disk takes no lines
			must(t, err)
		}
		must(t, w.tokens.Close())
		must(t, store.Close())
	})
	t.Cleanup(w.stop)
	return w
}

func (w *world) attendance() rollcallv1connect.AttendanceServiceClient {
	return rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url)
}

func (w *world) gallery() rollcallv1connect.GalleryServiceClient {
	return rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, w.url)
}

func (w *world) journal() rollcallv1connect.JournalServiceClient {
	return rollcallv1connect.NewJournalServiceClient(http.DefaultClient, w.url)
}

// admin makes a token that may do everything, the first of a world: from then on every
// call needs one.
func (w *world) admin() string { return w.token(access.Caller{Role: access.Admin, Embeddings: true}) }

// token makes a token.
func (w *world) token(c access.Caller) string {
	w.t.Helper()
	text, _, err := w.tokens.Create(w.t.Context(), access.Token{Caller: c}, access.Anybody)
	must(w.t, err)
	return text
}

// bearer makes a client send a token with each call.
func bearer(token string) connect.ClientOption {
	return connect.WithInterceptors(bearerInterceptor(token))
}

type bearerInterceptor string

func (b bearerInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		req.Header().Set("Authorization", "Bearer "+string(b))
		return next(ctx, req)
	}
}

func (b bearerInterceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", "Bearer "+string(b))
		return conn
	}
}

func (bearerInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// h2c is an HTTP client that speaks HTTP/2 in clear text only.
func h2c() *http.Client {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: &p}}
}

// answer is a Connect answer over plain HTTP, as curl sees it.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// post sends JSON as curl would.
func (w *world) post(procedure, body string) answer {
	w.t.Helper()
	resp, err := http.Post(w.url+procedure, "application/json", strings.NewReader(body))
	must(w.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(w.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if err := json.Unmarshal(raw, &a.body); err != nil {
		w.t.Fatalf("%s answered %d with %q: %v", procedure, resp.StatusCode, raw, err)
	}
	return a
}

// reason is the ErrorInfo.reason of an error.
func (a answer) reason() string {
	details, _ := a.body["details"].([]any)
	for _, d := range details {
		detail, _ := d.(map[string]any)
		if detail["type"] == "google.rpc.ErrorInfo" {
			info, _ := detail["debug"].(map[string]any)
			reason, _ := info["reason"].(string)
			return reason
		}
	}
	return ""
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// counts waits until /metrics has these texts: a call is counted when it is over, which
// is after its answer.
func (w *world) counts(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		eventually(w.t, "/metrics has "+text, func() bool { return strings.Contains(get(w.t, w.url+"/metrics"), text) })
	}
}

// eventually waits for something that happens soon.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: not within ten seconds", what)
}
