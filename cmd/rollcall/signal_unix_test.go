//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A first signal lets calls in flight finish, a second one ends the server at once.
func TestSecondSignal(t *testing.T) {
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command("rollcall", "serve", "--listen", address, "--data", t.TempDir(), "--models-dir", t.TempDir(), "--drain-timeout", "1h")
	said, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(2*time.Minute, func() { server.Process.Kill() }) // then the tests below fail
	var conn net.Conn
	for range 600 {
		if conn, err = net.Dial("tcp", address); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A call that the server waits for: until it is ready, it refuses calls instead.
	reader := bufio.NewReader(conn)
	for line := ""; !strings.Contains(line, "100 Continue"); {
		fmt.Fprint(conn, "POST /rollcall.v1.AttendanceService/Embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
		if line, err = reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			conn.Close()
			time.Sleep(50 * time.Millisecond)
			if conn, err = net.Dial("tcp", address); err != nil {
				t.Fatal(err)
			}
			reader.Reset(conn)
		}
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "draining") {
	}
	ended := make(chan error, 1)
	go func() {
		for lines.Scan() {
		}
		ended <- server.Wait()
	}()
	for waiting := true; waiting; {
		// Again, should the server not have put down its handler of the first one yet.
		_ = server.Process.Signal(syscall.SIGTERM)
		select {
		case err = <-ended:
			waiting = false
		case <-time.After(100 * time.Millisecond):
		}
	}
	if status := server.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("the second signal does not end the server: %v", err)
	}
}
