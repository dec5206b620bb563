//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// TestNothingSecretIsWritten uses a server in every way that callers have, right and wrong, with
// the log at its most talkative. Then it looks in everything that server and commands wrote, in
// the metrics and in all answers for tokens, codes, sessions, keys, images and vectors, in all
// forms in which they may be written; and in log and metrics for the ids of students and crops.
func TestNothingSecretIsWritten(t *testing.T) {
	w := newWitness(t)
	w.serve("--log-format", "text")
	w.logIn()
	w.enrol()
	w.ask()
	w.askWrongly()
	w.commands()
	w.stop(syscall.SIGTERM)
	w.serve("--log-format", "json")
	w.ask()
	w.askWrongly()
	w.metrics()
	// Go then writes the stacks of all goroutines, with the arguments of their functions.
	w.breakOff(func() { w.stop(syscall.SIGQUIT) })
	w.judge()
}

// witness uses a server and keeps what it writes.
type witness struct {
	*testing.T
	dir     string
	address string
	client  *http.Client
	secrets *secrets
	ids     *secrets // of students and crops
	tokens  map[string]string

	server *exec.Cmd
	ended  chan struct{}

	mu      sync.Mutex // guards outputs
	outputs map[string]*bytes.Buffer
}

// The outputs.
const (
	serverLog  = "the server's log"
	metricsOut = "the metrics"
	answersOut = "the answers"
	commandOut = "the output of commands"
)

// people of the test.
const leakPeople = 3

func studentOf(i int) string { return fmt.Sprintf("pupil-zacharias-%d", i) }
func cropOf(i int) string    { return fmt.Sprintf("portrait-of-zacharias-%d", i) }

func newWitness(t *testing.T) *witness {
	w := &witness{T: t, dir: t.TempDir(), secrets: newSecrets(), ids: newSecrets(), tokens: make(map[string]string), outputs: make(map[string]*bytes.Buffer)}
	onnxtest.Install(t, filepath.Join(w.dir, "models"), onnxtest.SFace(1), onnxtest.Points())
	w.ids.text("the id of a student", "pupil-zacharias")
	w.ids.text("the id of a crop", "portrait-of-zacharias")
	for i := range leakPeople + 1 {
		w.secrets.binary("a picture", onnxtest.Face(int64(i), 0))
	}
	w.command("", "tls", "init", "localhost")
	w.command("", "seal", "new-key", "seal.key")
	w.keys()
	authority, err := os.ReadFile(filepath.Join(w.dir, "rollcall-tls", "ca.crt"))
	w.must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	w.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

func (w *witness) must(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

// keys adds all private keys.
func (w *witness) keys() {
	files, err := filepath.Glob(filepath.Join(w.dir, "rollcall-tls", "*.key"))
	w.must(err)
	for _, name := range files {
		content, err := os.ReadFile(name)
		w.must(err)
		block, _ := pem.Decode(content)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		w.must(err)
		switch key := key.(type) {
		case *ecdsa.PrivateKey:
			b, err := key.Bytes()
			w.must(err)
			w.secrets.binary("a key", b)
		case ed25519.PrivateKey:
			w.secrets.binary("a key", key.Seed())
		default:
			w.Fatalf("a key of the type %T", key)
		}
	}
	if len(files) == 0 {
		w.Fatal("no key was made")
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "seal.key"))
	w.must(err)
	w.secrets.text("the seal key", strings.TrimSpace(string(text)))
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	w.must(err)
	w.secrets.binary("the seal key", key)
}

// write adds to an output.
func (w *witness) write(to, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outputs[to] == nil {
		w.outputs[to] = new(bytes.Buffer)
	}
	w.outputs[to].WriteString(text)
}

// log returns a writer of an output.
func (w *witness) log(to string) io.Writer { return writerFunc(func(s string) { w.write(to, s) }) }

type writerFunc func(string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// serve starts the server and waits until it takes calls.
func (w *witness) serve(more ...string) {
	address, err := freeAddress()
	w.must(err)
	w.address = "https://" + strings.Replace(address, "127.0.0.1", "localhost", 1)
	w.server = exec.Command("rollcall", append([]string{"serve", "--log-level", "debug", "--listen", address, "--data", "d", "--models-dir", "models",
		"--model", "test-sface", "--tls-cert", "rollcall-tls/server.crt", "--tls-key", "rollcall-tls/server.key",
		"--seal-key-file", "seal.key"}, more...)...)
	w.server.Dir = w.dir
	w.server.Stdout, w.server.Stderr = w.log(serverLog), w.log(serverLog)
	w.server.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ROLLCALL_") })
	w.must(w.server.Start())
	w.ended = make(chan struct{})
	server, ended := w.server, w.ended
	w.Cleanup(func() {
		_ = server.Process.Kill() // if it still runs
		<-ended
	})
	go func() {
		_ = server.Wait() // how it ended is in its log
		close(ended)
	}()
	for range 600 {
		resp, err := w.client.Get(w.address + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.Fatalf("the server is not ready:\n%s", w.outputs[serverLog])
}

func (w *witness) stop(by syscall.Signal) {
	w.must(w.server.Process.Signal(by))
	select {
	case <-w.ended:
	case <-time.After(time.Minute):
		w.Fatal("the server does not end")
	}
}

// send makes a request and keeps the answer, unless it is about a secret. It returns the body.
func (w *witness) send(method, path, token, contentType, body string, header ...string) string {
	w.Helper()
	answer := w.sendSecretly(method, path, token, contentType, body, header...)
	w.write(answersOut, answer+"\n")
	return answer
}

func (w *witness) sendSecretly(method, path, token, contentType, body string, header ...string) string {
	w.Helper()
	req, err := http.NewRequest(method, w.address+path, strings.NewReader(body))
	w.must(err)
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(req)
	w.must(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	w.must(err)
	for _, cookie := range resp.Cookies() {
		w.tokens["session"] = cookie.Value
		w.secrets.text("a session", cookie.Value[strings.LastIndexByte(cookie.Value[:min(30, len(cookie.Value))], '_')+1:])
		resp.Header.Del("Set-Cookie")
	}
	w.write(answersOut, fmt.Sprint(resp.Header))
	return string(answer)
}

// call makes a call in JSON.
func (w *witness) call(token, procedure, body string) string {
	w.Helper()
	return w.send(http.MethodPost, procedure, token, "application/json", body)
}

// secretly makes a call whose answer is a secret, and returns one field of it.
func (w *witness) secretly(token, procedure, body, field string) string {
	w.Helper()
	answer := w.sendSecretly(http.MethodPost, procedure, token, "application/json", body)
	var fields map[string]any
	w.must(json.Unmarshal([]byte(answer), &fields))
	value, ok := fields[field].(string)
	if !ok {
		w.Fatalf("%s: no %s in the answer", procedure, field)
	}
	return value
}

// addToken adds the secret of a token; its id is none.
func (w *witness) addToken(name, text string) {
	w.tokens[name] = text
	w.secrets.text("the token of the "+name, text[len("rollcall_")+17:])
}

// logIn makes tokens of all roles, a session, a paired tablet, and a code that nobody uses.
func (w *witness) logIn() {
	for _, role := range []string{"admin", "checkin", "register", "enroll", "metrics"} {
		embeddings := role == "admin" || role == "enroll"
		w.addToken(role, w.secretly(w.tokens["admin"], rollcallv1connect.TokenServiceCreateTokenProcedure,
			fmt.Sprintf(`{"name":"%s","role":"ROLE_%s","embeddings":%v}`, role, strings.ToUpper(role), embeddings), "secret"))
	}
	pair := func() string {
		code := w.secretly(w.tokens["admin"], rollcallv1connect.TokenServiceCreatePairingCodeProcedure, `{"name":"tablet","role":"ROLE_CHECKIN"}`, "code")
		w.secrets.text("a pairing code", strings.ReplaceAll(code, "-", ""))
		w.secrets.text("a pairing code", code)
		return code
	}
	w.send(http.MethodPost, "/session", "", "application/json", `{"code":"`+pair()+`"}`)
	pair()
	w.send(http.MethodPost, "/session", "", "application/json", `{"token":"`+w.tokens["checkin"]+`"}`)
	if w.tokens["session"] == "" {
		w.Fatal("no session was bought")
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func face(i int) []byte { return onnxtest.Face(int64(i), 0) }

// enrol enrols everybody in each way there is, and learns the vectors.
func (w *witness) enrol() {
	admin := w.tokens["admin"]
	for i := range leakPeople + 1 {
		answer := w.sendSecretly(http.MethodPost, rollcallv1connect.AttendanceServiceEmbedProcedure, admin, "application/json", `{"image":"`+b64(face(i))+`","returnEmbedding":true}`)
		var fields struct{ Embedding []float32 }
		w.must(json.Unmarshal([]byte(answer), &fields))
		if len(fields.Embedding) == 0 {
			w.Fatalf("no vector: %s", answer)
		}
		w.secrets.vector("a vector", fields.Embedding)
	}
	w.sendSecretly(http.MethodPost, rollcallv1connect.AttendanceServiceEmbedProcedure, admin, "application/json",
		fmt.Sprintf(`{"image":"%s","cropId":"%s","studentId":"%s","returnEmbedding":true}`, b64(face(0)), cropOf(0), studentOf(0)))
	w.call(w.tokens["enroll"], rollcallv1connect.AttendanceServiceEmbedProcedure, fmt.Sprintf(`{"image":"%s","cropId":"%s","studentId":"%s","groups":["3b"]}`, b64(face(1)), cropOf(1), studentOf(1)))
	w.stream(&pb.EmbedRequest{Image: face(2), CropId: cropOf(2), StudentId: studentOf(2)}, &pb.EmbedRequest{Image: face(2)[:200], CropId: cropOf(3), StudentId: studentOf(3)},
		&pb.EmbedRequest{Image: face(1), CropId: cropOf(4), StudentId: studentOf(4)}) // the face of another student
}

// stream enrols through a stream, and keeps the answers.
func (w *witness) stream(crops ...*pb.EmbedRequest) {
	client := rollcallv1connect.NewGalleryServiceClient(w.client, w.address, connect.WithGRPC(), w.as("enroll"))
	stream, err := client.EnrollStream(context.Background())
	w.must(err)
	for _, crop := range crops {
		w.must(stream.Send(&pb.EnrollStreamRequest{Crop: crop}))
	}
	w.must(stream.CloseRequest())
	for {
		resp, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		w.must(err)
		w.write(answersOut, resp.String()+"\n")
	}
	w.must(stream.CloseResponse())
}

// as sends a token with each call of a client.
func (w *witness) as(name string) connect.ClientOption {
	return connect.WithInterceptors(asToken("Bearer " + w.tokens[name]))
}

type asToken string

func (a asToken) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

func (a asToken) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", string(a))
		return conn
	}
}

func (a asToken) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// ask makes every call that only asks, and corrections.
func (w *witness) ask() {
	admin, door := w.tokens["admin"], w.tokens["checkin"]
	image := b64(face(1))
	answer := w.call(door, rollcallv1connect.AttendanceServiceIdentifyProcedure, `{"image":"`+image+`"}`)
	if !strings.Contains(answer, studentOf(1)) {
		w.Fatalf("not identified: %s", answer)
	}
	for procedure, body := range map[string]string{
		rollcallv1connect.AttendanceServiceVerifyProcedure:        fmt.Sprintf(`{"image":"%s","studentId":"%s"}`, image, studentOf(1)),
		rollcallv1connect.AttendanceServiceIdentifyBurstProcedure: `{"frames":[{"image":"` + image + `"},{"image":"` + b64(face(2)) + `"}]}`,
		rollcallv1connect.AttendanceServiceRollCallProcedure:      `{"probes":[{"image":"` + image + `"},{"image":"` + b64(face(2)) + `"}]}`,
		rollcallv1connect.AttendanceServiceDetectProcedure:        `{"image":"` + image + `"}`,
		rollcallv1connect.GalleryServiceGetCropProcedure:          `{"cropId":"` + cropOf(1) + `"}`,
		rollcallv1connect.GalleryServiceGetStudentProcedure:       `{"studentId":"` + studentOf(1) + `"}`,
		rollcallv1connect.GalleryServiceAssignCropProcedure:       fmt.Sprintf(`{"cropId":"%s","studentId":"%s"}`, cropOf(2), studentOf(1)),
		rollcallv1connect.GalleryServiceUndoChangeProcedure:       `{"change":"3"}`,
		rollcallv1connect.GalleryServiceCheckConsistencyProcedure: `{}`,
		rollcallv1connect.JournalServiceRecordCheckInProcedure:    `{"studentId":"` + studentOf(1) + `","method":"METHOD_CARD"}`,
	} {
		w.call(admin, procedure, body)
	}
	for _, list := range []string{
		rollcallv1connect.GalleryServiceListStudentsProcedure, rollcallv1connect.GalleryServiceListDueStudentsProcedure, rollcallv1connect.GalleryServiceListChangesProcedure,
		rollcallv1connect.GalleryServiceListLookalikesProcedure, rollcallv1connect.GalleryServiceListGalleriesProcedure, rollcallv1connect.GalleryServiceGetSettingsProcedure,
		rollcallv1connect.GalleryServiceGetCalibrationProcedure, rollcallv1connect.JournalServiceListLinesProcedure, rollcallv1connect.JournalServiceListDaysProcedure,
		rollcallv1connect.ModelServiceListModelsProcedure, rollcallv1connect.TokenServiceListTokensProcedure,
	} {
		w.call(admin, list, `{}`)
	}
	w.send(http.MethodGet, "/session", "", "application/json", "", "Cookie", "rollcall_session="+w.tokens["session"])
	w.send(http.MethodPost, rollcallv1connect.AttendanceServiceIdentifyProcedure, "", "application/json", `{"image":"`+image+`"}`, "Cookie", "rollcall_session="+w.tokens["session"])
}

// askWrongly sends secrets to where they do not belong.
func (w *witness) askWrongly() {
	admin, image := w.tokens["admin"], b64(face(1))
	identify, embed := rollcallv1connect.AttendanceServiceIdentifyProcedure, rollcallv1connect.AttendanceServiceEmbedProcedure
	for _, body := range []string{
		image, `{"image":"` + image[:len(image)-3] + `!"}`, `{"image":"` + image, `{"image":["` + image + `"]}`, `{"imag":"` + image + `"}`, `{"` + image + `":1}`,
		`{"image":"` + b64(face(1)[:len(face(1))/2]) + `"}`, `{"image":"` + image + `","fpir":"` + image + `"}`, `{"image":"` + image + `","model":"` + image + `"}`,
		`{"image":"` + image + `","scope":{"groups":["` + image + `"]}}`, `{"cropId":"` + image + `"}`, `{"image":"` + image + `","landmarks":[{"x":"` + image + `"}]}`,
		`{"image":"` + admin + `"}`, `{"model":"` + admin + `"}`, `{"` + admin + `":"` + admin + `"}`,
	} {
		w.call(admin, identify, body)
		w.call(admin, embed, body)
		w.send(http.MethodPost, identify, admin, "application/proto", body)
		w.send(http.MethodPost, identify, admin, "application/grpc", body)
		w.send(http.MethodPost, identify, admin, "application/connect+json", body)
	}
	for _, raw := range []string{string(face(1)), "\x0a\xff\xff\x03" + string(face(1)), "\x00\x00\x00\x00\xff" + string(face(1))} {
		for _, kind := range []string{"application/proto", "application/json", "application/grpc", "application/grpc-web+proto", "image/jpeg", string(face(1)[200:230])} {
			if strings.ContainsFunc(kind, func(r rune) bool { return r < ' ' || r > '~' }) {
				kind = "multipart/form-data; boundary=" + image[:40]
			}
			w.send(http.MethodPost, identify, admin, kind, raw)
		}
	}
	// The face of one student under the id of another, and ids that nobody has.
	w.call(admin, embed, fmt.Sprintf(`{"image":"%s","cropId":"%s","studentId":"%s"}`, image, cropOf(7), studentOf(7)))
	w.call(admin, rollcallv1connect.AttendanceServiceVerifyProcedure, fmt.Sprintf(`{"image":"%s","studentId":"%s"}`, image, studentOf(8)))
	w.call(admin, rollcallv1connect.GalleryServiceGetCropProcedure, `{"cropId":"`+cropOf(8)+`"}`)

	in := "?token=" + url.QueryEscape(admin) + "&image=" + url.QueryEscape(image[:400]) + "&encoding=json&connect=v1&base64=1&message=" + url.QueryEscape(image[:800])
	for _, path := range []string{identify, rollcallv1connect.GalleryServiceListStudentsProcedure, "/", "/metrics", "/session", "/nothing"} {
		w.send(http.MethodGet, path+in, admin, "application/json", "")
		w.send(http.MethodGet, path+in, "", "application/json", "")
		w.send(http.MethodPut, path+in, admin, "application/json", "{}")
	}
	w.send(http.MethodPost, "/"+admin+"/"+image[:300], admin, "application/json", "{}")
	for _, token := range []string{admin[:len(admin)-1] + "A", admin + "A", admin[:40], image[:200], w.tokens["checkin"] + "," + admin} {
		w.call(token, identify, "{}")
		w.send(http.MethodPost, "/session", "", "application/json", `{"token":"`+token+`"}`)
		w.send(http.MethodPost, "/session", "", "application/json", `{"code":"`+token+`"}`)
	}
	for _, name := range []string{"Cookie", "Rollcall-Gallery", "X-Forwarded-For", "Connect-Timeout-Ms", "Grpc-Timeout", "Content-Encoding", "Connect-Protocol-Version", "Accept-Encoding", "Origin"} {
		w.send(http.MethodPost, identify, w.tokens["checkin"], "application/json", "{}", name, admin)
		w.send(http.MethodPost, identify, w.tokens["checkin"], "application/json", "{}", name, image[:300])
	}
	w.handshakes(admin)
}

// handshakes sends what is no TLS, and no HTTP.
func (w *witness) handshakes(admin string) {
	address := strings.TrimPrefix(w.address, "https://")
	for _, text := range []string{"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + admin + "\r\n\r\n", string(face(1))} {
		conn, err := net.Dial("tcp", address)
		w.must(err)
		_, _ = io.WriteString(conn, text) // the server may have hung up
		conn.Close()
		secure, err := tls.Dial("tcp", address, w.client.Transport.(*http.Transport).TLSClientConfig)
		w.must(err)
		_, _ = io.WriteString(secure, text)
		secure.Close()
	}
}

// command runs a command of the program with a token, and keeps what it writes.
func (w *witness) command(token string, args ...string) string {
	w.Helper()
	cmd := exec.Command("rollcall", args...)
	cmd.Dir = w.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ROLLCALL_") }),
		"ROLLCALL_SERVER="+w.address, "ROLLCALL_CA=rollcall-tls/ca.crt")
	switch {
	case token != "" && len(args[0])%2 == 0: // each way for some commands
		cmd.Env = append(cmd.Env, "ROLLCALL_TOKEN="+token)
	case token != "":
		w.must(os.WriteFile(filepath.Join(w.dir, "token"), []byte(token+"\n"), 0o600))
		cmd.Env = append(cmd.Env, "ROLLCALL_TOKEN_FILE=token")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, w.log(commandOut)
	_ = cmd.Run() // some are meant to fail
	if args[0] == "tokens" && args[1] == "create" {
		return strings.TrimSpace(out.String()) // is shown to who makes it
	}
	w.write(commandOut, out.String())
	return out.String()
}

func (w *witness) commands() {
	admin := w.tokens["admin"]
	w.must(os.WriteFile(filepath.Join(w.dir, "probe.jpg"), face(1), 0o600))
	w.must(os.WriteFile(filepath.Join(w.dir, "half.jpg"), face(1)[:300], 0o600))
	if made := w.command(admin, "tokens", "create", "made by a command", "--role", "enroll"); strings.HasPrefix(made, "rollcall_") {
		w.addToken("command", made)
	} else {
		w.Fatalf("no token was made: %s", made)
	}
	for _, token := range []string{admin, admin + "A", "x" + admin} {
		w.command(token, "identify", "probe.jpg")
		w.command(token, "identify", "probe.jpg", "--output", "json")
		w.command(token, "identify", "half.jpg")
		w.command(token, "embed", "probe.jpg")
		w.command(token, "identify", "--help")
		w.command(token, "identify", "--candidates", "many", "probe.jpg")
		w.command(token, "students", "list")
		w.command(token, "tokens", "list")
		w.command(token, "audit", "list")
		w.command(token, "backup", "rollcall.backup")
	}
	w.command("", "identify", "probe.jpg", "--token-file", admin)
	w.command("", "identify", "--token", admin, "probe.jpg")
}

func (w *witness) metrics() {
	for range 2 {
		text := w.sendSecretly(http.MethodGet, "/metrics", w.tokens["metrics"], "text/plain", "")
		if !strings.Contains(text, "rollcall_requests_total") {
			w.Fatalf("these are no metrics: %s", text)
		}
		w.write(metricsOut, text)
	}
}

// breakOff does something while calls are under way.
func (w *witness) breakOff(do func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address+rollcallv1connect.AttendanceServiceIdentifyProcedure, strings.NewReader(`{"image":"`+b64(face(1))+`"}`))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer "+w.tokens["admin"])
				resp, err := w.client.Do(req)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	time.Sleep(100 * time.Millisecond) // calls are under way; which ones does not matter
	do()
	cancel()
	group.Wait()
}

// judge looks in all that was written.
func (w *witness) judge() {
	for name, want := range map[string]string{
		serverLog: "goroutine ", answersOut: studentOf(1), commandOut: "MATCH", metricsOut: "rollcall_verdicts_total",
	} {
		output := w.outputs[name]
		if output == nil || !strings.Contains(output.String(), want) {
			w.Errorf("%s is not what it should be: there is no %q in it", name, want)
			continue
		}
		for _, found := range w.secrets.find(output.String()) {
			w.Errorf("%s: %s", name, found)
		}
		if name == serverLog || name == metricsOut {
			for _, found := range w.ids.find(output.String()) {
				w.Errorf("%s: %s", name, found)
			}
		}
	}
}
