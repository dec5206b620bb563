package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/rpc"
	"rollcall/rpc/certificate"
)

// networkOptions say who can reach the server, and how. Without more flags that is this
// machine alone, and nobody has to log in. Whoever else can reach it needs a token, and
// TLS from end to end, unless --insecure says that something else takes care of that.
type networkOptions struct {
	listen         string
	tlsCert        string
	tlsKey         string
	insecure       bool
	hosts          []string
	trustedProxies []string

	// Set by validate.
	address *net.TCPAddr
	proxies []netip.Prefix
}

func (o *networkOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.listen, "listen", "127.0.0.1:8787", "address to answer on; port 0 takes a free one; other machines reach it only with tokens and --tls-cert")
	set.StringVar(&o.tlsCert, "tls-cert", "", "PEM file of the server's certificate, with its chain; read again when it changes (\"rollcall tls init\" makes one)")
	set.StringVar(&o.tlsKey, "tls-key", "", "PEM file of the key of --tls-cert")
	set.BoolVar(&o.insecure, "insecure", false, "let other machines call without TLS, and without tokens if there are none")
	set.StringSliceVar(&o.hosts, "host", nil, "name by which clients may call the server, besides localhost and those of --tls-cert; may be repeated")
	set.StringSliceVar(&o.trustedProxies, "trusted-proxy", nil, "address or network (10.1.0.0/16) of a proxy in front, whose X-Forwarded-For, -Proto and -Host count; may be repeated")
}

// validate returns a usage error for what cannot be. It looks up a name in --listen, and
// opens nothing.
func (o *networkOptions) validate() (err error) {
	if o.address, err = net.ResolveTCPAddr("tcp", o.listen); err == nil && o.listen == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return usageError("--listen is %q; it can be HOST:PORT, such as 127.0.0.1:8787 (%v)", o.listen, err)
	}
	if slices.ContainsFunc(o.hosts, notHost) {
		return usageError("--host is %q; it can be names without scheme, port and path, such as rollcall.school.example", strings.Join(o.hosts, ","))
	}
	o.proxies = nil
	for _, text := range o.trustedProxies {
		proxy, err := parseNetwork(text)
		if err != nil {
			return usageError("--trusted-proxy is %q; it can be an address or a network, such as 10.1.2.3 or 10.1.0.0/16 (%v)", text, err)
		}
		o.proxies = append(o.proxies, proxy)
	}
	switch {
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return usageError("--tls-cert and --tls-key belong together: give both or none")
	case !o.address.IP.IsLoopback() && o.tlsCert == "" && !o.insecure:
		return usageError("--listen %s can be reached from other machines, and they would send faces in clear text: give --tls-cert and --tls-key (\"rollcall tls init\" makes them), or --insecure", o.listen)
	}
	return nil
}

// parseNetwork reads 10.1.0.0/16, or an address alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap().Prefix(address.Unmap().BitLen())
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || !network.Addr().Is4In6() {
		return network, err
	}
	if network.Bits() < 96 {
		return netip.Prefix{}, errors.New("it holds IPv4 and IPv6 addresses: name the network of each")
	}
	return netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96), nil // ::ffff:10.1.0.0/112 is 10.1.0.0/16
}

func notHost(name string) bool { return name == "" || strings.ContainsAny(name, "/:* ") }

// allow refuses to open a door that nobody guards: other machines can reach the server,
// directly or through a proxy, and nobody has to log in.
func (o *networkOptions) allow(hasTokens bool) error {
	if hasTokens || o.insecure || o.address.IP.IsLoopback() && len(o.proxies) == 0 {
		return nil
	}
	return usageError("other machines can reach the server, and nobody has to log in: make tokens first, or give --insecure")
}

// apply says in the options of the server what the flags say.
func (o *networkOptions) apply(opts *rpc.Options, logger *slog.Logger) error {
	opts.Exposed = !o.address.IP.IsLoopback()
	opts.Hosts, opts.TrustedProxies = o.hosts, o.proxies
	if o.tlsCert == "" {
		return nil
	}
	pair, err := certificate.Open(o.tlsCert, o.tlsKey, logger)
	if err != nil {
		return err
	}
	opts.TLS = pair.TLS()
	opts.Hosts = append(slices.Clone(o.hosts), pair.Names()...)
	return nil
}

func (o *networkOptions) open() (net.Listener, error) {
	ln, err := net.ListenTCP("tcp", o.address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; name another address with --listen", o.listen, err)
	}
	return ln, nil
}

// url is where this machine reaches the server.
func (o *networkOptions) url(ln net.Listener) string {
	address := ln.Addr().String()
	if o.address.IP == nil || o.address.IP.IsUnspecified() {
		_, port, _ := net.SplitHostPort(address) // an address of a listener has a port
		address = "localhost:" + port
	}
	if o.tlsCert != "" {
		return "https://" + address
	}
	return "http://" + address
}

// curl returns the flag with which curl trusts the authority of "rollcall tls init", if
// the certificate is from there.
func (o *networkOptions) curl() string {
	if o.tlsCert == "" {
		return ""
	}
	authority := filepath.Join(filepath.Dir(o.tlsCert), certificate.AuthorityFile)
	if _, err := os.Stat(authority); err != nil {
		return ""
	}
	return "--cacert " + authority + " "
}
