package rpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"rollcall/access"
	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// mayCall says of each call and page which roles may make it, once more and in other
// words than the program: a letter for each role, "-" for nobody, "*" for everybody. An
// admin may do everything.
var mayCall = map[string]string{
	"/rollcall.v1.AttendanceService/Embed":             "e",
	"/rollcall.v1.AttendanceService/Identify":          "ce",
	"/rollcall.v1.AttendanceService/Verify":            "ce",
	"/rollcall.v1.AttendanceService/IdentifyBurst":     "ce",
	"/rollcall.v1.AttendanceService/RollCall":          "ce",
	"/rollcall.v1.AttendanceService/Detect":            "ce",
	"/rollcall.v1.GalleryService/EnrollStream":         "e",
	"/rollcall.v1.GalleryService/GetStudent":           "e",
	"/rollcall.v1.GalleryService/ListStudents":         "re",
	"/rollcall.v1.GalleryService/ListDueStudents":      "e",
	"/rollcall.v1.GalleryService/ListInactiveStudents": "e",
	"/rollcall.v1.GalleryService/UpdateStudent":        "e",
	"/rollcall.v1.GalleryService/SetConsent":           "e",
	"/rollcall.v1.GalleryService/SetDeleteAfter":       "e",
	"/rollcall.v1.GalleryService/DeleteStudent":        "e",
	"/rollcall.v1.GalleryService/GetCrop":              "e",
	"/rollcall.v1.GalleryService/AssignCrop":           "e",
	"/rollcall.v1.GalleryService/DeleteCrop":           "e",
	"/rollcall.v1.GalleryService/MergeStudents":        "e",
	"/rollcall.v1.GalleryService/ListLookalikes":       "e",
	"/rollcall.v1.GalleryService/ListChanges":          "e",
	"/rollcall.v1.GalleryService/UndoChange":           "e",
	"/rollcall.v1.GalleryService/GetSettings":          "-",
	"/rollcall.v1.GalleryService/UpdateSettings":       "-",
	"/rollcall.v1.GalleryService/CheckConsistency":     "-",
	"/rollcall.v1.GalleryService/ListGalleries":        "crem",
	"/rollcall.v1.GalleryService/CreateGallery":        "-",
	"/rollcall.v1.GalleryService/DeleteGallery":        "-",
	"/rollcall.v1.BackupService/Backup":                "-",
	"/rollcall.v1.ExportService/ExportGallery":         "-",
	"/rollcall.v1.ExportService/ExportStudent":         "-",
	"/rollcall.v1.ExportService/ImportRecords":         "-",
	"/rollcall.v1.ModelService/ListModels":             "-",
	"/rollcall.v1.ModelService/GetModel":               "-",
	"/rollcall.v1.TokenService/CreateToken":            "-",
	"/rollcall.v1.TokenService/ListTokens":             "-",
	"/rollcall.v1.TokenService/RevokeToken":            "-",
	"/rollcall.v1.TokenService/CreatePairingCode":      "-",
	"/rollcall.v1.GalleryService/GetCalibration":       "-",
	"/rollcall.v1.GalleryService/UpdateCalibration":    "-",
	"/rollcall.v1.JournalService/RecordCheckIn":        "cre",
	"/rollcall.v1.JournalService/WatchVerdicts":        "r",
	"/rollcall.v1.JournalService/ListLines":            "r",
	"/rollcall.v1.JournalService/ListDays":             "-",

	"/grpc.health.v1.Health/Check":                                   "*",
	"/grpc.health.v1.Health/Watch":                                   "*",
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      "crem",
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "crem",

	"/":         "*",
	"/console/": "*",

	"/v1/identify": "ce",
	"/livez":       "*",
	"/readyz":      "*",
	"/metrics":     "m",
}

var roleLetters = map[access.Role]string{access.CheckIn: "c", access.Register: "r", access.Enroll: "e", access.Metrics: "m"}

// countingEmbedder counts what reaches the embedder.
type countingEmbedder struct {
	rpc.Embedder
	calls *atomic.Int64
}

func (c countingEmbedder) Embed(ctx context.Context, req embedder.Request) (*embedder.Result, error) {
	c.calls.Add(1)
	return c.Embedder.Embed(ctx, req)
}

func (c countingEmbedder) Faces(ctx context.Context, req embedder.PhotoRequest) (*embedder.Photo, error) {
	c.calls.Add(1)
	return c.Embedder.Faces(ctx, req)
}

// counted is a world whose calls of the embedder are counted.
func counted(t *testing.T, s setup) (*world, *atomic.Int64) {
	calls := new(atomic.Int64)
	s.wrap = func(b rpc.Backend) rpc.Backend {
		b.Embedder = countingEmbedder{b.Embedder, calls}
		return b
	}
	return newWorld(t, s), calls
}

// protocol is a way to make a call over plain HTTP.
type protocol struct {
	name, unary, stream string // media types
}

var protocolsOfCalls = []protocol{
	{"Connect in JSON", "application/json", "application/connect+json"},
	{"Connect", "application/proto", "application/connect+proto"},
	{"gRPC", "application/grpc", "application/grpc"},
	{"gRPC-Web", "application/grpc-web+proto", "application/grpc-web+proto"},
}

// outcome is how a call ended: a code and a reason, "" where there is none.
type outcome struct{ code, reason string }

// ask makes a call with an empty message, or gets a page, and returns how it ended.
func ask(t *testing.T, client *http.Client, url, path string, p protocol, header http.Header) outcome {
	t.Helper()
	var req *http.Request
	var err error
	isCall := strings.Contains(path[1:], "/")
	switch {
	case !isCall:
		req, err = http.NewRequest(http.MethodGet, url+path, nil)
	default:
		kind, body := p.unary, []byte(nil)
		if streams(path) {
			kind = p.stream
		}
		switch {
		case kind == "application/json":
			body = []byte("{}")
		case strings.HasPrefix(kind, "application/connect+json"):
			body = []byte("\x00\x00\x00\x00\x02{}")
		case kind != "application/proto":
			body = make([]byte, 5)
		}
		req, err = http.NewRequest(http.MethodPost, url+path, bytes.NewReader(body))
		must(t, err)
		req.Header.Set("Content-Type", kind)
	}
	must(t, err)
	for key, values := range header {
		req.Header[key] = values
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, err := client.Do(req.WithContext(ctx))
	must(t, err)
	defer resp.Body.Close()
	if path == "/grpc.health.v1.Health/Watch" && resp.StatusCode == http.StatusOK && resp.Header.Get("Grpc-Status") == "" {
		return outcome{"", ""} // it goes on for ever
	}
	var first [1]byte
	n, err := io.ReadFull(resp.Body, first[:])
	if strings.HasSuffix(path, "/WatchVerdicts") && n == 1 && first[0] == 0 {
		return outcome{} // it has sent a message, and goes on
	}
	var body []byte
	if err == nil {
		body, err = io.ReadAll(resp.Body)
		must(t, err)
	}
	return outcomeOf(t, resp, append(first[:n], body...))
}

func streams(path string) bool {
	service, method, _ := strings.Cut(path[1:], "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return strings.HasPrefix(service, "grpc.reflection") || method == "Watch"
	}
	m := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method))
	return m.IsStreamingClient() || m.IsStreamingServer()
}

// outcomeOf reads the code and the reason of an answer in any protocol.
func outcomeOf(t *testing.T, resp *http.Response, body []byte) outcome {
	t.Helper()
	kind := resp.Header.Get("Content-Type")
	status, details := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Status-Details-Bin")
	if status == "" {
		status, details = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Status-Details-Bin")
	}
	if strings.HasPrefix(kind, "application/grpc-web") && status == "" {
		trailers := body[bytes.LastIndexByte(body[:max(1, len(body))], 0x80)+5:]
		for line := range strings.SplitSeq(string(trailers), "\r\n") {
			key, value, _ := strings.Cut(line, ":")
			switch http.CanonicalHeaderKey(key) {
			case "Grpc-Status":
				status = strings.TrimSpace(value)
			case "Grpc-Status-Details-Bin":
				details = strings.TrimSpace(value)
			}
		}
	}
	if status != "" {
		code, err := strconv.Atoi(status)
		must(t, err)
		if code == 0 {
			return outcome{}
		}
		raw, err := connect.DecodeBinaryHeader(details)
		must(t, err)
		var s spb.Status
		must(t, proto.Unmarshal(raw, &s))
		for _, d := range s.GetDetails() {
			var info errdetails.ErrorInfo
			if d.UnmarshalTo(&info) == nil {
				return outcome{connect.Code(code).String(), info.GetReason()}
			}
		}
		return outcome{connect.Code(code).String(), ""}
	}
	if strings.HasPrefix(kind, "application/connect+") && len(body) >= 5 {
		for len(body) >= 5 && body[0]&2 == 0 { // to the last envelope
			body = body[5+binary.BigEndian.Uint32(body[1:]):]
		}
		var end struct{ Error json.RawMessage }
		must(t, json.Unmarshal(body[5:], &end))
		body = end.Error
	}
	var failed struct {
		Code    string
		Details []struct {
			Type  string
			Debug struct{ Reason string }
		}
	}
	if json.Unmarshal(body, &failed) != nil || failed.Code == "" {
		if resp.StatusCode != http.StatusOK {
			return outcome{resp.Status, ""}
		}
		return outcome{}
	}
	o := outcome{code: failed.Code}
	for _, d := range failed.Details {
		if d.Type == "google.rpc.ErrorInfo" {
			o.reason = d.Debug.Reason
		}
	}
	return o
}

// paths returns all calls that the server has, from the descriptors, and all pages.
func paths(t *testing.T) []string {
	t.Helper()
	var all []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			if f.Package() != "rollcall.v1" {
				continue
			}
			for j := range service.Methods().Len() {
				all = append(all, fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(j).Name()))
			}
		}
		return true
	})
	for _, path := range all {
		if _, ok := mayCall[path]; !ok {
			t.Errorf("%s has no row in mayCall", path)
		}
	}
	for path := range mayCall {
		if !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	return all
}

// TestEveryCallWithEveryRole makes every call and gets every page with every role and with
// none, in every protocol. Who may not is refused with the right code. Who may is not,
// though an empty request may be wrong in other ways.
func TestEveryCallWithEveryRole(t *testing.T) {
	w, _ := counted(t, setup{options: rpc.Options{Console: http.NotFoundHandler()}})
	admin := w.admin()
	tokens := map[access.Role]string{access.Admin: admin}
	for role := range roleLetters {
		tokens[role] = w.token(access.Caller{Role: role})
	}
	client := h2c()
	for _, path := range paths(t) {
		for _, p := range protocolsOfCalls {
			if strings.Count(path, "/") == 1 && p != protocolsOfCalls[0] {
				continue // a page
			}
			may := mayCall[path]
			want := outcome{"unauthenticated", "NO_TOKEN"}
			got := ask(t, client, w.url, path, p, nil)
			if refused := got == want; refused == (may == "*") || !refused && strings.Contains(got.reason, "TOKEN") {
				t.Errorf("%s over %s without a token: %+v", path, p.name, got)
			}
			for role, token := range tokens {
				allowed := may == "*" || role == access.Admin || strings.Contains(may, roleLetters[role])
				got := ask(t, client, w.url, path, p, http.Header{"Authorization": {"Bearer " + token}})
				if refused := got == (outcome{"permission_denied", "ROLE_NOT_ALLOWED"}); refused == allowed || allowed && (got.code == "unauthenticated" || got.code == "permission_denied") {
					t.Errorf("%s over %s as %s: %+v", path, p.name, role, got)
				}
			}
		}
	}
	if got := ask(t, client, w.url, "/metrics", protocol{}, http.Header{"Authorization": {"Bearer " + w.token(access.Caller{Role: access.Admin, Galleries: []string{"elm"}})}}); got.reason != "ROLE_NOT_ALLOWED" {
		t.Errorf("the metrics of all galleries for the admin of one: %+v", got)
	}
}

// TestWrongTokens makes ten thousand requests with tokens that are wrong, truncated,
// changed, expired, revoked, or good for another gallery, in every protocol. All are
// refused with the right code, and nothing reaches the embedder.
func TestWrongTokens(t *testing.T) {
	const requests = 10_000
	w, embedded := counted(t, setup{})
	w.admin()
	ctx := t.Context()
	good := w.token(access.Caller{Role: access.Enroll, Galleries: []string{"elm"}})
	revoked, made, err := w.tokens.Create(ctx, access.Token{Caller: access.Caller{Role: access.Admin}}, access.Anybody)
	must(t, err)
	must(t, w.tokens.Revoke(ctx, made.Token, access.Anybody))
	expired, _, err := w.tokens.Create(ctx, access.Token{Caller: access.Caller{Role: access.Admin}, Expires: time.Now().Add(10 * time.Millisecond)}, access.Anybody)
	must(t, err)
	time.Sleep(20 * time.Millisecond)
	const seed = 25
	rng := rand.New(rand.NewPCG(seed, 10))
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789_-ABCXYZ.=+/ "
	changed := func() string {
		b := []byte(good)
		at := rng.IntN(len(b) - 1) // the last character has bits that count for nothing: FuzzToken has it
		for b[at] == good[at] {
			b[at] = alphabet[rng.IntN(len(alphabet)-1)]
		}
		return string(b)
	}
	kinds := []struct {
		name  string
		token func() string
		want  outcome
	}{
		{"revoked", func() string { return revoked }, outcome{"unauthenticated", "REVOKED_TOKEN"}},
		{"expired", func() string { return expired }, outcome{"unauthenticated", "EXPIRED_TOKEN"}},
		{"truncated", func() string { return good[:rng.IntN(len(good))] }, outcome{"unauthenticated", "INVALID_TOKEN"}},
		{"changed", changed, outcome{"unauthenticated", "INVALID_TOKEN"}},
		{"longer", func() string { return good + "A" }, outcome{"unauthenticated", "INVALID_TOKEN"}},
		{"with another id", func() string { return good[:9] + made.Token + good[25:] }, outcome{"unauthenticated", "INVALID_TOKEN"}},
		{"for another gallery", func() string { return good }, outcome{"not_found", "GALLERY_NOT_FOUND"}},
	}
	image := onnxtest.Face(1, 0)
	bodies := map[string][]byte{}
	for path, message := range map[string]proto.Message{
		embedPath: &pb.EmbedRequest{Image: image, CropId: "c"}, identifyPath: &pb.IdentifyRequest{Image: image},
		rollCallPath: &pb.RollCallRequest{Probes: []*pb.RollCallProbe{{Image: image}}}, detectPath: &pb.DetectRequest{Image: image},
	} {
		b, err := proto.Marshal(message)
		must(t, err)
		bodies[path] = b
	}
	calls := []string{embedPath, identifyPath, rollCallPath, detectPath}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for i := range requests {
		kind, path := kinds[i%len(kinds)], calls[rng.IntN(len(calls))]
		p := protocolsOfCalls[1+rng.IntN(3)]
		body := bodies[path]
		if p.unary != "application/proto" {
			body = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
		}
		req, err := http.NewRequest(http.MethodPost, w.url+path, bytes.NewReader(body))
		must(t, err)
		token := kind.token()
		req.Header.Set("Content-Type", p.unary)
		if strings.HasPrefix(token, "rollcall_") && rng.IntN(4) == 0 && !strings.ContainsAny(token, " ") {
			req.AddCookie(&http.Cookie{Name: "rollcall_session", Value: token})
		} else {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		must(t, err)
		answer, err := io.ReadAll(resp.Body)
		must(t, err)
		resp.Body.Close()
		if got := outcomeOf(t, resp, answer); got != kind.want {
			t.Fatalf("seed %d, request %d: a token that is %s, %s over %s: %+v, want %+v", seed, i, kind.name, path, p.name, got, kind.want)
		}
	}
	if n := embedded.Load(); n > 0 {
		t.Errorf("%d crops reached the embedder", n)
	}
	if log := w.log.String(); strings.Contains(log, good[25:]) || strings.Contains(log, revoked[25:]) {
		t.Error("a token is in the log")
	}
}

// TestWrongTokensSlowDown: an address that sends many wrong tokens has to wait. Who has a
// good one, at the same address, does not.
func TestWrongTokensSlowDown(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{Limits: access.LimitOptions{WrongTokens: 5}}})
	good := http.Header{"Authorization": {"Bearer " + w.admin()}}
	wrong := http.Header{"Authorization": {"Bearer rollcall_no_token"}}
	var reasons []string
	for range 8 {
		reasons = append(reasons, ask(t, http.DefaultClient, w.url, galleryPath+"ListStudents", protocolsOfCalls[0], wrong).reason)
		if got := ask(t, http.DefaultClient, w.url, galleryPath+"ListStudents", protocolsOfCalls[0], good); got.code != "" {
			t.Errorf("with a good token: %+v", got)
		}
	}
	if !slices.Equal(reasons[:5], slices.Repeat([]string{"INVALID_TOKEN"}, 5)) || reasons[7] != "TOO_MANY_WRONG_TOKENS" {
		t.Errorf("%q", reasons)
	}
}

// TestForbiddenCallsSlowDown: a token that may not make a call has to wait as well, when it
// has tried too often.
func TestForbiddenCallsSlowDown(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{Limits: access.LimitOptions{Requests: 3}}})
	w.admin()
	door := http.Header{"Authorization": {"Bearer " + w.token(access.Caller{Role: access.CheckIn})}}
	var reasons []string
	for range 5 {
		reasons = append(reasons, ask(t, http.DefaultClient, w.url, galleryPath+"ListStudents", protocolsOfCalls[0], door).reason)
	}
	if !slices.Equal(reasons[:3], slices.Repeat([]string{"ROLE_NOT_ALLOWED"}, 3)) || !slices.Contains(reasons[3:], "TOO_MANY_REQUESTS") {
		t.Errorf("%q", reasons)
	}
}

// TestLimitsOfCalls: what is beyond them is refused with a delay, and a stream waits.
func TestLimitsOfCalls(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{Limits: access.LimitOptions{Crops: 120, Requests: 1000}}})
	for range 130 { // where nobody has to log in there are no limits
		identify(t, w, 1, 0, nil)
	}
	token := bearer(w.admin())
	client := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, token)
	var err error
	for range 600 {
		if _, err = client.Embed(t.Context(), &pb.EmbedRequest{Image: onnxtest.Blank(1)}); err != nil {
			break
		}
	}
	retry := detailOf[*errdetails.RetryInfo](err)
	if connect.CodeOf(err) != connect.CodeResourceExhausted || reasonOf(err) != "TOO_MANY_CROPS" || retry.GetRetryDelay().AsDuration() <= 0 {
		t.Fatalf("after 600 crops: %v", err)
	}
	var probes []*pb.RollCallProbe
	for range 5 {
		probes = append(probes, &pb.RollCallProbe{Image: onnxtest.Blank(1)})
	}
	if _, err := client.RollCall(t.Context(), &pb.RollCallRequest{Probes: probes}); err != nil {
		t.Errorf("a roll call did not wait: %v", err)
	}
}
