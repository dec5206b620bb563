package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowed says which of Rollcall's packages each may import, by the first
// element of their paths: the arrows of the house, and no other.
var allowed = map[string][]string{
	"cmd":      {"access", "bench", "console", "embedder", "gallery", "index", "models", "proto", "rpc", "storage", "terminal"},
	"bench":    {"access", "embedder", "gallery", "index", "models", "proto", "rpc", "storage", "terminal"},
	"rpc":      {"access", "embedder", "gallery", "models", "proto", "storage"},
	"gallery":  {"index", "storage"},
	"access":   {"proto", "storage"},
	"embedder": {"models"},
	"storage":  {"proto"},
	"clients":  {},
	"console":  {},
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

// TestPromisesAreKept holds that each test that SECURITY.md names is there.
func TestPromisesAreKept(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t, "../..")
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 30 {
		t.Errorf("SECURITY.md names only %d tests", len(named))
	}
	for _, name := range named {
		if !tests[name[1]] {
			t.Errorf("SECURITY.md promises what %s holds, and there is no such test", name[1])
		}
	}
}

// testNames returns the names of all tests of a module.
func testNames(t *testing.T, root string) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	names := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range declared.FindAllStringSubmatch(string(text), -1) {
			names[name[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestGoroutinesOfHandlers holds that in package rpc only Server.part starts
// goroutines: a panic in any other would end the process.
func TestGoroutinesOfHandlers(t *testing.T) {
	files, err := filepath.Glob("../../rpc/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, at := range bareGoroutines(t, name, nil) {
			t.Errorf("%s starts a goroutine: let Server.part do it, which keeps a panic from ending the process", at)
		}
	}
	if len(files) < 10 {
		t.Errorf("package rpc has only %d files", len(files))
	}
}

// TestBareGoroutinesAreSeen tries what the test above rests on.
func TestBareGoroutinesAreSeen(t *testing.T) {
	for body, want := range map[string]int{
		"go f()":                               1,
		"go func() {}()":                       1,
		"var wg sync.WaitGroup; wg.Go(f)":      1,
		"func() { g.TryGo(f); s.part(f) }()":   1,
		"s.part(f); context.AfterFunc(ctx, f)": 0,
	} {
		if got := bareGoroutines(t, "x.go", "package rpc\nfunc f() { "+body+" }"); len(got) != want {
			t.Errorf("%s: %v, want %d", body, got, want)
		}
	}
	if got := bareGoroutines(t, "x.go", "package rpc\nfunc (s *Server) part() { group.Go(f) }"); len(got) > 0 {
		t.Errorf("in part: %v", got)
	}
}

// bareGoroutines returns where a file starts goroutines outside of the method part.
func bareGoroutines(t *testing.T, name string, source any) (places []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		started := false
		switch n := n.(type) {
		case *ast.FuncDecl:
			return n.Recv == nil || n.Name.Name != "part"
		case *ast.GoStmt:
			started = true
		case *ast.CallExpr:
			called, ok := n.Fun.(*ast.SelectorExpr)
			started = ok && (called.Sel.Name == "Go" || called.Sel.Name == "TryGo")
		}
		if started {
			places = append(places, set.Position(n.Pos()).String())
		}
		return true
	})
	return places
}
