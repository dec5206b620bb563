package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// block is one fenced block of commands.
type block struct {
	line   int    // of its first line, from 1
	code   string // the commands
	server bool   // the command runs until it is stopped
	want   string // what it prints; "": not said
}

// blocks returns the ```sh blocks of a Markdown text with the ```text blocks
// that directly follow them.
func blocks(markdown string) []block {
	var out []block
	var code []string
	info, start := "", 0
	for i, line := range strings.Split(markdown, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && info == "":
			info, start, code = fence, i+2, nil
			if info == "" {
				info = "plain"
			}
		case isFence:
			text := strings.Join(code, "\n")
			switch {
			case info == "sh" || info == "sh server":
				out = append(out, block{line: start, code: text, server: info == "sh server"})
			case info == "text" && len(out) > 0 && out[len(out)-1].want == "":
				out[len(out)-1].want = text
			}
			info = ""
		default:
			code = append(code, line)
		}
	}
	return out
}

// unpack writes the pictures of a tar file under dir, by the names that the
// README has for them.
func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	wanted := make(map[string]string)
	for name, picture := range pictures {
		wanted[picture] = name
	}
	for r := tar.NewReader(f); len(wanted) > 0; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s lacks %v", archive, wanted)
		}
		if err != nil {
			return err
		}
		name, ok := wanted[path.Base(h.Name)]
		if !ok {
			continue
		}
		delete(wanted, path.Base(h.Name))
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
