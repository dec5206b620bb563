package access_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"rollcall/access"
	"rollcall/storage"
)

// TestTokensLeaveADeletedGallery: a gallery that is made again under the name of a deleted one
// admits no token, session or code of that one, also after the server was started again. A
// token never comes to mean all galleries.
func TestTokensLeaveADeletedGallery(t *testing.T) {
	store := storage.OpenMemory(storage.Faults{})
	tokens := open(t, store)
	headText, head := create(t, tokens, admin)
	door := func(galleries ...string) access.Token {
		return access.Token{Caller: access.Caller{Role: access.CheckIn, Galleries: galleries}}
	}
	elm, _ := create(t, tokens, door("elm"))
	both, _ := create(t, tokens, door("elm", "oak"))
	oak, _ := create(t, tokens, door("oak"))
	session, _, err := tokens.Session(t.Context(), elm)
	if err != nil {
		t.Fatal(err)
	}
	_, alive, err := tokens.Check(elm)
	if err != nil {
		t.Fatal(err)
	}
	code := func(want access.Token) string {
		code, _, err := tokens.NewCode(want, access.Caller{Token: head})
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	elmCode, bothCode, anyCode := code(door("elm")), code(door("oak", "elm")), code(door())

	if err := tokens.Leave(t.Context(), "elm", access.Anybody); err != nil {
		t.Fatal(err)
	}
	if alive.Err() == nil {
		t.Error("calls under way go on")
	}
	if _, _, err := tokens.Pair(t.Context(), elmCode); !errors.Is(err, access.ErrInvalidCode) {
		t.Errorf("a code for the gallery: %v", err)
	}
	for code, want := range map[string][]string{bothCode: {"oak"}, anyCode: nil} {
		if _, made, err := tokens.Pair(t.Context(), code); err != nil || !slices.Equal(made.Galleries, want) {
			t.Errorf("a code pairs for %q (%v), want %q", made.Galleries, err, want)
		}
	}
	for range 2 {
		for _, text := range []string{elm, session} {
			if _, _, err := tokens.Check(text); !errors.Is(err, access.ErrRevoked) {
				t.Errorf("for the gallery alone: %v", err)
			}
		}
		for text, want := range map[string][]string{headText: nil, both: {"oak"}, oak: {"oak"}} {
			if caller, _, err := tokens.Check(text); err != nil || !slices.Equal(caller.Galleries, want) {
				t.Errorf("%q and %v, want %q", caller.Galleries, err, want)
			}
		}
		closeTokens(t, tokens)
		tokens = open(t, store)
	}
	closeTokens(t, tokens)
}

// TestSessionsBesideALeave: a session is never for a gallery that its token has left, also
// if both happen at once.
func TestSessionsBesideALeave(t *testing.T) {
	tokens := open(t, storage.OpenMemory(storage.Faults{}))
	create(t, tokens, admin)
	for range 50 {
		text, _ := create(t, tokens, access.Token{Caller: access.Caller{Role: access.CheckIn, Galleries: []string{"elm", "oak"}}})
		var beside sync.WaitGroup
		begin := make(chan struct{})
		for range 16 {
			beside.Go(func() {
				<-begin
				if _, _, err := tokens.Session(t.Context(), text); err != nil {
					t.Error(err)
				}
			})
		}
		beside.Go(func() {
			<-begin
			if err := tokens.Leave(t.Context(), "elm", access.Anybody); err != nil {
				t.Error(err)
			}
		})
		close(begin)
		beside.Wait()
	}
	for _, made := range tokens.List() {
		if slices.Contains(made.Galleries, "elm") {
			t.Fatalf("%s may still use the gallery", made.Token)
		}
	}
	closeTokens(t, tokens)
}
