package rpc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/gallery"
)

// endGrace is how long an answer may still take to be read whose caller's token has
// ended.
const endGrace = 2 * time.Second

// admit finds out who makes a request. It refuses the request if the caller may not make
// it, before its body is read. The context of the returned request holds the caller, also
// if it is refused. It ends when the caller's token does, and release must be called.
func (s *Server) admit(out *reply, r *http.Request, allowed right) (_ *http.Request, release func(), why *refusal) {
	nothing := func() {}
	if allowed.everybody {
		return r, nothing, nil
	}
	if err := s.unavailable(); err != nil {
		return r, nothing, &refusal{Error: err} // nobody knows yet who may come in
	}
	caller, alive, err := s.authenticate(r)
	if err != nil {
		return r, nothing, unauthorised(err)
	}
	ctx, cancel := context.WithCancelCause(gallery.By(withCaller(r.Context(), caller), caller.Token))
	r, release = r.WithContext(ctx), func() { cancel(nil) }
	if alive != nil {
		// Before the role, so that nobody is refused without an end.
		if err := s.tooMany(r, caller); err != nil {
			return r, release, &refusal{Error: err}
		}
	}
	switch {
	case !allowed.allows(caller.Role):
		return r, release, &refusal{Error: roleNotAllowed(caller.Role)}
	case r.URL.Path == metricsPath && len(caller.Galleries) > 0:
		return r, release, &refusal{Error: roleNotAllowed(caller.Role)} // they tell of all galleries
	case alive == nil:
		return r, release, nil
	}
	var ending sync.WaitGroup
	ending.Add(1)
	stop := context.AfterFunc(alive, func() {
		defer ending.Done()
		cancel(context.Cause(alive))
		out.cutOff(endGrace)
	})
	return r, func() {
		if stop() {
			ending.Done()
		}
		ending.Wait() // it must not use the answer after the handler
		cancel(nil)
	}, nil
}

// tooMany counts a request of a caller with a token, and refuses it if it is one too many.
func (s *Server) tooMany(r *http.Request, c access.Caller) *connect.Error {
	if wait := s.limits.Request(c.Token, s.clientAddress(r)); wait > 0 {
		return busy("TOO_MANY_REQUESTS", "this token, or this address, makes too many requests a second", wait)
	}
	return nil
}

// tokenEnd returns why the token has ended with which a call was made: access.ErrExpired,
// say. It returns nil if the call may go on, or ends for another reason.
func tokenEnd(ctx context.Context) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, access.ErrExpired), errors.Is(cause, access.ErrRevoked), errors.Is(cause, access.ErrInvalid):
		return cause
	}
	return nil
}

// authenticate returns who makes a request, by its header or its cookie. Alive is nil
// where nobody has to log in, else it ends when the token does.
func (s *Server) authenticate(r *http.Request) (access.Caller, context.Context, *connect.Error) {
	tokens := s.open.Load().api.Tokens
	if !tokens.Any() {
		return access.Anybody, nil, nil
	}
	text, err := s.credential(r)
	if err != nil {
		return access.Caller{}, nil, err
	}
	caller, alive, wrong := tokens.Check(text)
	if wrong != nil {
		return access.Caller{}, nil, s.wrongToken(r, wrong)
	}
	return caller, alive, nil
}

// credential returns the token that a request carries. A header counts before a cookie:
// a page of ours may call with a token of its own.
func (s *Server) credential(r *http.Request) (string, *connect.Error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, text, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", s.wrongToken(r, access.ErrInvalid)
		}
		return strings.TrimSpace(text), nil
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", newError(connect.CodeUnauthenticated, "NO_TOKEN",
			"this server needs a token: send it in the header \"Authorization: Bearer TOKEN\" (commands take it from ROLLCALL_TOKEN); an administrator makes one with \"rollcall tokens create\"", nil)
	}
	// The browser adds the cookie by itself, so another site's page could make it call.
	if err := crossOrigin(r); err != nil {
		return "", err
	}
	return cookie.Value, nil
}

// crossOrigin refuses what a browser does for a page of another site: a GET too, though
// that page could learn no more than how large the answer is.
func crossOrigin(r *http.Request) *connect.Error {
	asked := *r
	asked.Method = http.MethodPost // Check lets every GET pass
	if http.NewCrossOriginProtection().Check(&asked) == nil {
		return nil
	}
	return newError(connect.CodePermissionDenied, "CROSS_ORIGIN",
		"a page of another site asks for this: call from a page of this server, or send a token in the header Authorization", nil)
}

// wrongToken refuses a token, and slows down who sends many.
func (s *Server) wrongToken(r *http.Request, why error) *connect.Error {
	if wait := s.limits.Wrong(s.clientAddress(r)); wait > 0 {
		return busy("TOO_MANY_WRONG_TOKENS", "this address has sent too many wrong tokens", wait)
	}
	return translate(r.Context(), why)
}

func roleNotAllowed(role access.Role) *connect.Error {
	return newError(connect.CodePermissionDenied, "ROLE_NOT_ALLOWED",
		"a token of the role "+string(role)+" may not do this: use one that may, or ask an administrator", nil)
}

// unauthorised is the refusal for an error of admit: it may say that a token is needed.
func unauthorised(err *connect.Error) *refusal {
	why := &refusal{Error: err}
	if err.Code() == connect.CodeUnauthenticated {
		why.header = map[string]string{"WWW-Authenticate": "Bearer"}
	}
	return why
}
