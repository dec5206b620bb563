// Command readme does what the README says, word for word, in a fresh clone:
// it runs each ```sh block in one shell, starts what an ```sh server block
// starts and stops it as Ctrl-C would, and compares what a block prints with
// the ```text block that follows it, where … stands for anything within a line.
//
// The crops that the README speaks of are the pictures that -faces names.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// pictures are the files that the README's commands read, and the faces that
// stand for them: three students, one crop in a wrong folder, another crop of
// two of them, and a stranger.
var pictures = map[string]string{
	"crops/s1001/1.jpg": "p0074_001.jpg",
	"crops/s1001/2.jpg": "p0074_002.jpg",
	"crops/s1002/1.jpg": "p0611_001.jpg",
	"crops/s1002/2.jpg": "p0720_001.jpg",
	"crops/s1003/1.jpg": "p0908_001.jpg",
	"probe.jpg":         "p0074_003.jpg",
	"probe2.jpg":        "p0908_003.jpg",
	"stranger.jpg":      "p1186_001.jpg",
}

func main() {
	faces := flag.String("faces", "", "tar file of face pictures")
	flag.Parse()
	if err := run(*faces); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run(faces string) error {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rollcall-readme-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clone := filepath.Join(dir, "rollcall")
	if out, err := exec.Command("git", "clone", "-q", ".", clone).CombinedOutput(); err != nil {
		return fmt.Errorf("clone: %w\n%s", err, out)
	}
	if err := unpack(faces, clone); err != nil {
		return err
	}
	s, err := newShell(clone, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer s.close()
	ran, compared := 0, 0
	for _, b := range blocks(string(readme)) {
		fmt.Printf("--- README.md:%d\n", b.line)
		if err := do(s, b); err != nil {
			return fmt.Errorf("README.md:%d: %w", b.line, err)
		}
		ran++
		if b.want != "" {
			compared++
		}
	}
	if ran == 0 || compared == 0 {
		return fmt.Errorf("found %d blocks to run and %d outputs to compare", ran, compared)
	}
	fmt.Printf("README.md: %d blocks ran, %d outputs as written\n", ran, compared)
	return nil
}

func do(s *shell, b block) error {
	if b.server {
		return s.serve(b.code)
	}
	got, err := s.run(b.code)
	fmt.Print(got)
	if err != nil {
		return err
	}
	if b.want != "" && !pattern(b.want).MatchString(strings.TrimSpace(got)) {
		return fmt.Errorf("it printed\n%s\nwhere the README says\n%s", got, b.want)
	}
	return nil
}

// pattern matches text in which … stands for anything within a line.
func pattern(text string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(strings.TrimSpace(text))
	return regexp.MustCompile("^" + strings.ReplaceAll(quoted, "…", ".*") + "$")
}
