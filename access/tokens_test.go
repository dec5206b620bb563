package access_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/access"
	"rollcall/storage"
)

// admin is what the first token of each test may do.
var admin = access.Token{Caller: access.Caller{Name: "head", Role: access.Admin}}

func open(t *testing.T, store *storage.Store) *access.Tokens {
	t.Helper()
	tokens, err := access.OpenTokens(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func closeTokens(t *testing.T, tokens *access.Tokens) {
	t.Helper()
	if err := tokens.Close(); err != nil {
		t.Error(err)
	}
}

// create makes a token, and returns its text and id.
func create(t *testing.T, tokens *access.Tokens, want access.Token) (text, id string) {
	t.Helper()
	text, made, err := tokens.Create(t.Context(), want, access.Anybody)
	if err != nil {
		t.Fatal(err)
	}
	return text, made.Token
}

// modelToken is a token as the model knows it.
type modelToken struct {
	text    string
	token   access.Token
	session bool // bought with a token: it is forgotten when it ends
	gone    bool
	alive   context.Context
}

// why returns what Check must say of it.
func (m *modelToken) why(now time.Time) error {
	switch {
	case m.gone:
		return access.ErrInvalid
	case !m.token.Revoked.IsZero():
		return access.ErrRevoked
	case !m.token.Expires.IsZero() && !now.Before(m.token.Expires):
		return access.ErrExpired
	}
	return nil
}

// TestTokensDoWhatTheirModelDoes makes, uses, ends, revokes and outlives tokens, sessions
// and tablets at random, opens them again in between, and compares each with a model after
// each step: what Check says, whether calls under way are ended, and the list.
func TestTokensDoWhatTheirModelDoes(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) { compareTokens(t, seed) })
	}
}

func compareTokens(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	store := storage.OpenMemory(storage.Faults{})
	tokens := open(t, store)
	all := make(map[string]*modelToken)
	hold := func(text string, made access.Token, session bool) {
		_, alive, err := tokens.Check(text)
		if err != nil {
			t.Fatalf("seed %d: a new token: %v", seed, err)
		}
		all[made.Token] = &modelToken{text: text, token: made, session: session, alive: alive}
	}
	text, made, err := tokens.Create(t.Context(), admin, access.Anybody)
	if err != nil {
		t.Fatal(err)
	}
	hold(text, made, false)
	pickOne := func() *modelToken {
		ids := slices.Sorted(maps.Keys(all))
		return all[ids[rng.IntN(len(ids))]]
	}
	for step := range 250 {
		now := time.Now()
		switch one := pickOne(); rng.IntN(9) {
		case 0, 1:
			want := access.Token{Caller: access.Caller{Name: fmt.Sprint(step), Role: access.CheckIn, Groups: []string{"3b"}}}
			if rng.IntN(2) == 0 {
				want.Expires = now.Add(time.Duration(1 + rng.Int64N(int64(48*time.Hour)))).UTC()
			}
			text, made, err := tokens.Create(t.Context(), want, access.Anybody)
			if err != nil {
				t.Fatal(err)
			}
			hold(text, made, false)
		case 2:
			text, made, err := tokens.Session(t.Context(), one.text)
			want := one.why(now)
			if want == nil && one.token.Parent != "" {
				want = access.ErrInvalid
			}
			if want == nil && errors.Is(err, access.ErrTooMany) {
				living := 0
				for _, m := range all {
					if m.session && m.token.Parent == one.token.Token && (m.why(now) == nil || m.why(now) == access.ErrRevoked) {
						living++
					}
				}
				if living < 20 {
					t.Fatalf("seed %d, step %d: %d sessions are too many", seed, step, living)
				}
				break
			}
			if !errors.Is(err, want) {
				t.Fatalf("seed %d, step %d: a session: %v, want %v", seed, step, err, want)
			}
			if err == nil {
				hold(text, made, true)
				for _, m := range all { // sessions that are over are forgotten now
					m.gone = m.gone || m.session && !now.Before(m.token.Expires)
				}
			}
		case 3:
			code, _, err := tokens.NewCode(access.Token{Caller: access.Caller{Name: "tablet", Role: access.CheckIn}}, one.token.Caller)
			if errors.Is(err, access.ErrTooMany) || errors.Is(err, access.ErrNotFound) && one.gone {
				break
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: a code: %v", seed, step, err)
			}
			root := one
			if one.token.Parent != "" {
				root = all[one.token.Parent]
			}
			late := rng.IntN(3) == 0
			if late {
				time.Sleep(10 * time.Minute)
			}
			text, made, err := tokens.Pair(t.Context(), strings.ToLower(code[:4])+"-"+code[4:])
			if fails := late || root.why(time.Now()) != nil; fails != errors.Is(err, access.ErrInvalidCode) || !fails && err != nil {
				t.Fatalf("seed %d, step %d: pairing, late %v: %v", seed, step, late, err)
			}
			if err == nil {
				if made.Parent != root.token.Token {
					t.Fatalf("seed %d: the parent is %s, want %s", seed, made.Parent, root.token.Token)
				}
				hold(text, made, false)
				if _, _, err := tokens.Pair(t.Context(), code); !errors.Is(err, access.ErrInvalidCode) {
					t.Fatalf("seed %d: a code pairs twice: %v", seed, err)
				}
			}
		case 4:
			err := tokens.Revoke(t.Context(), one.token.Token, access.Anybody)
			if one.gone != errors.Is(err, access.ErrNotFound) || !one.gone && err != nil {
				t.Fatalf("seed %d, step %d: revoke: %v", seed, step, err)
			}
			for _, m := range all {
				if !one.gone && (m == one || m.token.Parent == one.token.Token) && m.token.Revoked.IsZero() {
					m.token.Revoked = time.Now().UTC()
				}
			}
		case 5:
			err := tokens.EndSession(t.Context(), one.token.Caller)
			if fails := one.gone || one.token.Parent == ""; fails != errors.Is(err, access.ErrNotFound) || !fails && err != nil {
				t.Fatalf("seed %d, step %d: end: %v", seed, step, err)
			}
			one.gone = one.gone || one.token.Parent != ""
		case 6:
			time.Sleep(time.Duration(rng.Int64N(int64(6 * time.Hour))))
		case 7:
			closeTokens(t, tokens)
			tokens = open(t, store)
			for _, m := range all {
				if _, alive, err := tokens.Check(m.text); err == nil {
					m.alive = alive
				}
			}
		}
		synctest.Wait()
		compareAll(t, fmt.Sprintf("seed %d, step %d", seed, step), tokens, all)
	}
	closeTokens(t, tokens)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func compareAll(t *testing.T, at string, tokens *access.Tokens, all map[string]*modelToken) {
	t.Helper()
	now := time.Now()
	listed := make(map[string]access.Token)
	for _, token := range tokens.List() {
		listed[token.Token] = token
	}
	for id, m := range all {
		caller, _, err := tokens.Check(m.text)
		if want := m.why(now); !errors.Is(err, want) || want == nil && err != nil {
			t.Fatalf("%s: Check: %v, want %v (%+v)", at, err, want, m.token)
		}
		if err == nil && (caller.Token != id || caller.Name != m.token.Name || caller.Role != m.token.Role || !slices.Equal(caller.Groups, m.token.Groups)) {
			t.Fatalf("%s: %+v calls, want %+v", at, caller, m.token.Caller)
		}
		if ended := m.alive.Err() != nil; ended != (m.why(now) != nil) {
			t.Fatalf("%s: calls under way are ended: %v, but %v", at, ended, m.why(now))
		}
		token, ok := listed[id]
		if ok == m.gone {
			t.Fatalf("%s: listed: %v, gone: %v", at, ok, m.gone)
		}
		if ok && (token.Parent != m.token.Parent || token.Revoked.IsZero() != m.token.Revoked.IsZero() || !token.Expires.Equal(m.token.Expires)) {
			t.Fatalf("%s: listed as %+v, want %+v", at, token, m.token)
		}
		delete(listed, id)
	}
	if len(listed) > 0 {
		t.Fatalf("%s: listed too: %v", at, listed)
	}
}

func TestFirstTokenIsAnAdmins(t *testing.T) {
	store := storage.OpenMemory(storage.Faults{})
	tokens := open(t, store)
	defer closeTokens(t, tokens)
	for _, c := range []access.Caller{{Role: access.CheckIn}, {Role: access.Metrics}, {Role: access.Admin, Galleries: []string{"elm"}}} {
		var bad *access.RequestError
		if _, _, err := tokens.Create(t.Context(), access.Token{Caller: c}, access.Anybody); !errors.As(err, &bad) || bad.Field != "role" {
			t.Errorf("%+v first: %v", c, err)
		}
	}
	if tokens.Any() {
		t.Error("everybody needs a token, but there is none")
	}
	_, id := create(t, tokens, admin)
	create(t, tokens, access.Token{Caller: access.Caller{Role: access.CheckIn}})
	if err := tokens.Revoke(t.Context(), id, access.Anybody); err != nil {
		t.Fatal(err)
	}
	if !tokens.Any() {
		t.Error("the server is open to everybody again")
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	tokens := open(t, storage.OpenMemory(storage.Faults{}))
	defer closeTokens(t, tokens)
	_, id := create(t, tokens, admin)
	for field, want := range map[string]access.Token{
		"role":       {Caller: access.Caller{Role: "boss"}},
		"groups":     {Caller: access.Caller{Role: access.Enroll, Groups: []string{"3b"}}},
		"embeddings": {Caller: access.Caller{Role: access.CheckIn, Embeddings: true}},
		"galleries":  {Caller: access.Caller{Role: access.Metrics, Galleries: []string{"elm"}}},
		"expires":    {Caller: access.Caller{Role: access.Admin}, Expires: time.Now()},
	} {
		var bad *access.RequestError
		if _, _, err := tokens.Create(t.Context(), want, access.Anybody); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, c := range []access.Caller{{Role: access.Admin}, {Role: access.Metrics}, {Role: access.Enroll, Embeddings: true}} {
		var bad *access.RequestError
		if _, _, err := tokens.NewCode(access.Token{Caller: c}, access.Caller{Token: id}); !errors.As(err, &bad) {
			t.Errorf("a code for %+v: %v", c, err)
		}
	}
	if _, _, err := tokens.NewCode(access.Token{Caller: access.Caller{Role: access.CheckIn}}, access.Anybody); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("a code of nobody: %v", err)
	}
}

// TestNothingIsASecretOnDisk: what is on disk, and in the log, has no token in it.
func TestNothingIsASecretOnDisk(t *testing.T) {
	store := storage.OpenMemory(storage.Faults{})
	tokens := open(t, store)
	text, id := create(t, tokens, admin)
	session, _, err := tokens.Session(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Revoke(t.Context(), id, access.Anybody); err != nil {
		t.Fatal(err)
	}
	closeTokens(t, tokens)
	own, err := store.Partition(storage.ServerPartition)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for r, err := range own.Load(t.Context()) {
		fmt.Fprintf(&all, "%+v %v %s\n", r, err, r.(storage.Token).Digest)
	}
	for c, err := range own.Changes(t.Context(), 0) {
		fmt.Fprintf(&all, "%+v %v\n", c, err)
	}
	for _, text := range []string{text, session} {
		secret := text[strings.LastIndex(text[:26], "_")+1:]
		if strings.Contains(all.String(), secret) || !strings.Contains(all.String(), text[len("rollcall_"):25]) {
			t.Errorf("a secret is on disk, or not even the id:\n%s", all.String())
		}
	}
}

// TestOthersCommitToo: somebody else writes to the server's partition before each commit.
func TestOthersCommitToo(t *testing.T) {
	var store *storage.Store
	busy, n := false, 0
	store = storage.OpenMemory(storage.Faults{BeforeCommit: func() error {
		if busy {
			return nil
		}
		if n++; n%3 == 0 { // each third time there is no conflict
			return nil
		}
		busy = true
		defer func() { busy = false }()
		own, err := store.Partition(storage.ServerPartition)
		if err != nil {
			return err
		}
		seq, err := own.Sequence(context.Background())
		if err != nil {
			return err
		}
		g := storage.Gallery{ID: fmt.Sprint("school-", n)}
		return own.Commit(context.Background(), seq, []storage.Change{{Cause: "make gallery", Writes: []storage.Write{{Ref: g.Ref(), Put: g}}}})
	}})
	tokens := open(t, store)
	text, _ := create(t, tokens, admin)
	door, id := create(t, tokens, access.Token{Caller: access.Caller{Role: access.CheckIn}})
	if err := tokens.Revoke(t.Context(), id, access.Anybody); err != nil {
		t.Fatal(err)
	}
	closeTokens(t, tokens)
	tokens = open(t, store)
	defer closeTokens(t, tokens)
	if _, _, err := tokens.Check(text); err != nil {
		t.Error(err)
	}
	if _, _, err := tokens.Check(door); !errors.Is(err, access.ErrRevoked) {
		t.Error(err)
	}
}

// TestFailingDisk: what cannot be stored is an error, and a token that was to be revoked
// ends all the same.
func TestFailingDisk(t *testing.T) {
	var before, after error
	store := storage.OpenMemory(storage.Faults{BeforeCommit: func() error { return before }, AfterCommit: func() error { return after }})
	tokens := open(t, store)
	defer closeTokens(t, tokens)
	_, _ = create(t, tokens, admin)
	text, id := create(t, tokens, access.Token{Caller: access.Caller{Role: access.CheckIn}})
	before = storage.ErrReadOnly
	if _, _, err := tokens.Create(t.Context(), admin, access.Anybody); !errors.Is(err, access.ErrReadOnly) {
		t.Errorf("create on a full disk: %v", err)
	}
	before, after = nil, errors.New("the disk is gone")
	if err := tokens.Revoke(t.Context(), id, access.Anybody); !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("revoke: %v", err)
	}
	if _, _, err := tokens.Check(text); !errors.Is(err, access.ErrRevoked) {
		t.Errorf("after a revocation that may not be on disk: %v", err)
	}
	after = nil
	if err := tokens.Revoke(t.Context(), id, access.Anybody); err != nil {
		t.Errorf("again: %v", err)
	}
	if token, err := tokens.Get(id); err != nil || token.Revoked.IsZero() {
		t.Errorf("%+v, %v", token, err)
	}
}

// TestLastUse is in the list at once, and on disk a day later or when the tokens are closed.
func TestLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		store := storage.OpenMemory(storage.Faults{AfterCommit: func() error { commits++; return nil }})
		tokens := open(t, store)
		text, id := create(t, tokens, admin)
		onDisk := func() time.Time {
			own, _ := store.Partition(storage.ServerPartition)
			records, err := own.Fetch(t.Context(), storage.Ref{Kind: storage.KindToken, ID: id})
			if err != nil || len(records) != 1 {
				t.Fatalf("%v, %v", records, err)
			}
			return records[0].(storage.Token).Used
		}
		time.Sleep(time.Minute)
		before := commits
		var used time.Time
		for range 100 {
			if _, _, err := tokens.Check(text); err != nil {
				t.Fatal(err)
			}
			used = time.Now()
			time.Sleep(time.Second)
		}
		if token, err := tokens.Get(id); err != nil || !token.Used.Equal(used) {
			t.Errorf("used %v, %v; want %v", token.Used, err, used)
		}
		if commits != before || !onDisk().IsZero() {
			t.Error("using a token writes to the disk")
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if commits != before+1 || !onDisk().Equal(used) {
			t.Errorf("a day later: %d commits more, and %v on disk", commits-before, onDisk())
		}
		time.Sleep(48 * time.Hour)
		if commits != before+1 {
			t.Error("it is written though nobody used it")
		}
		if _, _, err := tokens.Check(text); err != nil {
			t.Fatal(err)
		}
		used = time.Now()
		closeTokens(t, tokens)
		if !onDisk().Equal(used) {
			t.Errorf("closed: %v on disk, want %v", onDisk(), used)
		}
	})
}

// TestManyAtOnce checks, makes and revokes at once, for the race detector.
func TestManyAtOnce(t *testing.T) {
	tokens := open(t, storage.OpenMemory(storage.Faults{}))
	defer closeTokens(t, tokens)
	text, _ := create(t, tokens, admin)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				own, made, err := tokens.Create(t.Context(), access.Token{Caller: access.Caller{Role: access.Enroll}}, access.Anybody)
				if err != nil {
					t.Error(err)
					return
				}
				_, alive, err := tokens.Check(own)
				if err != nil {
					t.Error(err)
					return
				}
				if err := tokens.Revoke(t.Context(), made.Token, access.Anybody); err != nil {
					t.Error(err)
				}
				<-alive.Done()
				if !errors.Is(context.Cause(alive), access.ErrRevoked) {
					t.Error(context.Cause(alive))
				}
				if _, _, err := tokens.Check(text); err != nil || len(tokens.List()) < 2 {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// FuzzToken: no text but one that was given out is a token, and none panics.
func FuzzToken(f *testing.F) {
	store := storage.OpenMemory(storage.Faults{})
	tokens, err := access.OpenTokens(context.Background(), store, nil)
	if err != nil {
		f.Fatal(err)
	}
	text, made, err := tokens.Create(context.Background(), admin, access.Anybody)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", text, text[:len(text)-1], text + "A", strings.ToUpper(text), " " + text, "rollcall__", "rollcall_" + made.Token + "_",
		strings.Replace(text, made.Token, strings.Repeat("a", 16), 1), text[:len(text)-1] + "=", text[:len(text)-1] + "\n", "\x00\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, _, err := tokens.Check(s)
		if ok := s == text; ok != (err == nil) || !ok && !errors.Is(err, access.ErrInvalid) || ok && c.Token != made.Token {
			t.Errorf("%q: %+v, %v", s, c, err)
		}
		if _, _, err := tokens.Pair(t.Context(), s); !errors.Is(err, access.ErrInvalidCode) {
			t.Errorf("%q as a code: %v", s, err)
		}
	})
}

// BenchmarkCheck is what each call pays.
func BenchmarkCheck(b *testing.B) {
	tokens, err := access.OpenTokens(b.Context(), storage.OpenMemory(storage.Faults{}), nil)
	if err != nil {
		b.Fatal(err)
	}
	text, _, err := tokens.Create(b.Context(), admin, access.Anybody)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := tokens.Check(text); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRevokedSessionsMakeRoom: who has too many sessions revokes one, and gets another.
func TestRevokedSessionsMakeRoom(t *testing.T) {
	tokens := open(t, storage.OpenMemory(storage.Faults{}))
	defer closeTokens(t, tokens)
	text, _ := create(t, tokens, admin)
	var last access.Token
	for {
		_, made, err := tokens.Session(t.Context(), text)
		if errors.Is(err, access.ErrTooMany) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = made
	}
	if err := tokens.Revoke(t.Context(), last.Token, access.Anybody); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.Session(t.Context(), text); err != nil {
		t.Errorf("after a session was revoked: %v", err)
	}
	if _, _, err := tokens.Session(t.Context(), text); !errors.Is(err, access.ErrTooMany) {
		t.Errorf("a second one in its place: %v", err)
	}
}
