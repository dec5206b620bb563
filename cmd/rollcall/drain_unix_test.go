//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// loggedCall finds the end of a call in the server's log.
var loggedCall = regexp.MustCompile(`msg=call .* code=(\S+) .* request_id=(\S+)`)

// TestTermUnderLoad ends a server by SIGTERM while callers over Connect and gRPC, more than it has room for, ask
// without a pause. What the server says of each call in its log is what its caller was told: no call that it
// accepted is left without an answer. It ends by itself with the exit code 0.
func TestTermUnderLoad(t *testing.T) {
	const callers = 24
	dir := t.TempDir()
	onnxtest.Install(t, filepath.Join(dir, "models"), onnxtest.ArcFace(1), onnxtest.Points())
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command("rollcall", "serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--models-dir", filepath.Join(dir, "models"),
		"--sessions", "1", "--requests-per-second", "0", "--crops-per-minute", "0", "--drain-timeout", "5m")
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Process.Kill() // it has ended, unless the test failed
	logged := make(chan map[string]string, 1)
	go func() {
		codes := make(map[string]string) // by request id
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if found := loggedCall.FindStringSubmatch(lines.Text()); found != nil {
				codes[found[2]] = found[1]
			}
		}
		logged <- codes
	}()
	waitUntilReady(t, "http://"+address)

	l := &termLoad{address: "http://" + address, image: onnxtest.Face(1, 0), told: make(map[string]string)}
	var answered, ended sync.WaitGroup
	answered.Add(callers)
	for i := range callers {
		ended.Go(func() { l.callUntilRefused(t, i, answered.Done) })
	}
	answered.Wait() // everybody has had an answer, and calls again
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended.Wait()
	codes := <-logged
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	for id, code := range codes {
		if told, known := l.told[id]; !known || told != code {
			t.Errorf("call %s: the server logged %q, its caller was told %q", id, code, told)
		}
	}
	for id, told := range l.told {
		if codes[id] == "" {
			t.Errorf("call %s was answered %q, and the server does not know it", id, told)
		}
	}
}

// waitUntilReady waits until a server takes calls.
func waitUntilReady(t *testing.T, address string) {
	t.Helper()
	for range 1200 {
		if resp, err := http.Get(address + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no server is ready at %s", address)
}

// termLoad is the callers of a server that is ended.
type termLoad struct {
	address string
	image   []byte

	mu   sync.Mutex
	told map[string]string // what callers were told, by request id
}

// callUntilRefused calls without a pause until the server says that it shuts down, or cannot be reached.
func (l *termLoad) callUntilRefused(t *testing.T, caller int, answered func()) {
	first := sync.OnceFunc(answered)
	defer first()
	client, options := &http.Client{Transport: new(http.Transport)}, []connect.ClientOption(nil)
	if caller%2 == 1 {
		var only http.Protocols
		only.SetUnencryptedHTTP2(true)
		client.Transport = &http.Transport{Protocols: &only}
		options = append(options, connect.WithGRPC())
	}
	defer client.CloseIdleConnections()
	api := rollcallv1connect.NewAttendanceServiceClient(client, l.address, append(options, connect.WithInterceptors(requestIDs{}))...)
	for n := 0; ; n++ {
		id := fmt.Sprintf("caller-%d-%d", caller, n)
		_, err := api.Identify(context.WithValue(context.Background(), requestIDs{}, id), &pb.IdentifyRequest{Image: l.image})
		code, told := "ok", false
		if err != nil {
			if !connect.IsWireError(err) {
				return // the server is gone, and has not logged the call
			}
			code = connect.CodeOf(err).String()
			if _, told = rpc.RetryDelay(err); !told {
				t.Errorf("call %s is not told when to come again: %v", id, err)
			}
		}
		l.mu.Lock()
		l.told[id] = code
		l.mu.Unlock()
		first()
		if code == connect.CodeUnavailable.String() {
			return
		}
	}
}

// requestIDs sends the request id that is in the context under this type.
type requestIDs struct{ patience }

// WrapUnary serves connect.Interceptor.
func (requestIDs) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		req.Header().Set("X-Request-Id", ctx.Value(requestIDs{}).(string))
		return next(ctx, req)
	}
}
