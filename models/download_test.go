package models

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// badServer serves one file the way real servers and networks do on a bad day. Its fields may be
// changed between requests.
type badServer struct {
	mu struct {
		sync.Mutex
		behaviour
		requests []string // the Range header of each request
		sent     int64    // bytes of bodies
	}
	url string
}

type behaviour struct {
	content   []byte
	etag      string // strong or weak, "" for none
	modified  string // Last-Modified, "" for none
	noRanges  bool   // answers 200 with everything, whatever is asked
	blindly   bool   // answers ranges without looking at If-Range
	shifted   bool   // answers with another range than was asked for
	chunked   bool   // sends no length
	declared  int64  // Content-Length that is not true, 0 for the true one
	dropAfter int    // cuts the connection after so many bytes of the body, 0 for never
	stall     bool   // with dropAfter: keeps the connection instead and sends nothing more
	status    int    // answers with nothing but this status, 0 for the file
	failures  int    // so many requests get status, the following the file
}

func newBadServer(t testing.TB, content []byte) *badServer {
	s := &badServer{}
	s.mu.content, s.mu.etag = content, `"v1"`
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/model.onnx"
	return s
}

// set changes how the server behaves.
func (s *badServer) set(change func(b *behaviour)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.mu.behaviour)
}

// log returns the ranges that were asked for and the number of bytes that were sent, and forgets them.
func (s *badServer) log() (requests []string, sent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, sent = s.mu.requests, s.mu.sent
	s.mu.requests, s.mu.sent = nil, 0
	return requests, sent
}

func (s *badServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.mu.requests = append(s.mu.requests, r.Header.Get("Range"))
	b := s.mu.behaviour
	if s.mu.failures > 0 {
		s.mu.failures--
		if s.mu.failures == 0 {
			s.mu.status = 0
		}
	}
	s.mu.Unlock()

	if b.etag != "" {
		w.Header().Set("ETag", b.etag)
	}
	if b.modified != "" {
		w.Header().Set("Last-Modified", b.modified)
	}
	if b.status != 0 {
		w.WriteHeader(b.status)
		return
	}
	body, status := b.content, http.StatusOK
	condition := r.Header.Get("If-Range")
	if asked := r.Header.Get("Range"); asked != "" && !b.noRanges && (b.blindly || condition == b.etag || condition == b.modified) {
		from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(asked, "bytes="), "-"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if from >= len(b.content) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", len(b.content)))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		if b.shifted {
			from--
		}
		body, status = b.content[from:], http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b.content)-1, len(b.content)))
	}
	if !b.chunked {
		length := int64(len(body))
		if b.declared != 0 {
			length = b.declared
		}
		w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
	w.WriteHeader(status)
	cut := b.dropAfter > 0 && b.dropAfter < len(body)
	if cut {
		body = body[:b.dropAfter]
	}
	// Counted first: the client may ask for the count as soon as the bytes have come.
	s.mu.Lock()
	s.mu.sent += int64(len(body))
	s.mu.Unlock()
	_, err := w.Write(body)
	if err == nil && (b.chunked || cut) {
		http.NewResponseController(w).Flush()
	}
	if cut && b.stall {
		<-r.Context().Done()
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// pullLibrary returns a server, a library whose model m comes from it, and the file.
func pullLibrary(t testing.TB) (*badServer, *Library, []byte) {
	file := fakeONNX(7, 200_000)
	s := newBadServer(t, file)
	return s, testLibrary(t, t.TempDir(), sourced(testEmbedder("m"), file, s.url)), file
}

func TestPull(t *testing.T) {
	for name, change := range map[string]func(b *behaviour){
		"well behaved":         func(*behaviour) {},
		"no ranges":            func(b *behaviour) { b.noRanges = true },
		"no validator":         func(b *behaviour) { b.etag = "" },
		"chunked":              func(b *behaviour) { b.chunked = true },
		"drops":                func(b *behaviour) { b.dropAfter = 30_000 },
		"drops and is chunked": func(b *behaviour) { b.dropAfter, b.chunked = 30_000, true },
		"drops and has a date": func(b *behaviour) { b.dropAfter, b.etag, b.modified = 30_000, "", "Mon, 02 Jan 2006 15:04:05 GMT" },
		"drops and has a weak tag": func(b *behaviour) {
			b.dropAfter, b.etag, b.modified = 30_000, `W/"v1"`, "Mon, 02 Jan 2006 15:04:05 GMT"
		},
		"stalls":        func(b *behaviour) { b.dropAfter, b.stall = 90_000, true },
		"busy at first": func(b *behaviour) { b.status, b.failures = http.StatusServiceUnavailable, 3 },
		"limits rate":   func(b *behaviour) { b.status, b.failures = http.StatusTooManyRequests, 3 },
	} {
		t.Run(name, func(t *testing.T) {
			s, l, file := pullLibrary(t)
			s.set(change)
			if name == "stalls" {
				l.fetcher.stall = 200 * time.Millisecond
			}
			var last, total int64
			err := l.Pull(t.Context(), "m", PullOptions{Progress: func(d, t int64) { last, total = d, t }})
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, l, "m", file)
			if last != int64(len(file)) || total != int64(len(file)) {
				t.Errorf("progress ended at %d of %d, the file has %d", last, total, len(file))
			}
			if w := filepath.Join(l.dir, workDir, "m"); exists(filepath.Join(w, downloadFile)) || exists(filepath.Join(w, stateFile)) {
				t.Error("the download has been left")
			}
			s.log()
			if err := l.Pull(t.Context(), "m", PullOptions{}); err != nil {
				t.Fatal(err)
			}
			if requests, _ := s.log(); len(requests) > 0 {
				t.Errorf("what is installed was asked for again: %q", requests)
			}
		})
	}
}

// TestPullSendsNothingTwice counts the bytes when a server keeps cutting the connection.
func TestPullSendsNothingTwice(t *testing.T) {
	s, l, file := pullLibrary(t)
	s.set(func(b *behaviour) { b.dropAfter = 30_000 })
	if err := l.Pull(t.Context(), "m", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	requests, sent := s.log()
	if sent != int64(len(file)) || len(requests) != len(file)/30_000+1 {
		t.Errorf("%d bytes in %d requests for a file of %d", sent, len(requests), len(file))
	}
}

func TestPullFails(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b *behaviour)
		want   error
		says   string
		once   bool // not worth a second request
	}{
		"not found":              {func(b *behaviour) { b.status = http.StatusNotFound }, nil, "404", true},
		"forbidden":              {func(b *behaviour) { b.status = http.StatusForbidden }, nil, "403", true},
		"always busy":            {func(b *behaviour) { b.status = http.StatusBadGateway }, nil, "502", false},
		"wrong digest":           {func(b *behaviour) { b.content = fakeONNX(8, 200_000) }, ErrDigestMismatch, "has been deleted", true},
		"wrong length":           {func(b *behaviour) { b.content = fakeONNX(7, 199_999) }, ErrDigestMismatch, "but the contract says", true},
		"length not true":        {func(b *behaviour) { b.declared = 5 }, ErrDigestMismatch, "but the contract says", true},
		"too long, no length":    {func(b *behaviour) { b.content, b.chunked = fakeONNX(7, 2_000_000), true }, nil, "more than", true},
		"too short, no length":   {func(b *behaviour) { b.content, b.chunked = fakeONNX(7, 1000), true }, ErrDigestMismatch, "but the contract says", false},
		"a web page":             {func(b *behaviour) { b.content = append([]byte("<html>"), make([]byte, len(b.content)-6)...) }, ErrDigestMismatch, "web page", true},
		"drops early, no ranges": {func(b *behaviour) { b.dropAfter, b.noRanges = 30_000, true }, nil, "5 attempts", false},
		"always the wrong range": {func(b *behaviour) { b.dropAfter, b.shifted = 30_000, true }, nil, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, l, file := pullLibrary(t)
			s.set(test.change)
			err := l.Pull(t.Context(), "m", PullOptions{})
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v", err)
			}
			wantNothing(t, l, "m")
			requests, _ := s.log()
			if test.once != (len(requests) == 1) || len(requests) > 20 {
				t.Errorf("%d requests", len(requests))
			}
			if errors.Is(err, ErrDigestMismatch) && exists(filepath.Join(l.dir, workDir, "m", downloadFile)) {
				t.Error("a file with the wrong digest has been kept")
			}
			// And the next day all is well.
			s.set(func(b *behaviour) { *b = behaviour{content: file, etag: `"v2"`} })
			if err := l.Pull(t.Context(), "m", PullOptions{}); err != nil {
				t.Fatalf("afterwards: %v", err)
			}
			wantFile(t, l, "m", file)
		})
	}
}

// TestPullResumesAfterCancel breaks off and goes on, in the same way a second process would.
func TestPullResumesAfterCancel(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b *behaviour)
		ranges bool // the second pull goes on where the first broke off
	}{
		"same file":      {func(*behaviour) {}, true},
		"another tag":    {func(b *behaviour) { b.etag = `"v2"` }, false},
		"blind to tags":  {func(b *behaviour) { b.etag, b.blindly = `"v2"`, true }, false},
		"without ranges": {func(b *behaviour) { b.noRanges = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, l, file := pullLibrary(t)
			s.set(func(b *behaviour) { b.dropAfter, b.stall = 120_000, true })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := l.Pull(ctx, "m", PullOptions{Progress: func(done, _ int64) {
				if done == 120_000 {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			wantNothing(t, l, "m")
			partial := filepath.Join(l.dir, workDir, "m", downloadFile)
			if info, err := os.Stat(partial); err != nil || info.Size() != 120_000 {
				t.Fatalf("partial file: %v, %v", info, err)
			}
			s.log()
			s.set(func(b *behaviour) { b.dropAfter, b.stall = 0, false })
			s.set(test.change)
			if err := testLibrary(t, l.dir, l.catalogue["m"]).Pull(t.Context(), "m", PullOptions{}); err != nil {
				t.Fatal(err)
			}
			wantFile(t, l, "m", file)
			_, sent := s.log()
			if resumed := sent == int64(len(file))-120_000; resumed != test.ranges {
				t.Errorf("%d bytes were sent", sent)
			}
		})
	}
}

// TestPullOfChangedContent changes the file in the middle: what arrives is the new one, whole.
func TestPullOfChangedContent(t *testing.T) {
	file := fakeONNX(9, 200_000)
	s := newBadServer(t, fakeONNX(8, 200_000))
	s.set(func(b *behaviour) { b.dropAfter = 50_000 })
	l := testLibrary(t, t.TempDir(), sourced(testEmbedder("m"), file, s.url))
	err := l.Pull(t.Context(), "m", PullOptions{Progress: func(done, _ int64) {
		if done >= 100_000 {
			s.set(func(b *behaviour) { b.content, b.etag = file, `"v2"` })
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, l, "m", file)
}

// TestPullAfterFailedCheck goes on from a whole file: a check that fails costs no second download.
func TestPullAfterFailedCheck(t *testing.T) {
	s, l, file := pullLibrary(t)
	errCheck := errors.New("no runtime here")
	err := l.Pull(t.Context(), "m", PullOptions{Check: func(Contract, []byte) ([]float32, error) { return nil, errCheck }})
	if !errors.Is(err, errCheck) {
		t.Fatalf("got %v", err)
	}
	wantNothing(t, l, "m")
	s.log()
	golden := []float32{1, 0, 0, 0}
	err = l.Pull(t.Context(), "m", PullOptions{Check: func(_ Contract, data []byte) ([]float32, error) {
		if string(data) != string(file) {
			t.Error("the check gets something else")
		}
		return golden, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if requests, _ := s.log(); len(requests) > 0 {
		t.Errorf("asked for %q", requests)
	}
	m, err := l.Model("m")
	if err != nil || m.Contract.Golden == nil || m.Contract.Golden.Embedding[0] != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
}

// TestPullAgainst416 has a whole partial file of unknown size, so that nothing is left to ask for, and
// one that is too long.
func TestPullAgainst416(t *testing.T) {
	for _, extra := range []int{0, 1, 1000} {
		s, l, file := pullLibrary(t)
		c := l.catalogue["m"]
		c.Source = &Source{URL: s.url}
		l = testLibrary(t, l.dir, c)
		w, err := l.openWorkshop(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		d := download{file: w.path(downloadFile), state: w.path(stateFile)}
		err = errors.Join(d.startAnew(downloadState{URL: s.url, Validator: `"v1"`}),
			os.WriteFile(d.file, append(file[:len(file):len(file)], make([]byte, extra)...), 0o644))
		w.unlock()
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Pull(t.Context(), "m", PullOptions{}); err != nil {
			t.Fatal(err)
		}
		wantFile(t, l, "m", file)
		if _, sent := s.log(); (sent == 0) != (extra == 0) {
			t.Errorf("%d bytes too many: %d bytes were sent", extra, sent)
		}
	}
}

func TestPullFollowsRedirects(t *testing.T) {
	s, _, file := pullLibrary(t)
	s.set(func(b *behaviour) { b.dropAfter = 90_000 })
	redirect := httptest.NewServer(http.RedirectHandler(s.url+"?signature=secret", http.StatusFound))
	defer redirect.Close()
	l := testLibrary(t, t.TempDir(), sourced(testEmbedder("m"), file, redirect.URL))
	if err := l.Pull(t.Context(), "m", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, l, "m", file)
	if _, sent := s.log(); sent != int64(len(file)) {
		t.Errorf("%d bytes were sent, ranges got lost on the way", sent)
	}

	// A connection that fails behind a redirect does not show where it led.
	closed := httptest.NewServer(nil)
	closed.Close()
	away := httptest.NewServer(http.RedirectHandler(closed.URL+"/?signature=secret", http.StatusFound))
	defer away.Close()
	l = testLibrary(t, t.TempDir(), sourced(testEmbedder("m"), file, away.URL))
	if err := l.Pull(t.Context(), "m", PullOptions{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestPullSurvivesRandomServers changes the behaviour at random with each piece that comes. A pull
// may fail, but then installs nothing; and after the server has come to its senses it succeeds.
func TestPullSurvivesRandomServers(t *testing.T) {
	right, wrong := fakeONNX(11, 50_000), fakeONNX(12, 50_000)
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 2))
		s := newBadServer(t, right)
		c := sourced(testEmbedder("m"), right, s.url)
		if random.IntN(2) == 0 {
			c.Source.Bytes = 0
		}
		l := testLibrary(t, t.TempDir(), c)
		mix := func() {
			s.set(func(b *behaviour) {
				*b = behaviour{content: right, etag: `"right"`, noRanges: random.IntN(4) == 0, blindly: random.IntN(4) == 0,
					shifted: random.IntN(8) == 0, chunked: random.IntN(3) == 0, dropAfter: random.IntN(30_000)}
				switch random.IntN(8) {
				case 0:
					b.content, b.etag = wrong, `"wrong"`
				case 1:
					b.etag = ""
				case 2:
					b.status, b.failures = 500, random.IntN(3)+1
				}
			})
		}
		mix()
		err := l.Pull(t.Context(), "m", PullOptions{Progress: func(int64, int64) { mix() }})
		if err == nil {
			wantFile(t, l, "m", right)
			continue
		}
		wantNothing(t, l, "m")
		s.set(func(b *behaviour) { *b = behaviour{content: right, etag: `"right"`} })
		// A part that was taken for the right one is found out by its digest, which costs one pull.
		if err := l.Pull(t.Context(), "m", PullOptions{}); err != nil && !errors.Is(err, ErrDigestMismatch) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := l.Pull(t.Context(), "m", PullOptions{}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		wantFile(t, l, "m", right)
	}
}

func TestParseContentRange(t *testing.T) {
	for value, want := range map[string]struct {
		start, end, total int64
		ok                bool
	}{
		"bytes 5-9/10": {5, 9, 10, true},
		"bytes 5-9/*":  {5, 9, 0, true},
		"bytes */10":   {0, 0, 10, true},
		"bytes 9-5/10": {}, "bytes -5/10": {}, "bytes 5-/10": {}, "bytes 5-9": {}, "lines 5-9/10": {}, "": {}, "bytes 5/10": {},
		"bytes 5-9/-1": {}, "bytes x-9/10": {}, "bytes 99999999999999999999-9/10": {},
	} {
		start, end, total, ok := parseContentRange(value)
		if start != want.start || end != want.end || total != want.total || ok != want.ok {
			t.Errorf("%q: got %d, %d, %d, %v", value, start, end, total, ok)
		}
	}
}
