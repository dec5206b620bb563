package access

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/text/unicode/norm"

	"rollcall/storage"
)

// Token is what is known of a token, a session or a paired tablet. Its secret is not.
type Token struct {
	// Caller is who calls with it.
	Caller
	// Parent is the id of the token that a session was bought with, or that made the
	// pairing code of a tablet; "": it is neither.
	Parent  string
	Created time.Time
	Expires time.Time // zero: never
	Revoked time.Time // zero: it was not
	Used    time.Time // when it was last used; zero: never
}

// Ended says whether it is expired or revoked.
func (t Token) Ended(now time.Time) bool { return t.ended(now) != nil }

// ended returns ErrRevoked or ErrExpired, or nil.
func (t Token) ended(now time.Time) error {
	switch {
	case !t.Revoked.IsZero():
		return ErrRevoked
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return ErrExpired
	}
	return nil
}

// check returns a *RequestError if such a token cannot be made, and brings it into the
// form in which it is kept.
func (t *Token) check(now time.Time) error {
	switch {
	case !slices.Contains(Roles, t.Role):
		return &RequestError{"role", fmt.Sprintf("there is no role %q", t.Role)}
	case len(t.Groups) > 0 && t.Role != CheckIn:
		return &RequestError{"groups", "only a checkin asks about some groups: leave them out, or take the role checkin"}
	case t.Embeddings && t.Role != Enroll && t.Role != Admin:
		return &RequestError{"embeddings", "only enroll and admin can get embeddings: leave it out, or take another role"}
	case len(t.Galleries) > 0 && t.Role == Metrics:
		return &RequestError{"galleries", "the metrics are those of all galleries: leave the galleries out"}
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return &RequestError{"expires", "this time is over: take a later one"}
	}
	t.Galleries, t.Groups = canonical(t.Galleries), canonical(t.Groups)
	return nil
}

// canonical returns ids in the form in which galleries keep theirs, sorted and each once.
func canonical(ids []string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, norm.NFC.String(id))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (t Token) record(digest []byte) storage.Token {
	return storage.Token{
		ID: t.Token, Role: string(t.Role), Name: t.Name, Galleries: t.Galleries, Groups: t.Groups, Embeddings: t.Embeddings,
		Digest: digest, Parent: t.Parent, Created: t.Created, Expires: t.Expires, Revoked: t.Revoked, Used: t.Used,
	}
}

func tokenOf(r storage.Token) Token {
	return Token{
		Caller: Caller{Token: r.ID, Name: r.Name, Role: Role(r.Role), Galleries: r.Galleries, Groups: r.Groups, Embeddings: r.Embeddings},
		Parent: r.Parent, Created: r.Created, Expires: r.Expires, Revoked: r.Revoked, Used: r.Used,
	}
}
