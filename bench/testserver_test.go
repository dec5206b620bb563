package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// serverVariable makes the test binary a server, which does what its value says.
const serverVariable = "BENCH_TEST_SERVER"

// What a server of the tests does wrong, after faultAfter calls.
const (
	serveWell   = "well"
	serveWrong  = "wrong" // another similarity
	serveErrors = "errors"
	serveCrash  = "crash"
	serveForget = "forget" // says that crops are deleted, and deletes none
)

// faultAfter is how many calls it takes to prepare four clients. Of the first calls
// after it one is an Embed and one an Identify.
const faultAfter = 4 * 2 * 5

// asChild makes the children of this test servers that behave as mode says.
func asChild(t *testing.T, mode string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir() // a server that crashes leaves its files
	before := childCommand
	t.Cleanup(func() { childCommand = before })
	childCommand = func(args []string) (*exec.Cmd, error) {
		cmd := exec.Command(self, args...)
		cmd.Env = []string{serverVariable + "=" + mode, "TMPDIR=" + temp}
		return cmd, nil
	}
}

// runTestServer is what "serve" is to the tests, with the flags that serveArgs
// gives it, and what "bench crash" is to itself.
func runTestServer(mode string, args []string) (err error) {
	if len(args) > 1 && args[0] == "bench" {
		b := crashBench()
		set := pflag.NewFlagSet("bench", pflag.ContinueOnError)
		b.Flags(set)
		if err := errors.Join(set.Parse(args[2:]), b.Validate()); err != nil {
			return err
		}
		return b.Run(context.Background(), os.Stdout, os.Stderr)
	}
	if len(args) == 0 || args[0] != "serve" {
		return fmt.Errorf("not a command line of serve: %v", args)
	}
	var o modelOptions
	set := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	set.String("listen", "", "")
	data := set.String("data", "", "")
	set.Float64("requests-per-second", 0, "")
	set.Float64("crops-per-minute", 0, "")
	set.Int64("gallery-memory", 0, "")
	set.Duration("model-ttl", 0, "")
	set.Duration("request-timeout", 0, "")
	set.Float64("wrong-tokens-per-minute", 0, "")
	set.StringVar(&o.modelsDir, "models-dir", "", "")
	set.StringVar(&o.embedder.name, "model", "", "")
	set.StringVar(&o.locator.name, "locator", "", "")
	set.StringVar(&o.runtime.Path, "onnxruntime", "", "")
	set.IntVar(&o.sessions, "sessions", 0, "")
	set.IntVar(&o.threads, "threads", 0, "")
	if err := set.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	w, err := o.open(ctx, io.Discard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	s, err := startServerOn(ctx, w, *data, serverOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	url := s.url
	if mode != serveWell {
		front, err := misbehave(s.url, mode)
		if err != nil {
			return err
		}
		defer front.Close()
		url = "http://" + front.Addr().String()
	}
	fmt.Printf("Rollcall test answers at %s\n", url)
	<-ctx.Done()
	return nil
}

// misbehave listens in front of a server and falsifies what passes.
func misbehave(target, mode string) (net.Listener, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	var calls atomic.Int64
	proxy := &httputil.ReverseProxy{
		Transport: byProtocol{http.DefaultTransport, newHTTP2Client("").Transport},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Del("Accept-Encoding") // so that falsify can read the answer
		},
		ModifyResponse: func(r *http.Response) error {
			if mode == serveWrong && calls.Load() > faultAfter && strings.HasSuffix(r.Request.URL.Path, "/Identify") {
				return falsify(r)
			}
			return nil
		},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		switch {
		case mode == serveCrash && n > faultAfter:
			fmt.Fprintln(os.Stderr, "double free or corruption")
			os.Exit(134)
		case mode == serveErrors && n > faultAfter && r.URL.Path == rollcallv1connect.AttendanceServiceEmbedProcedure:
			http.Error(w, "broken", http.StatusInternalServerError)
		case mode == serveForget && r.URL.Path == rollcallv1connect.GalleryServiceDeleteCropProcedure:
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		default:
			proxy.ServeHTTP(w, r)
		}
	})
	var both http.Protocols
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	front := &http.Server{Handler: handler, Protocols: &both}
	go front.Serve(ln) // until the process ends
	return ln, nil
}

// byProtocol passes gRPC on over HTTP/2.
type byProtocol struct{ http1, http2 http.RoundTripper }

func (b byProtocol) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		return b.http2.RoundTrip(r)
	}
	return b.http1.RoundTrip(r)
}

// falsify changes the last bit of an answer's similarity.
func falsify(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode == http.StatusOK {
		var answer pb.IdentifyResponse
		if err := proto.Unmarshal(body, &answer); err != nil {
			return err
		}
		answer.Similarity *= 1 - 1e-7
		if body, err = proto.Marshal(&answer); err != nil {
			return err
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
