package rpc

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
)

const requestIDHeader = "X-Request-Id"

// Handler returns the server's HTTP handler, for tests and for callers that have their
// own http.Server.
func (s *Server) Handler() http.Handler {
	pages := map[string]http.HandlerFunc{
		"/":         index,
		"/livez":    s.livez,
		"/readyz":   s.readyz,
		metricsPath: s.opts.Metrics.handler().ServeHTTP,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var wrong *refusal
		if r.URL.Path == rawPath {
			r, wrong = rawIdentify(r)
		}
		m, isCall := methods()[r.URL.Path]
		out := s.reply(w, r, m)
		defer out.end()
		// An answer may hold ids, and none is true for long.
		out.Header().Set("Cache-Control", "no-store")
		page := pages[r.URL.Path]
		if console := s.opts.Console; console != nil && isConsole(r.URL.Path) {
			page = console.ServeHTTP
		}
		switch {
		case r.URL.Path == sessionPath && s.isMeant(r):
			out.leaveUnread(r)
			s.session(out, r)
		case page == nil:
			s.call(out, r, m, isCall, wrong)
		case !s.isMeant(r):
			s.refuse(out, r, &refusal{Error: foreignHost()})
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			s.refuse(out, r, wrongMethod("page", "GET, HEAD", ""))
		default:
			r, release, why := s.admit(out, r, rights[pageOf(r.URL.Path)])
			defer release()
			if why != nil {
				s.refuse(out, r, why)
				return
			}
			out.leaveUnread(r)
			page(out, r)
		}
	})
}

const metricsPath = "/metrics"

// consolePaths begins the paths of the console's files. Its first page is at the root.
const consolePaths = "/console/"

func isConsole(path string) bool { return path == "/" || strings.HasPrefix(path, consolePaths) }

// pageOf returns the path of a page as rights names it: one for all files of the console.
func pageOf(path string) string {
	if strings.HasPrefix(path, consolePaths) {
		return consolePaths
	}
	return path
}

// index is the page at the root of a server without a console.
func index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, "Rollcall answers here: see /livez, /readyz, /metrics, and POST /rollcall.v1.AttendanceService/Identify.\n")
}

// reply returns the answer to write to, which must be ended.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, m method) *reply {
	control := http.NewResponseController(w)
	out := &reply{ResponseWriter: w, control: control, server: s, stream: m.stream || m.answers, status: http.StatusOK}
	out.out.Add(1)
	out.stop = context.AfterFunc(s.draining, func() {
		defer out.out.Done()
		out.cutOff(s.opts.DrainTimeout / 2)
	})
	return out
}

// unavailable says why the server takes no calls now; nil if it takes calls. It counts the
// calls that are refused because the server drains.
func (s *Server) unavailable() *connect.Error {
	switch {
	case s.isDraining():
		s.turnedAway.Add(1)
		return draining()
	case s.open.Load() == nil:
		return starting()
	}
	return nil
}

// call answers every RPC, and every request for a path that is no page. It gives the
// request its id, refuses it early if it can, lets the handlers answer, and writes the
// log line. Wrong is what is known to be wrong with it already; nil: nothing.
func (s *Server) call(out *reply, r *http.Request, m method, known bool, wrong *refusal) {
	start := time.Now()
	record := &callRecord{id: requestID(r), procedure: procedureLabel(r.URL.Path), address: s.clientAddress(r)}
	out.Header().Set(requestIDHeader, record.id)
	r = r.WithContext(withRecord(r.Context(), record))

	var why *refusal
	release := func() {}
	switch {
	case !s.isMeant(r):
		why = &refusal{Error: foreignHost()}
	case !known:
		why = unknownPath()
	default:
		r, release, why = s.admit(out, r, rights[r.URL.Path])
	}
	defer release()
	if why == nil {
		why = wrong
	}
	if why == nil {
		why = s.refused(r, m)
	}
	if why == nil {
		why = s.serve(out, r, m)
	}
	if why != nil {
		record.end(why.Error)
		s.refuse(out, r, why)
	}
	if record.code == "" {
		record.code = out.code()
	}
	s.finish(r, record, time.Since(start))
}

// serve lets the handlers answer. If there is no room for the request it returns why.
func (s *Server) serve(out *reply, r *http.Request, m method) *refusal {
	body, err := s.openBody(r, m, out.control)
	if err != nil {
		return &refusal{Error: err}
	}
	defer body.end()
	s.open.Load().routes.ServeHTTP(out, r)
	return nil
}

// refuse answers in the protocol of the request, or in JSON if it has none.
func (s *Server) refuse(out *reply, r *http.Request, why *refusal) {
	out.leaveUnread(r)
	for name, value := range why.header {
		out.Header().Set(name, value)
	}
	out.instead = why.status
	if err := s.rejecter.Write(out, r, why.Error); err != nil {
		s.opts.Logger.Debug("the refusal could not be written", "error", err)
	}
}

// finish counts and logs a call.
func (s *Server) finish(r *http.Request, record *callRecord, took time.Duration) {
	s.opts.Metrics.request(record.procedure, record.code, took)
	s.noteRefusal(r.Context(), record)
	level := slog.LevelInfo
	switch record.code {
	case connect.CodeInternal.String(), connect.CodeUnknown.String(), connect.CodeDataLoss.String():
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("procedure", record.procedure),
		slog.String("code", record.code),
		slog.Duration("took", took.Round(time.Microsecond)),
		slog.String("request_id", record.id),
	}
	if record.reason != "" {
		attrs = append(attrs, slog.String("reason", record.reason))
	}
	if record.internal != nil {
		attrs = append(attrs, slog.Any("error", record.internal))
	}
	s.opts.Logger.LogAttrs(r.Context(), level, "call", attrs...)
}

// requestID is the client's id if that is harmless to log, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, notIDRune) {
		return rand.Text()
	}
	return id
}

func notIDRune(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:", c))
}
