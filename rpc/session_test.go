package rpc_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/access"
	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// browser keeps cookies.
type browser struct {
	w      *world
	client *http.Client
}

func newBrowser(w *world) *browser {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &browser{w, &http.Client{Jar: jar}}
}

// ask makes a request with JSON, and returns the status and what was answered.
func (b *browser) ask(method, path, body string, header http.Header) (int, map[string]any, *http.Response) {
	b.w.t.Helper()
	req, err := http.NewRequest(method, b.w.url+path, strings.NewReader(body))
	must(b.w.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for key, values := range header {
		req.Header[key] = values
	}
	resp, err := b.client.Do(req)
	must(b.w.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(b.w.t, err)
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		b.w.t.Fatalf("%s %s: %q: %v", method, path, raw, err)
	}
	return resp.StatusCode, answer, resp
}

func (b *browser) tokens(opts ...connect.ClientOption) rollcallv1connect.TokenServiceClient {
	return rollcallv1connect.NewTokenServiceClient(b.client, b.w.url, opts...)
}

// TestSessionOfABrowser: a token buys a session, which is in a cookie that pages cannot
// read. It does what the token does until it is ended.
func TestSessionOfABrowser(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(w)
	if status, answer, _ := b.ask(http.MethodGet, "/session", "", nil); status != http.StatusOK || answer["role"] != "admin" {
		t.Errorf("where nobody has to log in: %d %v", status, answer)
	}
	admin := w.admin()
	office := w.token(access.Caller{Name: "office", Role: access.Enroll, Galleries: []string{"default"}})
	if status, answer, resp := b.ask(http.MethodGet, "/session", "", nil); status != http.StatusUnauthorized || answer["code"] != "unauthenticated" || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("without a session: %d %v", status, answer)
	}
	status, answer, resp := b.ask(http.MethodPost, "/session", `{"token":"`+office+`"}`, nil)
	if status != http.StatusOK || answer["role"] != "enroll" || answer["name"] != "office" || len(answer["galleries"].([]any)) != 1 {
		t.Fatalf("buying a session: %d %v", status, answer)
	}
	cookie := resp.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Secure || cookie.MaxAge < 11*3600 || cookie.MaxAge > 12*3600 || cookie.Value == office {
		t.Errorf("the cookie is %v", cookie)
	}
	if status, answer, _ := b.ask(http.MethodGet, "/session", "", nil); status != http.StatusOK || answer["name"] != "office" {
		t.Errorf("with a session: %d %v", status, answer)
	}
	if status, _, _ := b.ask(http.MethodPost, galleryPath+"ListStudents", `{}`, nil); status != http.StatusOK {
		t.Errorf("a call with a session: %d", status)
	}
	if status, _, _ := b.ask(http.MethodPost, galleryPath+"GetSettings", `{}`, nil); status != http.StatusForbidden {
		t.Errorf("a call that the role may not make: %d", status)
	}
	if status, answer, _ := newBrowser(w).ask(http.MethodPost, "/session", `{"token":"`+cookie.Value+`"}`, nil); status != http.StatusUnauthorized {
		t.Errorf("a session buys another one: %d %v", status, answer)
	}
	if status, _, resp := b.ask(http.MethodDelete, "/session", "", nil); status != http.StatusOK || resp.Cookies()[0].MaxAge >= 0 {
		t.Errorf("ending it: %d %v", status, resp.Cookies())
	}
	for _, header := range []http.Header{nil, {"Cookie": {"rollcall_session=" + cookie.Value}}, {"Authorization": {"Bearer " + cookie.Value}}} {
		if status, _, _ := b.ask(http.MethodGet, "/session", "", header); status != http.StatusUnauthorized {
			t.Errorf("after its end, with %v: %d", header, status)
		}
	}
	if status, answer, _ := b.ask(http.MethodDelete, "/session", "", http.Header{"Authorization": {"Bearer " + admin}}); status != http.StatusNotFound {
		t.Errorf("a token ended as if it were a session: %d %v", status, answer)
	}
}

// TestOtherSitesPages cannot use a visitor's session, nor begin or end one.
func TestOtherSitesPages(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(w)
	admin := w.admin()
	if status, _, _ := b.ask(http.MethodPost, "/session", `{"token":"`+admin+`"}`, nil); status != http.StatusOK {
		t.Fatal(status)
	}
	own := http.Header{"Origin": {w.url}, "Sec-Fetch-Site": {"same-origin"}}
	for name, foreign := range map[string]http.Header{
		"by Sec-Fetch-Site": {"Sec-Fetch-Site": {"cross-site"}}, "of a sister": {"Sec-Fetch-Site": {"same-site"}},
		"by Origin": {"Origin": {"https://evil.example"}}, "of nowhere": {"Origin": {"null"}},
	} {
		for _, c := range []struct{ method, path, body string }{
			{http.MethodPost, galleryPath + "ListStudents", `{}`}, {http.MethodPost, "/session", `{"token":"` + admin + `"}`}, {http.MethodDelete, "/session", ""},
			{http.MethodGet, galleryPath + "ListStudents?connect=v1&encoding=json&message=%7B%7D", ""}, {http.MethodGet, "/session", ""},
		} {
			if status, answer, _ := b.ask(c.method, c.path, c.body, foreign); status != http.StatusForbidden || !strings.Contains(answer["message"].(string), "another site") {
				t.Errorf("%s %s for a page of another site, known %s: %d %v", c.method, c.path, name, status, answer)
			}
		}
		// With a token of its own in the header, a program may call from anywhere.
		bearing := foreign.Clone()
		bearing.Set("Authorization", "Bearer "+admin)
		if status, answer, _ := b.ask(http.MethodPost, galleryPath+"ListStudents", `{}`, bearing); status != http.StatusOK {
			t.Errorf("with a token, known %s: %d %v", name, status, answer)
		}
	}
	if status, answer, _ := b.ask(http.MethodPost, galleryPath+"ListStudents", `{}`, own); status != http.StatusOK {
		t.Errorf("a page of ours: %d %v", status, answer)
	}
}

// TestPaymentsThatAreNone: what is not exactly one token or code is refused, whatever it is.
func TestPaymentsThatAreNone(t *testing.T) {
	w := newWorld(t, setup{})
	admin := w.admin()
	for _, c := range []struct {
		kind, body string
		status     int
	}{
		{"application/json", `{"token":"` + admin + `"}`, http.StatusOK},
		{"application/json; charset=utf-8", `{"token":"` + admin + `"}`, http.StatusOK},
		{"text/plain", `{"token":"` + admin + `"}`, http.StatusBadRequest},
		{"application/x-www-form-urlencoded", url.Values{"token": {admin}}.Encode(), http.StatusBadRequest},
		{"", `{"token":"` + admin + `"}`, http.StatusBadRequest},
		{"application/json", ``, http.StatusBadRequest},
		{"application/json", `{}`, http.StatusBadRequest},
		{"application/json", `null`, http.StatusBadRequest},
		{"application/json", `{"token":"` + admin + `","code":"ABCD"}`, http.StatusBadRequest},
		{"application/json", `{"token":"` + admin + `"} {}`, http.StatusBadRequest},
		{"application/json", `{"token":"` + admin + `","more":1}`, http.StatusBadRequest},
		{"application/json", `{"token":"` + strings.Repeat("x", 5000) + `"}`, http.StatusBadRequest},
		{"application/json", `{"token":"x"}`, http.StatusUnauthorized},
		{"application/json", `{"code":"AAAAAAAA"}`, http.StatusUnauthorized},
	} {
		status, answer, resp := newBrowser(w).ask(http.MethodPost, "/session", c.body, http.Header{"Content-Type": {c.kind}})
		if status != c.status || status != http.StatusOK && len(resp.Cookies()) > 0 {
			t.Errorf("%s %s: %d %v, want %d", c.kind, c.body, status, answer, c.status)
		}
	}
	if strings.Contains(w.log.String(), admin[25:]) {
		t.Error("a token is in the log")
	}
}

// TestPairing: a code that an admin has asked for pairs a tablet once. The tablet stays
// paired over restarts, and is listed with when it was last seen, until it is revoked.
func TestPairing(t *testing.T) {
	w := newWorld(t, setup{})
	admin := w.admin()
	ctx := t.Context()
	tokens := newBrowser(w).tokens(bearer(admin))
	code, err := tokens.CreatePairingCode(ctx, &pb.CreatePairingCodeRequest{Name: "door tablet", Role: pb.Role_ROLE_CHECKIN, Groups: []string{"3b"}})
	must(t, err)
	if left := time.Until(code.GetExpires().AsTime()); left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("the code can be used for %v", left)
	}
	tablet := newBrowser(w)
	status, answer, resp := tablet.ask(http.MethodPost, "/session", `{"code":" `+strings.ToLower(code.GetCode())+`"}`, nil)
	if status != http.StatusOK || answer["role"] != "checkin" || answer["name"] != "door tablet" {
		t.Fatalf("pairing: %d %v", status, answer)
	}
	if cookie := resp.Cookies()[0]; cookie.MaxAge < 399*24*3600 {
		t.Errorf("the tablet is paired for %d seconds only", cookie.MaxAge)
	}
	if status, _, _ := newBrowser(w).ask(http.MethodPost, "/session", `{"code":"`+code.GetCode()+`"}`, nil); status != http.StatusUnauthorized {
		t.Errorf("the code pairs a second tablet: %d", status)
	}
	cookies := tablet.client.Jar.Cookies(mustURL(t, w.url))
	w.stop()
	w = newWorld(t, setup{data: w.data, library: w.library})
	tablet = newBrowser(w)
	tablet.client.Jar.SetCookies(mustURL(t, w.url), cookies)
	before := time.Now()
	if status, answer, resp := tablet.ask(http.MethodGet, "/session", "", nil); status != http.StatusOK || len(resp.Cookies()) != 1 {
		t.Errorf("after a restart: %d %v", status, answer)
	}
	tokens = newBrowser(w).tokens(bearer(admin))
	list, err := tokens.ListTokens(ctx, &pb.ListTokensRequest{})
	must(t, err)
	if len(list.GetTokens()) != 2 {
		t.Fatalf("%v", list)
	}
	paired := list.GetTokens()[1]
	if paired.GetName() != "door tablet" || paired.GetParentId() != list.GetTokens()[0].GetTokenId() || paired.GetLastUsed().AsTime().Before(before) || paired.GetExpires() != nil {
		t.Errorf("listed as %v", paired)
	}
	_, err = tokens.RevokeToken(ctx, &pb.RevokeTokenRequest{TokenId: paired.GetTokenId()})
	must(t, err)
	if status, answer, _ := tablet.ask(http.MethodGet, "/session", "", nil); status != http.StatusUnauthorized {
		t.Errorf("revoked: %d %v", status, answer)
	}
}

// TestGuessedCodesSlowDown: an address that tries many codes has to wait, also with a
// right one.
func TestGuessedCodesSlowDown(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{Limits: access.LimitOptions{WrongTokens: 3}}})
	code, err := newBrowser(w).tokens(bearer(w.admin())).CreatePairingCode(t.Context(), &pb.CreatePairingCodeRequest{Name: "t", Role: pb.Role_ROLE_CHECKIN})
	must(t, err)
	var statuses []int
	for range 4 {
		status, _, _ := newBrowser(w).ask(http.MethodPost, "/session", `{"code":"AAAAAAAA"}`, nil)
		statuses = append(statuses, status)
	}
	status, _, resp := newBrowser(w).ask(http.MethodPost, "/session", `{"code":"`+code.GetCode()+`"}`, nil)
	if statuses[0] != http.StatusUnauthorized || statuses[3] != http.StatusTooManyRequests || status != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%v, then with a right code %d", statuses, status)
	}
}

// TestSessionsCountAsRequests: whatever is asked of /session with a good token.
func TestSessionsCountAsRequests(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		w := newWorld(t, setup{options: rpc.Options{Limits: access.LimitOptions{Requests: 2}}})
		admin, body := w.admin(), ""
		if method == http.MethodPost {
			body = `{"token":"` + admin + `"}`
		}
		limited := 0
		for range 10 {
			status, answer, _ := newBrowser(w).ask(method, "/session", body, http.Header{"Authorization": {"Bearer " + admin}})
			if status == http.StatusTooManyRequests && strings.Contains(answer["message"].(string), "requests a second") {
				limited++
			}
		}
		if limited == 0 {
			t.Errorf("ten times %s at once, where two requests a second are allowed: none was refused", method)
		}
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	must(t, err)
	return u
}

// TestRevokingEndsWhatIsUnderWay: an open stream and a call that works end when the token
// is revoked or expires, with the reason.
func TestRevokingEndsWhatIsUnderWay(t *testing.T) {
	entered := make(chan struct{}, 10)
	w := newWorld(t, setup{wrap: func(b rpc.Backend) rpc.Backend {
		b.Embedder = waitingEmbedder{b.Embedder, entered}
		return b
	}})
	admin := newBrowser(w).tokens(bearer(w.admin()))
	for name, expires := range map[string]time.Duration{"REVOKED_TOKEN": 0, "EXPIRED_TOKEN": 700 * time.Millisecond} {
		req := &pb.CreateTokenRequest{Name: "office", Role: pb.Role_ROLE_ENROLL}
		if expires > 0 {
			req.Expires = timestamppb.New(time.Now().Add(expires))
		}
		made, err := admin.CreateToken(t.Context(), req)
		must(t, err)
		token := bearer(made.GetSecret())
		ended := make(chan error, 4)
		for _, option := range []connect.ClientOption{connect.WithGRPC(), connect.WithClientOptions()} {
			stream, err := rollcallv1connect.NewGalleryServiceClient(h2c(), w.url, option, token).EnrollStream(t.Context())
			must(t, err)
			must(t, stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: onnxtest.Blank(1)}})) // needs an id
			_, err = stream.Receive()
			must(t, err)
			go func() { // it waits for the next answer, and the server for the next crop
				_, err := stream.Receive()
				ended <- err
			}()
		}
		go func() {
			_, err := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, token).Embed(t.Context(), &pb.EmbedRequest{Image: onnxtest.Blank(1)})
			ended <- err
		}()
		<-entered
		// An upload that never ends.
		go func() {
			upload, pipe := io.Pipe()
			defer pipe.Close()
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+embedPath, upload)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+made.GetSecret())
			resp, err := h2c().Do(req)
			if err == nil {
				var body []byte
				if body, err = io.ReadAll(resp.Body); err == nil && strings.Contains(string(body), name) {
					err = connect.NewError(connect.CodeUnauthenticated, nil)
				}
				resp.Body.Close()
			}
			ended <- err
		}()
		if expires == 0 {
			_, err := admin.RevokeToken(t.Context(), &pb.RevokeTokenRequest{TokenId: made.GetToken().GetTokenId()})
			must(t, err)
		}
		for range cap(ended) {
			select {
			case err := <-ended:
				if connect.CodeOf(err) != connect.CodeUnauthenticated || reasonOf(err) != name && reasonOf(err) != "" {
					t.Errorf("%s: a call ended with %v, reason %q", name, err, reasonOf(err))
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s: a call goes on", name)
			}
		}
	}
}

// waitingEmbedder works until the call ends.
type waitingEmbedder struct {
	rpc.Embedder
	entered chan struct{}
}

func (e waitingEmbedder) Embed(ctx context.Context, _ embedder.Request) (*embedder.Result, error) {
	e.entered <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}
