// Command ask makes the calls of a file to a server of bench/peers, by several callers at once,
// and prints what was answered. It is not written in Python, to leave the cores to the server.
//
//	ask URL FILE CALLERS SECONDS FIRST
//
// The callers take the file's calls in turn from number FIRST on, over and over, until SECONDS
// have passed; 0 seconds: each call once. A call that was begun is finished, and its time counts.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A call is a line of the file.
type call struct {
	Path string `json:"path"` // after the server's address
	Type string `json:"type"` // of the body
	Body []byte `json:"body"`
	// Token says who calls; "": nobody in particular.
	Token string `json:"token"`
}

// An answer is what a call came to.
type answer struct {
	Call   int     `json:"call"`   // its line, from 0
	Status int     `json:"status"` // of HTTP
	Millis float64 `json:"ms"`     // until the answer was read
	Body   string  `json:"body"`
}

// report is what ask prints.
type report struct {
	Seconds float64  `json:"seconds"` // from the first call to the last answer
	Answers []answer `json:"answers"` // in any order
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "ask: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("%d arguments; it takes URL FILE CALLERS SECONDS FIRST", len(args))
	}
	calls, err := readCalls(args[1])
	if err != nil {
		return err
	}
	callers, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("CALLERS: %w", err)
	}
	seconds, err := strconv.ParseFloat(args[3], 64)
	if err != nil {
		return fmt.Errorf("SECONDS: %w", err)
	}
	first, err := strconv.Atoi(args[4])
	if err != nil {
		return fmt.Errorf("FIRST: %w", err)
	}
	found, err := load(args[0], calls, callers, time.Duration(seconds*float64(time.Second)), first)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func readCalls(name string) (calls []call, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for lines := json.NewDecoder(file); ; {
		var c call
		if err := lines.Decode(&c); err == io.EOF {
			return calls, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, len(calls)+1, err)
		}
		calls = append(calls, c)
	}
}

// load makes the calls and collects the answers.
func load(url string, calls []call, callers int, d time.Duration, first int) (report, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	answers, errs := make([][]answer, callers), make([]error, callers)
	var next atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for i := range callers {
		group.Go(func() {
			for {
				n := int(next.Add(1) - 1)
				if d > 0 && time.Since(start) >= d || d == 0 && n >= len(calls) {
					return
				}
				number := (first + n) % len(calls)
				a, err := calls[number].make(client, url)
				if err != nil {
					errs[i] = err
					return
				}
				a.Call = number
				answers[i] = append(answers[i], a)
			}
		})
	}
	group.Wait()
	found := report{Seconds: time.Since(start).Seconds()}
	for i := range callers {
		if errs[i] != nil {
			return report{}, errs[i]
		}
		found.Answers = append(found.Answers, answers[i]...)
	}
	return found, nil
}

// make makes the call and reads the whole answer.
func (c call) make(client *http.Client, url string) (answer, error) {
	start := time.Now()
	req, err := http.NewRequest(http.MethodPost, url+c.Path, bytes.NewReader(c.Body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", c.Type)
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	took := time.Since(start)
	return answer{Status: resp.StatusCode, Millis: took.Seconds() * 1e3, Body: string(body)}, err
}
