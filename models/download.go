package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// chunkBytes is how much is read at a time, between two looks at the context: some milliseconds of a
// fast network.
const chunkBytes = 1 << 20

// fetcher says how downloads behave. Tests shorten the times.
type fetcher struct {
	client *http.Client
	// stall ends an attempt that receives no byte for this long. The whole download has no limit: 288 MB
	// over a school's line may take an hour.
	stall time.Duration
	// attempts is how many attempts in a row without a new byte end the download.
	attempts int
	// backoff is the pause before the second attempt. It doubles each time, up to 16 times its value.
	backoff time.Duration
}

func newFetcher() fetcher {
	return fetcher{client: &http.Client{}, stall: 30 * time.Second, attempts: 5, backoff: time.Second}
}

// download downloads url into file. It goes on with an earlier part if the server proves, by the validator
// in the state file, that it still offers the same (RFC 9110, sections 13.1.5 and 14.2). Not safe for
// concurrent use.
type download struct {
	fetcher
	url      string
	bytes    int64 // expected size, 0 if unknown
	file     string
	state    string // JSON of a downloadState
	progress func(done, total int64)
}

// downloadState says which file a partial file is a part of.
type downloadState struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // strong ETag, else Last-Modified; for If-Range
}

// permanentError is an error that another attempt does not mend.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

var errStalled = errors.New("the server stopped sending")

func (d *download) host() string {
	u, err := url.Parse(d.url)
	if err != nil {
		return "the server"
	}
	return u.Host
}

// run downloads the file. It makes further attempts as long as they bring something new.
func (d *download) run(ctx context.Context) error {
	most := d.have()
	if d.bytes > 0 && most == d.bytes && d.readState().URL == d.url {
		return nil // complete: only a later step failed
	}
	for failures := 0; ; {
		err := d.attempt(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.As(err, new(permanentError)) {
			return err
		}
		// A server without ranges starts from nothing each time. So the most bytes that ever came count, or
		// such a download might never end.
		if have := d.have(); have > most {
			most, failures = have, 0
		}
		failures++
		if failures >= d.attempts {
			return fmt.Errorf("%w (after %d attempts; the part that has come is kept for the next time)", err, failures)
		}
		pause := d.backoff << min(failures-1, 4)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		}
	}
}

// attempt makes one request and writes what it receives.
func (d *download) attempt(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(d.stall, func() { cancel(errStalled) })
	defer watchdog.Stop()

	state := d.readState()
	from := d.have()
	if state.URL != d.url || state.Validator == "" {
		from = 0
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return permanentError{err}
	}
	request.Header.Set("User-Agent", "rollcall")
	// A transparently compressed answer has no length, and its ranges count other bytes.
	request.Header.Set("Accept-Encoding", "identity")
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		request.Header.Set("If-Range", state.Validator)
	}
	response, err := d.client.Do(request)
	if err != nil {
		return d.why(ctx, err)
	}
	defer response.Body.Close()
	total, done, err := d.begin(response, state, from)
	if err != nil || done {
		return err
	}
	if response.StatusCode == http.StatusOK {
		from = 0
	}
	return d.receive(ctx, response.Body, watchdog, from, total)
}

// begin reads the head of the answer to a request for all but the first from bytes, and prepares the
// partial file for the body. total is 0 where the server does not say it. done: there is no more.
func (d *download) begin(response *http.Response, state downloadState, from int64) (total int64, done bool, err error) {
	switch response.StatusCode {
	case http.StatusOK:
		total = max(response.ContentLength, 0)
		if err := d.checkTotal(total); err != nil {
			return 0, false, err
		}
		return total, false, d.startAnew(downloadState{URL: d.url, Validator: validator(response.Header)})
	case http.StatusPartialContent:
		start, _, total, ok := parseContentRange(response.Header.Get("Content-Range"))
		// A part that was not asked for (from is 0) is useless, and so is another part.
		if !ok || from == 0 || start != from || changed(response.Header, state) {
			return 0, false, errors.Join(errors.New("the server sent another part of the file than the one requested"), d.discard())
		}
		return total, false, d.checkTotal(total)
	case http.StatusRequestedRangeNotSatisfiable:
		// There is no more: either the file was complete, or it has become shorter.
		if _, _, total, ok := parseContentRange(response.Header.Get("Content-Range")); ok && total == from && from > 0 && !changed(response.Header, state) {
			return total, true, d.checkTotal(total)
		}
		return 0, false, errors.Join(errors.New("the file has changed on the server"), d.discard())
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return 0, false, errors.New(response.Status)
	}
	err = errors.New(response.Status)
	if response.StatusCode < http.StatusInternalServerError {
		err = permanentError{err}
	}
	return 0, false, err
}

// checkTotal refuses a size that cannot be right, before it is downloaded.
func (d *download) checkTotal(total int64) error {
	if total == 0 {
		return nil
	}
	if d.bytes != 0 && total != d.bytes {
		return permanentError{errors.Join(
			fmt.Errorf("%w: the server offers %d bytes, but the contract says %d", ErrDigestMismatch, total, d.bytes), d.discard())}
	}
	if total > maxFileBytes {
		return permanentError{errors.Join(tooLarge("the file", maxFileBytes), d.discard())}
	}
	return nil
}

// receive appends the body to the partial file.
func (d *download) receive(ctx context.Context, body io.Reader, watchdog *time.Timer, from, total int64) (err error) {
	file, err := os.OpenFile(d.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return permanentError{err}
	}
	defer func() {
		if closeErr := file.Close(); err == nil && closeErr != nil {
			err = permanentError{closeErr}
		}
	}()
	limit := d.bytes
	if limit == 0 {
		limit = maxFileBytes
	}
	if total == 0 {
		total = d.bytes
	}
	have := from
	buffer := make([]byte, chunkBytes)
	for {
		d.progress(have, total)
		n, readErr := body.Read(buffer)
		if n > 0 {
			watchdog.Reset(d.stall)
			if _, err := file.Write(buffer[:n]); err != nil {
				return permanentError{err}
			}
			have += int64(n)
			if have > limit {
				return permanentError{errors.Join(tooLarge("the file", limit), d.discard())}
			}
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return d.why(ctx, readErr)
		}
	}
	d.progress(have, total)
	if total > 0 && have < total {
		return fmt.Errorf("the connection ended after %d of %d bytes", have, total)
	}
	return nil
}

// why returns what ended a request, such as the stall or the end of the context behind an error. It never
// returns the address that a redirect led to, because that may carry a signature.
func (d *download) why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var urlError *url.Error
	if errors.As(err, &urlError) {
		return urlError.Err
	}
	return err
}

// have is the size of the partial file.
func (d *download) have() int64 {
	info, err := os.Stat(d.file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// readState returns the zero state where none can be read. Then the download starts anew.
func (d *download) readState() (state downloadState) {
	data, err := os.ReadFile(d.state)
	if err != nil || json.Unmarshal(data, &state) != nil {
		return downloadState{}
	}
	return state
}

// startAnew empties the partial file before it writes the new state, so that after a crash in between
// nothing can be taken for a part of the new file.
func (d *download) startAnew(state downloadState) error {
	if err := d.discard(); err != nil {
		return permanentError{err}
	}
	data, err := json.Marshal(state)
	if err == nil {
		err = os.WriteFile(d.state, data, 0o644)
	}
	if err != nil {
		return permanentError{err}
	}
	return nil
}

func (d *download) discard() error {
	if err := os.Remove(d.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// validator returns the value for If-Range: a strong ETag, or else the date of the last change, or "" if
// there is neither.
func validator(header http.Header) string {
	if tag := header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return header.Get("Last-Modified")
}

// changed reports whether the answer belongs to another file than the partial one: a server that does not
// know If-Range sends a part of whatever it has now.
func changed(header http.Header, state downloadState) bool {
	now := validator(header)
	return now != "" && now != state.Validator
}

// parseContentRange reads "bytes 5-9/10" and "bytes */10". An unknown total is 0.
func parseContentRange(value string) (start, end, total int64, ok bool) {
	span, size, found := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	if !found || !strings.HasPrefix(value, "bytes ") {
		return 0, 0, 0, false
	}
	var err error
	if size != "*" {
		if total, err = strconv.ParseInt(size, 10, 64); err != nil || total < 0 {
			return 0, 0, 0, false
		}
	}
	if span == "*" {
		return 0, 0, total, true
	}
	first, last, found := strings.Cut(span, "-")
	if !found {
		return 0, 0, 0, false
	}
	start, err = strconv.ParseInt(first, 10, 64)
	if err != nil || start < 0 {
		return 0, 0, 0, false
	}
	end, err = strconv.ParseInt(last, 10, 64)
	if err != nil || end < start {
		return 0, 0, 0, false
	}
	return start, end, total, true
}
