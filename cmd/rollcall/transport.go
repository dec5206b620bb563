package main

import (
	"net/http"
	"net/url"
)

// unary returns a client for calls that each get one answer.
func (o *clientOptions) unary() *http.Client {
	return &http.Client{Timeout: o.timeout, Transport: o.transport(nil)}
}

// transport returns what carries all calls of a command. Without protocols it chooses them
// itself.
func (o *clientOptions) transport(protocols *http.Protocols) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = protocols
	return &calls{t, o}
}

// calls adds to each call what the flags say of it.
type calls struct {
	http.RoundTripper
	options *clientOptions
}

// RoundTrip serves http.RoundTripper.
func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if c.options.gallery != "" {
		r.Header.Set("Rollcall-Gallery", url.PathEscape(c.options.gallery))
	}
	return c.RoundTripper.RoundTrip(r)
}
