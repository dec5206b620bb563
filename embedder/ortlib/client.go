package ortlib

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// client is one run of a package client.
type client struct {
	program string
	args    []string
	folder  string // working and temporary folder
	step    string // for the operator
	total   int64  // bytes that it will download
}

const (
	// watchInterval is how often the growth of the work folder is reported.
	watchInterval = 200 * time.Millisecond
	// killDelay is how long the descendants of a run may keep its output open after its end.
	killDelay = 5 * time.Second
	// outputKept bounds the part of a client's output that is kept for the error.
	outputKept = 2 << 10
)

// runClient runs the client to its end and reports progress by the size of its
// folder. An error quotes the end of its output.
func (in *installer) runClient(ctx context.Context, c client) error {
	program, err := exec.LookPath(c.program)
	if err != nil {
		return fmt.Errorf("%s is not installed", c.program)
	}
	var output tail
	cmd := exec.CommandContext(ctx, program, c.args...)
	cmd.Dir = c.folder
	// What the client leaves in its temporary folder is deleted with the work folder. All its other
	// settings are the operator's.
	cmd.Env = append(os.Environ(), "TMPDIR="+c.folder)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = killDelay
	in.progress(c.step, 0, c.total)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			// At the end npm holds its download twice, in its cache and as a file.
			in.progress(c.step, min(folderSize(c.folder), c.total), c.total)
		case err := <-ended:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				return fmt.Errorf("%s: %w%s", c.program, err, output.quoted())
			}
			in.progress(c.step, c.total, c.total)
			return nil
		}
	}
}

// folderSize returns the bytes of the files under the folder. Files that vanish
// meanwhile do not count.
func folderSize(folder string) int64 {
	var size int64
	// The callback never fails, so neither does the walk.
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}

// tail is a writer that keeps the last outputKept bytes.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - outputKept; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// quoted returns the kept output as indented lines below an error.
func (t *tail) quoted() string {
	var b strings.Builder
	for line := range strings.Lines(string(t.kept)) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString("\n      " + line)
		}
	}
	return b.String()
}
