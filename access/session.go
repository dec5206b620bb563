package access

import (
	"context"
	"time"

	"rollcall/storage"
)

const (
	// sessionTime is how long a session lasts that a token has bought: a working day.
	sessionTime = 12 * time.Hour
	// mostSessions is how many such sessions of one token there may be. Each is a record.
	mostSessions = 20
)

// Session buys a session with a token: a token of its own that lasts for half a day and
// at most as long as the first. A session buys no other. The errors are those of
// [Tokens.Check], ErrTooMany, ErrReadOnly, ErrUnavailable and ctx's.
func (t *Tokens) Session(ctx context.Context, token string) (text string, made Token, err error) {
	e, err := t.find(token)
	if err != nil {
		return "", Token{}, err
	}
	if e.token.Parent != "" {
		return "", Token{}, ErrInvalid
	}
	now := time.Now().UTC()
	err = t.edit(ctx, "begin session", e.token.Caller, func(records map[string]storage.Token) ([]storage.Write, error) {
		r, ok := records[e.token.Token] // as it is now: it may have left a gallery
		if !ok || !r.Revoked.IsZero() {
			return nil, ErrRevoked
		}
		want := tokenOf(r)
		want.Parent = want.Token
		if end := now.Add(sessionTime); want.Expires.IsZero() || end.Before(want.Expires) {
			want.Expires = end
		}
		text, made, r = newToken(want, now)
		writes := []storage.Write{put(r)}
		sessions := 0
		for _, r := range records {
			switch {
			case r.Parent == "" || r.Expires.IsZero():
			case !now.Before(r.Expires):
				writes = append(writes, drop(r)) // nobody wants to see old sessions listed
			case r.Parent == want.Parent && r.Revoked.IsZero():
				sessions++
			}
		}
		if sessions >= mostSessions {
			return nil, ErrTooMany
		}
		return writes, nil
	})
	return text, made, err
}

// EndSession forgets a session, or unpairs a tablet, by who has it. The errors are
// ErrNotFound (it is neither), ErrReadOnly, ErrUnavailable and ctx's.
func (t *Tokens) EndSession(ctx context.Context, c Caller) error {
	return t.edit(ctx, "end session", c, func(records map[string]storage.Token) ([]storage.Write, error) {
		r, ok := records[c.Token]
		if !ok || r.Parent == "" {
			return nil, ErrNotFound
		}
		return []storage.Write{drop(r)}, nil
	})
}
