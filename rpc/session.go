package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"rollcall/access"
)

// A browser must not keep a token where a page can read it. So it buys a session with
// one, or with a pairing code. The session is in a cookie that no page can read and that
// goes to this server alone.

const (
	sessionPath   = "/session"
	sessionCookie = "rollcall_session"

	// paymentBytes is more than what buys a session.
	paymentBytes = 4 << 10

	// pairedTime is how long a browser keeps the cookie of a paired tablet: browsers keep
	// none longer. GET /session sets it anew.
	pairedTime = 400 * 24 * time.Hour
)

// sessionInfo says who a browser is.
type sessionInfo struct {
	Role      access.Role `json:"role"`
	Name      string      `json:"name"`
	Galleries []string    `json:"galleries"` // empty: all
}

func infoOf(c access.Caller) *sessionInfo {
	return &sessionInfo{Role: c.Role, Name: c.Name, Galleries: append([]string{}, c.Galleries...)}
}

// session begins (POST), shows (GET) and ends (DELETE) the session of a browser.
func (s *Server) session(out *reply, r *http.Request) {
	does := map[string]func(http.ResponseWriter, *http.Request) (*sessionInfo, error){
		http.MethodPost: s.beginSession, http.MethodGet: s.showSession, http.MethodDelete: s.endSession,
	}[r.Method]
	if does == nil {
		s.refuse(out, r, wrongMethod("page", "GET, POST, DELETE", ""))
		return
	}
	info, err := func() (*sessionInfo, error) {
		if err := s.unavailable(); err != nil {
			return nil, err
		}
		if err := crossOrigin(r); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.opts.RequestTimeout)
		defer cancel()
		return does(out, r.WithContext(ctx))
	}()
	if err != nil {
		s.refuse(out, r, unauthorised(translate(r.Context(), err)))
		return
	}
	out.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(out).Encode(info); err != nil {
		s.opts.Logger.Debug("the session could not be written", "error", err)
	}
}

// beginSession sells a session for a token or a code.
func (s *Server) beginSession(w http.ResponseWriter, r *http.Request) (*sessionInfo, error) {
	token, code, err := readPayment(w, r)
	if err != nil {
		return nil, err
	}
	tokens := s.open.Load().api.Tokens
	var text string
	var made access.Token
	if code != "" {
		// A code is short, so the guesses are counted before they are tried.
		if wait := s.limits.Wrong(s.clientAddress(r)); wait > 0 {
			return nil, busy("TOO_MANY_WRONG_TOKENS", "this address has tried too many codes", wait)
		}
		text, made, err = tokens.Pair(r.Context(), code)
	} else {
		text, made, err = s.buySession(r, token)
	}
	switch {
	case errors.Is(err, access.ErrInvalid), errors.Is(err, access.ErrExpired), errors.Is(err, access.ErrRevoked):
		return nil, s.wrongToken(r, err)
	case errors.Is(err, access.ErrTooMany):
		return nil, newError(connect.CodeResourceExhausted, "TOO_MANY_SESSIONS", "this token has too many sessions: end some with \"rollcall tokens revoke\", or wait until the oldest end", nil)
	case err != nil:
		return nil, err
	}
	s.setSession(w, r, text, made)
	return infoOf(made.Caller), nil
}

// buySession buys a session with a token. It is a change on disk, so it counts as a request.
func (s *Server) buySession(r *http.Request, token string) (text string, made access.Token, err error) {
	tokens := s.open.Load().api.Tokens
	caller, _, err := tokens.Check(token)
	if err != nil {
		return "", access.Token{}, err
	}
	if err := s.tooMany(r, caller); err != nil {
		return "", access.Token{}, err
	}
	return tokens.Session(r.Context(), token)
}

// visitor returns who asks for the session page, as authenticate does.
func (s *Server) visitor(r *http.Request) (access.Caller, context.Context, *connect.Error) {
	caller, alive, err := s.authenticate(r)
	if err == nil && alive != nil {
		err = s.tooMany(r, caller)
	}
	return caller, alive, err
}

// readPayment reads what a session is bought with: a token or a pairing code.
func readPayment(w http.ResponseWriter, r *http.Request) (token, code string, err error) {
	bad := func(what string) (string, string, error) {
		return "", "", newError(connect.CodeInvalidArgument, "INVALID_REQUEST", what+`: send {"token": "…"} or {"code": "…"} as application/json`, nil)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return bad("this is not application/json") // nor what a form of another site's page can send
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, paymentBytes))
	decoder.DisallowUnknownFields()
	var payment struct{ Token, Code string }
	if err := decoder.Decode(&payment); err != nil {
		return bad("the request cannot be read")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || (payment.Token == "") == (payment.Code == "") {
		return bad("the request has not exactly one of token and code")
	}
	return payment.Token, payment.Code, nil
}

// showSession says who the browser is. It keeps the cookie of a paired tablet fresh.
func (s *Server) showSession(w http.ResponseWriter, r *http.Request) (*sessionInfo, error) {
	caller, alive, failed := s.visitor(r)
	if failed != nil {
		return nil, failed
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil && alive != nil && r.Header.Get("Authorization") == "" {
		if token, err := s.open.Load().api.Tokens.Get(caller.Token); err == nil {
			s.setSession(w, r, cookie.Value, token)
		}
	}
	return infoOf(caller), nil
}

// endSession forgets the session, on the server and in the browser. That of a tablet is
// unpaired. A token is not revoked in this way.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request) (*sessionInfo, error) {
	caller, alive, failed := s.visitor(r)
	if failed != nil {
		return nil, failed
	}
	if alive != nil {
		if err := s.open.Load().api.Tokens.EndSession(r.Context(), caller); err != nil {
			return nil, err
		}
	}
	s.setCookie(w, r, "", -1)
	return infoOf(access.Caller{}), nil
}

// setSession puts a session into the browser, for as long as it lasts.
func (s *Server) setSession(w http.ResponseWriter, r *http.Request, text string, token access.Token) {
	lasts := pairedTime
	if !token.Expires.IsZero() {
		lasts = time.Until(token.Expires)
	}
	s.setCookie(w, r, text, max(1, int(lasts.Seconds())))
}

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.isSecure(r),
	})
}
