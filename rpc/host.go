package rpc

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"connectrpc.com/connect"
)

// hostName returns the name or address of a Host header, without port, in lower case
// and without the dot that ends a full name.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// answersTo says whether a call with this Host header is meant for this server. A web
// page may have a name of its own resolve to any address, and so have a browser call
// the server that is there; but the browser then sends the page's name. An address is
// nobody's to choose.
func (s *Server) answersTo(host string) bool {
	name := hostName(host)
	if address, err := netip.ParseAddr(name); err == nil {
		return s.opts.Exposed || address.Unmap().IsLoopback()
	}
	return name == "localhost" || slices.ContainsFunc(s.opts.Hosts, func(own string) bool { return name != "" && hostName(own) == name })
}

func foreignHost() *connect.Error {
	return newError(connect.CodePermissionDenied, "FOREIGN_HOST",
		"this server does not answer to that name: call it by localhost or an address that it listens on, or start it with --host NAME", nil)
}
