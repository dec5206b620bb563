package certificate

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// hosts are what a server is called by.
type hosts struct {
	names     []string // lower case, without a dot at the end
	addresses []netip.Addr
}

// dnsName is one or more labels.
var dnsName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// loopback are what a server is called by on its own machine.
var loopback = []string{"localhost", "127.0.0.1", "::1"}

// parseHosts reads names and addresses, and adds those of loopback.
func parseHosts(texts []string) (h hosts, err error) {
	for _, text := range append(slices.Clone(texts), loopback...) {
		if a, err := netip.ParseAddr(text); err == nil {
			if a = a.Unmap().WithZone(""); !slices.Contains(h.addresses, a) {
				h.addresses = append(h.addresses, a)
			}
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(text, "."))
		if !dnsName.MatchString(name) || len(name) > 253 {
			return hosts{}, fmt.Errorf("%q is neither the name nor the address of a machine: give names such as rollcall.school.example, or addresses such as 10.1.2.3", text)
		}
		if !slices.Contains(h.names, name) {
			h.names = append(h.names, name)
		}
	}
	return h, nil
}

// texts returns all of them: names, then addresses.
func (h hosts) texts() []string {
	texts := slices.Clone(h.names)
	for _, a := range h.addresses {
		texts = append(texts, a.String())
	}
	return texts
}

// first is what people call the server.
func (h hosts) first() string { return h.texts()[0] }

// private are the addresses that no machine in the internet has (RFC 1918, 4193, 3927,
// 4291), and those of loopback.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
}

// ranges returns the addresses that an authority for these hosts may vouch for: all
// private ones, so that the server may get another one, and the others that it has.
func (h hosts) ranges() []*net.IPNet {
	prefixes := slices.Clone(private)
	for _, a := range h.addresses {
		if !slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Contains(a) }) {
			prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	var ranges []*net.IPNet
	for _, p := range prefixes {
		ranges = append(ranges, &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
	}
	return ranges
}
