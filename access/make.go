package access

import (
	"context"
	"slices"
	"time"

	"rollcall/storage"
)

// Create makes a token. Of want it takes what the caller may do, and Expires. It returns
// the text, which is nowhere else: only its digest is kept. By is who makes it, for the
// log. The first token of a server must be an admin's for all galleries: as soon as there
// is a token everybody needs one, and then nobody could make another. The errors are a
// *RequestError, ErrReadOnly, ErrUnavailable and ctx's.
func (t *Tokens) Create(ctx context.Context, want Token, by Caller) (text string, made Token, err error) {
	now := time.Now().UTC()
	if err := want.check(now); err != nil {
		return "", Token{}, err
	}
	err = t.edit(ctx, "make token", by, func(records map[string]storage.Token) ([]storage.Write, error) {
		if len(records) == 0 && (want.Role != Admin || len(want.Galleries) > 0) {
			return nil, &RequestError{"role", "the first token must be an admin's for all galleries: from then on everybody needs one, and only an admin can make more"}
		}
		want.Parent = ""
		var r storage.Token
		text, made, r = newToken(want, now)
		return []storage.Write{put(r)}, nil
	})
	return text, made, err
}

// newToken gives a token its id and secret.
func newToken(want Token, now time.Time) (text string, made Token, r storage.Token) {
	text, id, digest := newSecret()
	want.Token, want.Created, want.Revoked, want.Used = id, now, time.Time{}, time.Time{}
	return text, want, want.record(digest)
}

// Revoke ends a token for good, with the sessions and paired tablets made from it. It
// stays listed. Revoking it again changes nothing. The errors are ErrNotFound,
// ErrReadOnly, ErrUnavailable (it may come back at the next start: try again) and ctx's.
func (t *Tokens) Revoke(ctx context.Context, id string, by Caller) error {
	err := t.edit(ctx, "revoke token", by, func(records map[string]storage.Token) ([]storage.Write, error) {
		if _, ok := records[id]; !ok {
			return nil, ErrNotFound
		}
		now := time.Now().UTC()
		var writes []storage.Write
		for _, r := range records {
			if (r.ID == id || r.Parent == id) && r.Revoked.IsZero() {
				r.Revoked = now
				writes = append(writes, put(r))
			}
		}
		return writes, nil
	})
	if err == ErrUnavailable {
		t.endNow(id)
	}
	return err
}

// Leave takes a gallery that is to be deleted from all tokens and pairing codes: one that is made
// again under its name is another. Tokens and codes for this gallery alone end. By is who
// deletes it, for the log. The errors are ErrReadOnly, ErrUnavailable (nobody knows which were
// stored: try again) and ctx's.
func (t *Tokens) Leave(ctx context.Context, gallery string, by Caller) error {
	t.offers.mu.Lock() // to the end: no code may become a token meanwhile
	defer t.offers.mu.Unlock()
	err := t.edit(ctx, "leave gallery", by, func(records map[string]storage.Token) (writes []storage.Write, _ error) {
		now := time.Now().UTC()
		for _, r := range records {
			rest, has := without(r.Galleries, gallery)
			switch {
			case !has || !r.Revoked.IsZero():
				continue
			case len(rest) == 0: // which would mean all
				r.Revoked = now
			default:
				r.Galleries = rest
			}
			writes = append(writes, put(r))
		}
		return writes, nil
	})
	if err != nil {
		return err
	}
	for code, o := range t.offers.byCode {
		rest, has := without(o.want.Galleries, gallery)
		if o.want.Galleries = rest; has && len(rest) == 0 {
			delete(t.offers.byCode, code)
			continue
		}
		t.offers.byCode[code] = o
	}
	return nil
}

// without returns a copy of the list without a gallery, and whether it had it.
func without(galleries []string, gallery string) (rest []string, has bool) {
	rest = slices.DeleteFunc(slices.Clone(galleries), func(id string) bool { return id == gallery })
	return rest, len(rest) < len(galleries)
}

// endNow ends a token in memory.
func (t *Tokens) endNow(id string) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, e := range t.known {
		if e.token.Token == id || e.token.Parent == id {
			e.end(ErrRevoked)
		}
	}
}

// noteUses writes the last uses to disk, now and then and at the end.
func (t *Tokens) noteUses() {
	defer close(t.stopped)
	ticker := time.NewTicker(noteEvery)
	defer ticker.Stop()
	for stopping := false; !stopping; {
		select {
		case <-ticker.C:
		case <-t.stop:
			stopping = true
		}
		err := t.edit(context.Background(), "note use of tokens", Caller{}, func(records map[string]storage.Token) (writes []storage.Write, _ error) {
			for _, seen := range t.List() {
				if r, ok := records[seen.Token]; ok && seen.Used.After(r.Used) {
					r.Used = seen.Used
					writes = append(writes, put(r))
				}
			}
			return writes, nil
		})
		if err != nil {
			t.log.Warn("when the tokens were last used could not be stored", "error", err)
		}
	}
}
