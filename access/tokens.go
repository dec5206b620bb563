package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/storage"
)

// Tokens are the tokens of a server, with the sessions and paired tablets that were made
// from them. All are in memory, so that a check reads no disk. They are safe for
// concurrent use.
type Tokens struct {
	own *storage.Partition // the server's
	log *slog.Logger

	editing sync.Mutex // held while an edit decides and commits
	stale   bool       // guarded by editing: an edit failed, so that the disk has to be read again

	mu    sync.RWMutex // guards known; taken after editing
	known map[string]*entry

	offers offers // of pairing codes

	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when the notes on use are no longer written
}

// entry is a token in memory.
type entry struct {
	record storage.Token // as it is on disk
	token  Token         // the same
	used   atomic.Int64  // when it was last used, in nanoseconds of Unix time; 0: not since the start

	// alive ends when the token does; its cause is ErrExpired, ErrRevoked or ErrInvalid.
	alive context.Context
	end   context.CancelCauseFunc
}

// noteEvery is how often the last uses are written to disk. They are also written when
// the server stops. So after a crash they may be a day old, and a year takes 365 lines of
// the log.
const noteEvery = 24 * time.Hour

// OpenTokens reads the tokens of a store. The caller closes them before the store. A nil
// logger logs nothing. The errors are those of storage, and ctx's.
func OpenTokens(ctx context.Context, store *storage.Store, logger *slog.Logger) (*Tokens, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	own, err := store.Partition(storage.ServerPartition)
	if err != nil {
		return nil, err
	}
	t := &Tokens{own: own, log: logger, known: make(map[string]*entry), stop: make(chan struct{}), stopped: make(chan struct{})}
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	go t.noteUses()
	return t, nil
}

// Close writes when the tokens were last used. No other method may be called afterwards.
func (t *Tokens) Close() error {
	close(t.stop)
	<-t.stopped
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.known {
		e.end(ErrInvalid) // frees its timer
	}
	return nil
}

// Any says whether there is a token. As long as there is none, nobody has to log in. One
// that has ended counts: a server must not open itself to everybody again.
func (t *Tokens) Any() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.known) > 0
}

// Check returns who has the token of this text. Alive ends when the token does, with
// context.Cause ErrExpired or ErrRevoked: then a call that is under way has to end too.
// The errors are ErrInvalid, ErrExpired and ErrRevoked. The last two are only for who
// has the whole token.
func (t *Tokens) Check(text string) (c Caller, alive context.Context, err error) {
	e, err := t.find(text)
	if err != nil {
		return Caller{}, nil, err
	}
	return e.token.Caller, e.alive, nil
}

// find returns the entry of a token, and notes that it is used.
func (t *Tokens) find(text string) (*entry, error) {
	id, digest, ok := parse(text)
	if !ok {
		return nil, ErrInvalid
	}
	t.mu.RLock()
	e := t.known[id]
	t.mu.RUnlock()
	if e == nil || !same(e.record.Digest, digest) {
		return nil, ErrInvalid
	}
	now := time.Now()
	if err := e.ended(now); err != nil {
		return nil, err
	}
	e.used.Store(now.UnixNano())
	return e, nil
}

// ended returns why a token has ended, or nil. The clock counts as well as the timer of
// alive, which a machine that sleeps may stop.
func (e *entry) ended(now time.Time) error {
	if err := e.token.ended(now); err != nil {
		return err
	}
	return context.Cause(e.alive)
}

// Get returns the token with this id, or ErrNotFound.
func (t *Tokens) Get(id string) (Token, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.known[id]
	if e == nil {
		return Token{}, ErrNotFound
	}
	return e.seen(), nil
}

// List returns all tokens, sessions and paired tablets, by their time of making.
func (t *Tokens) List() []Token {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var list []Token
	for _, e := range t.known {
		list = append(list, e.seen())
	}
	slices.SortFunc(list, func(a, b Token) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Token, b.Token)) })
	return list
}

// seen returns the token with its last use.
func (e *entry) seen() Token {
	token := e.token
	if used := e.used.Load(); used > 0 {
		token.Used = time.Unix(0, used).UTC()
	}
	return token
}

// read makes the memory hold what is on disk.
func (t *Tokens) read(ctx context.Context) error {
	records := make(map[string]storage.Token)
	for r, err := range t.own.Load(ctx) {
		if err != nil {
			return fmt.Errorf("read the tokens: %w", err)
		}
		if r, ok := r.(storage.Token); ok {
			records[r.ID] = r
		}
	}
	t.apply(records)
	return nil
}

// records returns a copy of what is in memory.
func (t *Tokens) records() map[string]storage.Token {
	t.mu.RLock()
	defer t.mu.RUnlock()
	records := make(map[string]storage.Token, len(t.known))
	for id, e := range t.known {
		records[id] = e.record
	}
	return records
}

// apply makes the memory hold what the records say. What has ended ends at once.
func (t *Tokens) apply(records map[string]storage.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, e := range t.known {
		if _, ok := records[id]; !ok {
			e.end(ErrInvalid)
			delete(t.known, id)
		}
	}
	for id, r := range records {
		e := &entry{record: r, token: tokenOf(r)}
		if before := t.known[id]; before != nil {
			// Who calls with it goes on. A call that is under way in a gallery that is deleted ends with that.
			e.used.Store(before.used.Load())
			e.alive, e.end = before.alive, before.end
		} else {
			e.alive, e.end = lifetime(e.token.Expires)
		}
		if !e.token.Revoked.IsZero() {
			e.end(ErrRevoked)
		}
		t.known[id] = e
	}
}

// lifetime returns a context that ends at this time; zero: only by end.
func lifetime(expires time.Time) (context.Context, context.CancelCauseFunc) {
	alive, end := context.WithCancelCause(context.Background())
	if expires.IsZero() {
		return alive, end
	}
	alive, stop := context.WithDeadlineCause(alive, expires, ErrExpired)
	return alive, func(cause error) {
		end(cause)
		stop()
	}
}

// edit changes the tokens on disk and then in memory. Decide returns the change, from the
// tokens as they are.
func (t *Tokens) edit(ctx context.Context, cause string, by Caller, decide func(map[string]storage.Token) ([]storage.Write, error)) error {
	t.editing.Lock()
	defer t.editing.Unlock()
	if t.stale {
		if err := t.read(ctx); err != nil {
			return err
		}
		t.stale = false
	}
	records := t.records()
	writes, err := decide(records)
	if err != nil || len(writes) == 0 {
		return err
	}
	for i, w := range writes {
		if before, ok := records[w.Ref.ID]; ok {
			writes[i].Before = before
		}
	}
	err = t.commit(ctx, storage.Change{Time: time.Now().UTC(), Cause: cause, By: by.Token, Writes: writes})
	switch {
	case errors.Is(err, storage.ErrReadOnly), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case err != nil:
		t.stale = true
		t.log.Error("storing tokens failed", "cause", cause, "error", err)
		return ErrUnavailable
	}
	for _, w := range writes {
		if w.Put == nil {
			delete(records, w.Ref.ID)
			continue
		}
		records[w.Ref.ID] = w.Put.(storage.Token)
	}
	t.apply(records)
	return nil
}

// commit stores a change. Others write to the server's partition too, but no tokens: what
// was decided still holds after their commits.
func (t *Tokens) commit(ctx context.Context, c storage.Change) error {
	for {
		seq, err := t.own.Sequence(ctx)
		if err != nil {
			return err
		}
		// No caller's context: nobody would know what was stored.
		err = t.own.Commit(context.WithoutCancel(ctx), seq, []storage.Change{c})
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

func put(r storage.Token) storage.Write { return storage.Write{Ref: r.Ref(), Put: r} }

func drop(r storage.Token) storage.Write { return storage.Write{Ref: r.Ref()} }
