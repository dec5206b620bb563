package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startTimeout is how long a server may take to answer: ONNX Runtime is
	// installed already, the gallery is empty.
	startTimeout = time.Minute
	// stopTimeout is how long it may take to end once it was asked to.
	stopTimeout = 30 * time.Second
	// tailLines is how much of a server's log is kept for the case that it ends
	// by itself: enough for the head of a Go panic.
	tailLines = 40
)

// announced finds the address in what "serve" prints when it answers.
var announced = regexp.MustCompile(`answers at (http://\S+)`)

// A child is a server in a process of its own, whose memory is the server's alone.
type child struct {
	url   string
	token string // a caller that may do everything
	pid   int
	cmd   *exec.Cmd
	tail  *tail
	// ended is closed when the process has ended; err is set before.
	ended chan struct{}
	err   error
}

// childCommand returns this program with a command line. In tests it is another program.
var childCommand = func(args []string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(self, args...), nil
}

// serveArgs is the command line of a server on a free port over a workbench's models.
func serveArgs(w *workbench, data string) []string {
	args := []string{
		"serve", "--listen=127.0.0.1:0", "--data=" + data, "--requests-per-second=0", "--crops-per-minute=0",
		"--models-dir=" + w.dir, "--model=" + w.embedder.Contract.Name,
		"--onnxruntime=" + w.runtime.Path, fmt.Sprintf("--sessions=%d", w.sessions),
		fmt.Sprintf("--threads=%d", w.threads),
	}
	if w.locator != "" {
		args = append(args, "--locator="+w.locator)
	}
	return args
}

// startChild starts a server on a new folder, with more flags than those of serveArgs, and waits
// until it answers. The caller stops it.
func startChild(ctx context.Context, w *workbench, data string, more ...string) (*child, error) {
	token, err := benchToken(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	return launch(ctx, append(serveArgs(w, data), more...), token)
}

// launch starts a server, whose folder has the token, and waits until it answers. The caller
// stops it. With an error, the child is one that has ended, or nil.
func launch(ctx context.Context, args []string, token string) (*child, error) {
	cmd, err := childCommand(args)
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	// Variables that set the server's flags were meant for another one.
	cmd.Env = append(withoutPrefix(os.Environ(), "ROLLCALL_"), cmd.Env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	c := &child{cmd: cmd, token: token, tail: new(tail), ended: make(chan struct{})}
	cmd.Stderr = c.tail
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	c.pid = cmd.Process.Pid
	address := make(chan string, 1)
	go c.watch(out, address)
	select {
	case c.url = <-address:
		return c, nil
	case <-c.ended:
		return c, fmt.Errorf("start a server: %w", c.crash())
	case <-time.After(startTimeout):
		err = fmt.Errorf("start a server: it did not answer within %v", startTimeout)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return c, errors.Join(err, c.stop())
}

func withoutPrefix(environment []string, prefix string) (kept []string) {
	for _, variable := range environment {
		if !strings.HasPrefix(variable, prefix) {
			kept = append(kept, variable)
		}
	}
	return kept
}

// watch reads what the server prints until it ends.
func (c *child) watch(out io.Reader, address chan<- string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := announced.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case address <- found[1]:
			default: // it was announced before
			}
		}
	}
	c.err = errors.Join(lines.Err(), c.cmd.Wait())
	close(c.ended)
}

// crash says how a server that should run has ended.
func (c *child) crash() error {
	err := c.err
	if err == nil {
		err = errors.New("exit code 0")
	}
	return fmt.Errorf("the server ended by itself (%w); its last lines:\n%s", err, c.tail)
}

// stop ends the server by its process id: it lets calls in flight finish first.
func (c *child) stop() error {
	select {
	case <-c.ended:
		return nil // crash tells of it
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	select {
	case <-c.ended:
		if c.err != nil {
			return fmt.Errorf("the server did not end cleanly (%w); its last lines:\n%s", c.err, c.tail)
		}
		return nil
	case <-time.After(stopTimeout):
	}
	err := fmt.Errorf("the server did not end within %v", stopTimeout)
	if kill := c.cmd.Process.Kill(); kill != nil {
		return errors.Join(err, kill)
	}
	<-c.ended
	return err
}

// tail keeps the last lines of what is written to it. It is safe for concurrent
// use.
type tail struct {
	mu    sync.Mutex // guards lines
	lines []string   // whole lines, and last what has no end yet
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for part := range strings.Lines(string(p)) {
		if n := len(t.lines); n > 0 && !strings.HasSuffix(t.lines[n-1], "\n") {
			t.lines[n-1] += part
		} else {
			t.lines = append(t.lines, part)
		}
	}
	if extra := len(t.lines) - tailLines; extra > 0 {
		t.lines = append(t.lines[:0], t.lines[extra:]...)
	}
	return len(p), nil
}

// String returns the lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "")
}
