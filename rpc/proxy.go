package rpc

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The headers of a proxy in front of the server. Anybody can send them, so they count
// only on a connection from Options.TrustedProxies.
const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedHost  = "X-Forwarded-Host"
)

// clientAddress returns the address that a request comes from. A trusted proxy tells it,
// and each proxy adds the address that it was called from at the right end. So it is the
// rightmost one that is not a trusted proxy's. What stands left of it is the client's own
// claim. The address is not valid if the connection has none.
func (s *Server) clientAddress(r *http.Request) netip.Addr {
	client := peer(r)
	if !s.trusts(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values(forwardedFor), ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, ok := parseHop(hop)
		if !ok {
			break // nobody knows who wrote what stands left of it
		}
		if client = address; !s.trusts(client) {
			break
		}
	}
	return client
}

// isSecure says whether the client uses TLS, with the server or with a trusted proxy.
func (s *Server) isSecure(r *http.Request) bool {
	return r.TLS != nil || s.trusts(peer(r)) && strings.EqualFold(lastOf(r, forwardedProto), "https")
}

// isMeant says whether a request is meant for this server. A proxy may pass on the name
// that the client has called, or write its own and tell the client's in a header: each
// of them must be ours. (A web page can send any header, but not another Host.)
func (s *Server) isMeant(r *http.Request) bool {
	if !s.trusts(peer(r)) {
		return s.answersTo(r.Host, s.opts.Exposed)
	}
	told := lastOf(r, forwardedHost)
	return s.answersTo(r.Host, true) && (told == "" || s.answersTo(told, true))
}

func (s *Server) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(s.opts.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// peer returns the address at the other end of the connection.
func peer(r *http.Request) netip.Addr {
	address, _ := parseHop(r.RemoteAddr)
	return address
}

// parseHop reads an address with or without a port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	address, err := netip.ParseAddr(hop)
	if err != nil {
		var both netip.AddrPort
		both, err = netip.ParseAddrPort(hop)
		address = both.Addr()
	}
	return address.Unmap().WithZone(""), err == nil
}

// lastOf returns the last element of a header: the one that the nearest proxy wrote.
func lastOf(r *http.Request, header string) string {
	values := strings.Split(strings.Join(r.Header.Values(header), ","), ",")
	return strings.TrimSpace(values[len(values)-1])
}
