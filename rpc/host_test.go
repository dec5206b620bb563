package rpc_test

import (
	"net/http"
	"strings"
	"testing"

	"rollcall/rpc"
)

// Whatever is asked for, the server answers only to who means it.
func TestHost(t *testing.T) {
	const ours, foreign = true, false
	for name, c := range map[string]struct {
		options rpc.Options
		hosts   map[string]bool
	}{
		"on this machine": {rpc.Options{}, map[string]bool{
			"localhost:8787": ours, "localhost": ours, "localhost.": ours, "LOCALHOST:1": ours, "LocalHost.:8787": ours,
			"127.0.0.1": ours, "127.8.0.1:80": ours, "[::1]:8787": ours, "::1": ours, "[::ffff:127.0.0.1]:80": ours,
			"evil.example:8787": foreign, "localhost.evil.example": foreign, "evil.localhost": foreign, "10.0.0.7:8787": foreign,
			"[2001:db8::1]:80": foreign, "": foreign, ".": foreign, "127.0.0.1.evil.example": foreign,
		}},
		"by a name": {rpc.Options{Hosts: []string{"Rollcall.school.example.", "rollcall"}}, map[string]bool{
			"rollcall.school.example": ours, "ROLLCALL.school.example.:8787": ours, "rollcall:80": ours, "localhost": ours,
			"school.example": foreign, "x.rollcall": foreign, "10.0.0.7": foreign, "": foreign,
		}},
		"exposed": {rpc.Options{Exposed: true}, map[string]bool{
			"10.0.0.7:8787": ours, "[2001:db8::1]:80": ours, "localhost": ours,
			"evil.example": foreign, "": foreign,
		}},
	} {
		w := newWorld(t, setup{options: c.options})
		for host, want := range c.hosts {
			for _, path := range []string{"/", "/livez", "/readyz", "/metrics", "/nothing", galleryPath + "ListStudents", "/grpc.health.v1.Health/Check"} {
				method, body := http.MethodGet, ""
				if strings.Contains(path, ".v1.") {
					method, body = http.MethodPost, "{}"
				}
				req := mustRequest(t, method, path, body)
				req.Host = host
				rec := newRecorder()
				w.server.Handler().ServeHTTP(rec, req)
				if got := !strings.Contains(rec.body.String(), "FOREIGN_HOST"); got != want || !want && rec.status != http.StatusForbidden {
					t.Errorf("%s: Host %q at %s: %d %s", name, host, path, rec.status, rec.body.String())
				}
			}
		}
	}
}
