package embedder

import (
	"errors"
	"strings"
	"testing"

	"rollcall/embedder/ortlib"
	"rollcall/models"
)

func TestStartAgain(t *testing.T) {
	library := ortlib.Library{Path: started.path, Version: ortlib.Version}
	if err := start(library); err != nil {
		t.Errorf("the same library again: %v", err)
	}
	library.Path += ".other"
	if err := start(library); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Errorf("another library: %v", err)
	}
	if err := checkLibrary(ortlib.Library{Version: "1.99.0"}); !errors.Is(err, ortlib.ErrUnusable) {
		t.Errorf("a library that reports another version: %v, want ErrUnusable", err)
	}
}

func TestNotStarted(t *testing.T) {
	path := started.path
	started.path = ""
	defer func() { started.path = path }()
	if _, err := New(nil, Options{}); !errors.Is(err, ErrNotStarted) {
		t.Errorf("New: %v, want ErrNotStarted", err)
	}
	if _, err := Check(models.Contract{Name: "any"}, nil); !errors.Is(err, ErrNotStarted) {
		t.Errorf("Check: %v, want ErrNotStarted", err)
	}
}
