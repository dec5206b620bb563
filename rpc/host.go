package rpc

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"connectrpc.com/connect"
)

// hostName returns the name or address in a Host header, in lower case, without the port
// and without the dot at the end of a full name.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// answersTo says whether a call with this Host header is meant for this server. The owner
// of a web page can make the page's name resolve to any address, so that a visitor's
// browser calls the server at this address. But the browser then sends the page's name,
// which is refused. Addresses are safe: nobody can make a browser send a false one. Any
// address is ours if byAddress, else only those of loopback.
func (s *Server) answersTo(host string, byAddress bool) bool {
	name := hostName(host)
	if address, err := netip.ParseAddr(name); err == nil {
		return byAddress || address.Unmap().IsLoopback()
	}
	return name == "localhost" || slices.ContainsFunc(s.opts.Hosts, func(own string) bool { return name != "" && hostName(own) == name })
}

func foreignHost() *connect.Error {
	return newError(connect.CodePermissionDenied, "FOREIGN_HOST",
		"this server does not answer to this name: call it by localhost or by an address that it listens on, or start it with --host NAME", nil)
}
