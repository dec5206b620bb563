package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
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
	answer, err := c.RoundTripper.RoundTrip(r)
	if err == nil && wantsTLS(r, answer) {
		return nil, errors.Join(errSpeaksTLS, answer.Body.Close())
	}
	if err != nil && r.URL.Scheme == "http" && asksForTLS(r.URL.Host) {
		return nil, fmt.Errorf("%w (%w)", errSpeaksTLS, err)
	}
	return answer, err
}

// errSpeaksTLS says that a server was called without TLS, and speaks nothing else.
var errSpeaksTLS = errors.New("the server speaks TLS")

// wantsTLS says whether an answer is that of net/http to a call that should have come by TLS.
// In HTTP/1.0 it answers nothing else.
func wantsTLS(r *http.Request, answer *http.Response) bool {
	return r.URL.Scheme == "http" && answer.StatusCode == http.StatusBadRequest && !answer.ProtoAtLeast(1, 1)
}

// asksForTLS says whether a server answers so. One that is called by HTTP/2 cuts the connection.
func asksForTLS(host string) bool {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get("http://" + host + "/livez")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return wantsTLS(answer.Request, answer)
}
