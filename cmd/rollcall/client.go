package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// clientOptions are the flags of every command that calls a server.
type clientOptions struct {
	server  string
	gallery string
	ca      string
	timeout time.Duration
	login   login
	output  terminal.Output

	roots *x509.CertPool // of --ca; nil: this machine's
}

func (o *clientOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.server, "server", "http://127.0.0.1:8787", "HOST:PORT or address of the server")
	set.StringVar(&o.gallery, "gallery", "", "gallery that the call is about; empty: the only one that the caller may use, or \"default\"")
	set.StringVar(&o.ca, "ca", "", "PEM file of the authority that vouches for the server; empty: those that this machine trusts")
	set.DurationVar(&o.timeout, "timeout", time.Minute, "give up on a call after this time; a server that is busy is asked again until then")
	o.login.addFlags(set)
	o.output.AddFlag(set)
}

// validate returns a usage error for impossible values, and completes --server to an address.
func (o *clientOptions) validate() error {
	if o.timeout <= 0 {
		return usageError("--timeout is %v; it can be a time of more than 0, such as 30s", o.timeout)
	}
	address := o.server
	if !strings.Contains(address, "://") {
		scheme := "http://"
		if o.ca != "" {
			scheme = "https://"
		}
		address = scheme + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		address != o.server && u.Port() == "" {
		return usageError("--server is %q; it can be HOST:PORT, or an address that starts with http:// or https://", o.server)
	}
	o.server = strings.TrimRight(address, "/")
	if err := o.readAuthority(); err != nil {
		return err
	}
	return o.login.read()
}

func (o *clientOptions) attendance() rollcallv1connect.AttendanceServiceClient {
	return rollcallv1connect.NewAttendanceServiceClient(o.unary(), o.server, o.interceptors())
}

func (o *clientOptions) galleries() rollcallv1connect.GalleryServiceClient {
	return rollcallv1connect.NewGalleryServiceClient(o.unary(), o.server, o.interceptors())
}

func (o *clientOptions) tokens() rollcallv1connect.TokenServiceClient {
	return rollcallv1connect.NewTokenServiceClient(o.unary(), o.server, o.interceptors())
}

func (o *clientOptions) journal() rollcallv1connect.JournalServiceClient {
	return rollcallv1connect.NewJournalServiceClient(o.unary(), o.server, o.interceptors())
}

// interceptors are what every call with one answer goes through.
func (o *clientOptions) interceptors() connect.ClientOption {
	return connect.WithInterceptors(patience(o.timeout), o.login)
}

// streaming returns a client over HTTP/2, also without TLS. It has no time limit: a stream lasts
// as long as there are crops.
func (o *clientOptions) streaming() rollcallv1connect.GalleryServiceClient {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: o.transport(&protocols)}
	return rollcallv1connect.NewGalleryServiceClient(client, o.server, connect.WithGRPC(), connect.WithInterceptors(o.login))
}

// printMessage prints a response as indented JSON, with the field names of the
// .proto.
func printMessage(out io.Writer, m proto.Message) error {
	b, err := protojson.MarshalOptions{UseProtoNames: true, Multiline: true, Indent: "  "}.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", b)
	return err
}

// printCompact prints a message as JSON in one line.
func printCompact(out io.Writer, m proto.Message) error {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, b); err != nil { // protojson puts blanks in at random
		return err
	}
	line.WriteByte('\n')
	_, err = line.WriteTo(out)
	return err
}

// orDash replaces an empty text, so that it can be seen in a table.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// count writes a number of things: "1 crop", "2 crops".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
