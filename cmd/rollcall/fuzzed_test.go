package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// parsers are packages that read bytes which come from elsewhere.
var parsers = []string{
	"archive/tar", "archive/zip", "bufio", "compress/gzip", "crypto/x509", "debug/elf", "encoding/base64", "encoding/binary", "encoding/csv", "encoding/hex",
	"encoding/json", "encoding/pem", "image/jpeg", "image/png", "mime", "net/netip", "net/url",
	"google.golang.org/protobuf/encoding/protojson", "google.golang.org/protobuf/encoding/protowire", "google.golang.org/protobuf/proto",
}

// notFuzzed are packages that use a parser, and read nothing from outside.
var notFuzzed = map[string]string{
	"rollcall/bench/peers/ask":         "a program that asks servers of the benches",
	"rollcall/bench/peers/turns":       "a program that runs those in turns",
	"rollcall/clients/python/generate": "reads the contract, which is ours",
	"rollcall/console":                 "encodes digests of its own files",
	"rollcall/embedder/align":          "takes numbers out of pictures that are decoded",
	"rollcall/embedder/onnxtest":       "makes models and pictures for tests",
}

var fuzzTarget = regexp.MustCompile(`(?m)^func Fuzz\w+\(`)

// TestParsersAreFuzzed: whichever package imports a parser has a fuzz test, or stands in the list of
// those that read nothing from outside, with the reason.
func TestParsersAreFuzzed(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{.Dir}} {{join .Imports " "}}`, "rollcall/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	unused := make(map[string]bool)
	for name := range notFuzzed {
		unused[name] = true
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name, dir, imports := fields[0], fields[1], fields[2:]
		used := slices.ContainsFunc(imports, func(path string) bool { return slices.Contains(parsers, path) })
		fuzzed := isFuzzed(t, dir)
		switch reason, listed := notFuzzed[name]; {
		case listed && used && !fuzzed:
			delete(unused, name)
		case listed:
			t.Errorf("%s stands in the list as %q; take it out", name, reason)
			delete(unused, name)
		case used && !fuzzed:
			t.Errorf("%s parses bytes (it imports one of %v) and has no fuzz test", name, parsers)
		}
	}
	for name := range unused {
		t.Errorf("%s stands in the list, and there is no such package", name)
	}
}

func isFuzzed(t *testing.T, dir string) bool {
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if fuzzTarget.Match(content) {
			return true
		}
	}
	return false
}
