package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says which of Rollcall's packages each may import, by the first
// element of their paths: the arrows of the house, and no other.
var allowed = map[string][]string{
	"cmd":      {"bench", "embedder", "gallery", "index", "models", "proto", "rpc", "storage", "terminal"},
	"bench":    {"embedder", "gallery", "index", "models", "proto", "rpc", "storage", "terminal"},
	"rpc":      {"embedder", "gallery", "models", "proto"},
	"gallery":  {"index", "storage"},
	"embedder": {"models"},
	"storage":  {"proto"},
	"index":    {},
	"terminal": {},
	"models":   {},
	"proto":    {},
}

func TestTheArrowsOfTheHouse(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "rollcall/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	room := func(path string) string {
		_, rest, _ := strings.Cut(path, "/")
		if rest == "cmd/terminal" {
			return "terminal"
		}
		first, _, _ := strings.Cut(rest, "/")
		return first
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from := room(fields[0])
		seen[from] = true
		for _, path := range fields[1:] {
			if !strings.HasPrefix(path, "rollcall/") || room(path) == from {
				continue
			}
			if !slices.Contains(allowed[from], room(path)) {
				t.Errorf("%s imports %s: package %s may not know %s", fields[0], path, from, room(path))
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("there is no package %s", name)
		}
	}
}
