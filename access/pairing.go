package access

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"rollcall/storage"
)

const (
	// codeLetters have no look-alikes: no 0 and O, 1, I and L, 2 and Z, 5 and S, 8 and B.
	codeLetters = "34679ACDEFGHJKMNPQRTUVWXY"
	// codeLength makes 25^8 = 1.5 x 10^11 codes. One that lasts for ten minutes cannot be
	// found by guesses whose number is limited.
	codeLength = 8
	codeTime   = 10 * time.Minute
	// mostCodes is how many codes there may be at once.
	mostCodes = 20
)

// offers are the pairing codes that can be used now. They are in memory only: after a
// restart an administrator makes a new one.
type offers struct {
	mu     sync.Mutex
	byCode map[string]offer // guarded by mu
}

type offer struct {
	want    Token // of the tablet
	expires time.Time
}

// NewCode makes a pairing code, which buys once, within ten minutes, a session that stays
// until it is revoked: that of a tablet, say. Of want it takes what the caller may do. By
// is the administrator's token; if it is revoked the session is too. A code is short, so
// it buys no session of an admin. The errors are a *RequestError, ErrTooMany and
// ErrNotFound (by is no token: nobody has to log in).
func (t *Tokens) NewCode(want Token, by Caller) (code string, expires time.Time, err error) {
	now := time.Now().UTC()
	want.Expires = time.Time{}
	if err := want.check(now); err != nil {
		return "", time.Time{}, err
	}
	if want.Role == Admin || want.Role == Metrics || want.Embeddings {
		return "", time.Time{}, &RequestError{"role", "a pairing code is for a checkin, a register or an enroll, without embeddings: make a token for others"}
	}
	parent, err := t.Get(by.Token)
	if err != nil {
		return "", time.Time{}, err
	}
	// The session of the administrator's page ends soon; what it paired does not.
	want.Parent = parent.Token
	if parent.Parent != "" {
		want.Parent = parent.Parent
	}
	o := &t.offers
	o.mu.Lock()
	defer o.mu.Unlock()
	for code, offer := range o.byCode {
		if !now.Before(offer.expires) {
			delete(o.byCode, code)
		}
	}
	if len(o.byCode) >= mostCodes {
		return "", time.Time{}, ErrTooMany
	}
	if o.byCode == nil {
		o.byCode = make(map[string]offer)
	}
	code, expires = newCode(), now.Add(codeTime)
	o.byCode[code] = offer{want, expires}
	return code, expires, nil
}

// Pair buys a session with a pairing code, which may be typed in small letters and with
// spaces and hyphens. The errors are ErrInvalidCode, ErrReadOnly, ErrUnavailable and
// ctx's.
func (t *Tokens) Pair(ctx context.Context, code string) (text string, made Token, err error) {
	o := &t.offers
	o.mu.Lock() // held to the end: a code is used once
	defer o.mu.Unlock()
	code = typed(code)
	offer, ok := o.byCode[code]
	now := time.Now().UTC()
	if !ok || !now.Before(offer.expires) {
		return "", Token{}, ErrInvalidCode
	}
	err = t.edit(ctx, "pair", Caller{Token: offer.want.Parent}, func(records map[string]storage.Token) ([]storage.Write, error) {
		if r, ok := records[offer.want.Parent]; !ok || tokenOf(r).Ended(now) {
			return nil, ErrInvalidCode // who made the code may no longer make one
		}
		var r storage.Token
		text, made, r = newToken(offer.want, now)
		return []storage.Write{put(r)}, nil
	})
	if err == nil {
		delete(o.byCode, code)
	}
	return text, made, err
}

// typed returns a code as newCode makes it.
func typed(code string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
}

func newCode() string {
	var code strings.Builder
	for code.Len() < codeLength {
		var b [1]byte
		_, _ = rand.Read(b[:])                    // never fails, as documented
		if int(b[0]) < 256-256%len(codeLetters) { // or some letters would be more frequent
			code.WriteByte(codeLetters[int(b[0])%len(codeLetters)])
		}
	}
	return code.String()
}
