package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	serverURL    = "http://127.0.0.1:8787"
	startTimeout = 5 * time.Minute // go run compiles first
	endMark      = "@@ end of block"
)

// shell is one bash that runs the blocks, so that functions that one defines
// are there in the next, and the server beside it.
type shell struct {
	dir    string
	env    []string
	bash   *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	server *exec.Cmd
}

func newShell(dir, data string) (*shell, error) {
	s := &shell{dir: dir, env: append(os.Environ(), "XDG_DATA_HOME="+data)}
	s.bash = exec.Command("bash", "-euo", "pipefail", "-s")
	s.bash.Dir, s.bash.Env, s.bash.Stderr = dir, s.env, os.Stderr
	var err error
	if s.in, err = s.bash.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.bash.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	return s, s.bash.Start()
}

// run runs a block and returns what it prints.
func (s *shell) run(code string) (string, error) {
	// Standard input is the script itself: no command may read it.
	if _, err := fmt.Fprintf(s.in, "{ %s\n} < /dev/null\necho '%s'\n", code, endMark); err != nil {
		return "", err
	}
	var got strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if strings.HasPrefix(line, endMark) {
			return got.String(), nil
		}
		got.WriteString(line)
		if err != nil {
			return got.String(), fmt.Errorf("a command of the block failed: %w", errors.Join(err, s.bash.Wait()))
		}
	}
}

// serve starts the server of a block in place of the one that runs, and waits
// until it takes calls.
func (s *shell) serve(code string) error {
	if err := s.stop(); err != nil {
		return err
	}
	s.server = exec.Command("bash", "-c", code)
	s.server.Dir, s.server.Env, s.server.Stdout, s.server.Stderr = s.dir, s.env, os.Stdout, os.Stderr
	s.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.server.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		resp, err := http.Get(serverURL + "/readyz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.Join(errors.New("the server does not answer"), s.stop())
}

// stop sends the server what Ctrl-C sends: an interrupt to its process group.
func (s *shell) stop() error {
	if s.server == nil {
		return nil
	}
	server := s.server
	s.server = nil
	if err := syscall.Kill(-server.Process.Pid, syscall.SIGINT); err != nil {
		return err
	}
	err := server.Wait()
	// "go run" itself ends with 1 when it was interrupted.
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() <= 1 {
		err = nil
	}
	for range 100 { // the port is free again when the server behind go run is gone
		if _, gone := http.Get(serverURL + "/livez"); gone != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.Join(err, errors.New("the server still answers after an interrupt"))
}

func (s *shell) close() {
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "readme: stopping the server:", err)
	}
	s.in.Close()
	s.bash.Wait()
}
