package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
)

// unary returns a client for calls that each get one answer.
func (o *clientOptions) unary() *http.Client {
	return &http.Client{Timeout: o.timeout, Transport: o.transport(nil)}
}

// transport returns what carries the calls of a command. Without protocols it chooses them
// itself.
func (o *clientOptions) transport(protocols *http.Protocols) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = protocols
	t.TLSClientConfig = &tls.Config{RootCAs: o.roots}
	return &calls{t, o}
}

// readAuthority reads --ca.
func (o *clientOptions) readAuthority() error {
	if o.ca == "" {
		return nil
	}
	content, err := os.ReadFile(o.ca)
	if err != nil {
		return usageError("--ca: %w", err)
	}
	o.roots = x509.NewCertPool()
	if !o.roots.AppendCertsFromPEM(content) {
		return usageError("--ca %s holds no certificate in PEM; it can be the ca.crt of \"rollcall tls init\"", o.ca)
	}
	return nil
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
