package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// The files that [Init] writes into its folder.
const (
	// AuthorityFile is the certificate of the authority, which tablets must trust.
	AuthorityFile = "ca.crt"
	// AuthorityKeyFile is the authority's key. Only [Renew] needs it.
	AuthorityKeyFile = "ca.key"
	// CertFile is the certificate of the server.
	CertFile = "server.crt"
	// KeyFile is the server's key.
	KeyFile = "server.key"
)

const (
	// authorityYears is longer than tablets live: each has to be told by hand to trust the
	// authority.
	authorityYears = 10

	// leafDays is how long a certificate of the server is good for. Apple's systems refuse
	// those of private authorities that are good for more than 825 days.
	leafDays = 824

	// backdated lets a tablet whose clock is late use a new certificate.
	backdated = 24 * time.Hour
)

var (
	// ErrExists says that the folder has an authority already. A new one would have to be
	// brought to all tablets.
	ErrExists = errors.New("the folder has an authority already")

	// ErrOutside says that the authority may not vouch for a name or an address. It may for
	// the names that it was made with and names under them, and for private addresses.
	ErrOutside = errors.New("the authority was not made for this name")
)

// Issued is a certificate of the server that was made.
type Issued struct {
	Hosts   []string // that it is for: names, then addresses
	Expires time.Time
	// Authority is the SHA-256 of the certificate of the authority, as tablets show it.
	Authority [sha256.Size]byte
}

// Init makes a private authority, and a certificate of it for a server with these names
// and addresses (and those of loopback). It writes the four files into a folder, which it
// makes if it is missing. Only the owner may read the keys. The keys are ECDSA P-256,
// which all tablets know.
//
// The authority is constrained (RFC 5280, 4.2.1.10): who steals its key can pass for no
// other site with the tablets that trust it. The errors are ErrExists and those of the
// names and the files.
func Init(folder string, names []string) (*Issued, error) {
	hosts, err := parseHosts(names)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	switch _, err := os.Stat(filepath.Join(folder, AuthorityFile)); {
	case err == nil:
		return nil, fmt.Errorf("%w: %s", ErrExists, folder)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authority, err := newAuthority(key, hosts)
	if err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf, err := issue(authority, key, serverKey, hosts)
	if err != nil {
		return nil, err
	}
	// The authority's certificate comes last: a folder without it has no authority.
	for _, write := range []func() error{
		func() error { return writeKey(filepath.Join(folder, AuthorityKeyFile), key) },
		func() error { return writeKey(filepath.Join(folder, KeyFile), serverKey) },
		func() error { return writeCertificate(filepath.Join(folder, CertFile), leaf.Raw) },
		func() error { return writeCertificate(filepath.Join(folder, AuthorityFile), authority.Raw) },
	} {
		if err := write(); err != nil {
			return nil, err
		}
	}
	return issued(authority, leaf), nil
}

// Renew makes the server's certificate of an [Init] anew, under the same authority and with
// the same key. Tablets need nothing new, and a server that runs takes the certificate up.
// Without names it is for those that the old one is for. The errors are ErrOutside and
// those of the names and the files.
func Renew(folder string, names []string) (*Issued, error) {
	authority, err := readCertificate(filepath.Join(folder, AuthorityFile))
	if err != nil {
		return nil, err
	}
	old, err := readCertificate(filepath.Join(folder, CertFile))
	if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(folder, AuthorityKeyFile))
	if err != nil {
		return nil, err
	}
	serverKey, err := readKey(filepath.Join(folder, KeyFile))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = hostsOf(old).texts()
	}
	hosts, err := parseHosts(names)
	if err != nil {
		return nil, err
	}
	leaf, err := issue(authority, key, serverKey, hosts)
	if err != nil {
		return nil, err
	}
	if err := writeCertificate(filepath.Join(folder, CertFile), leaf.Raw); err != nil {
		return nil, err
	}
	return issued(authority, leaf), nil
}

func newAuthority(key *ecdsa.PrivateKey, h hosts) (*x509.Certificate, error) {
	now := time.Now()
	template := &x509.Certificate{
		Subject:                     pkix.Name{Organization: []string{"Rollcall"}, CommonName: fmt.Sprintf("Rollcall at %.50s", h.first())},
		NotBefore:                   now.Add(-backdated),
		NotAfter:                    now.AddDate(authorityYears, 0, 0),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         h.names, // never none, which would permit all
		PermittedIPRanges:           h.ranges(),
	}
	return sign(template, template, key.Public().(*ecdsa.PublicKey), key)
}

// issue makes a certificate of the server, and checks that who trusts the authority takes
// it for all of its names and addresses.
func issue(authority *x509.Certificate, key, serverKey *ecdsa.PrivateKey, h hosts) (*x509.Certificate, error) {
	from := time.Now().Add(-backdated)
	until := from.AddDate(0, 0, leafDays)
	if until.After(authority.NotAfter) {
		until = authority.NotAfter
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Rollcall"}, CommonName: fmt.Sprintf("%.64s", h.first())},
		NotBefore:   from,
		NotAfter:    until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    h.names,
	}
	for _, a := range h.addresses {
		template.IPAddresses = append(template.IPAddresses, a.AsSlice())
	}
	leaf, err := sign(template, authority, serverKey.Public().(*ecdsa.PublicKey), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	var invalid x509.CertificateInvalidError
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots})
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName:
		return nil, fmt.Errorf("%w: %s", ErrOutside, invalid.Detail)
	case err != nil:
		return nil, fmt.Errorf("the new certificate is not good: %w", err)
	}
	return leaf, nil
}

func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func issued(authority, leaf *x509.Certificate) *Issued {
	return &Issued{Hosts: hostsOf(leaf).texts(), Expires: leaf.NotAfter, Authority: sha256.Sum256(authority.Raw)}
}

// hostsOf returns what a certificate is for.
func hostsOf(c *x509.Certificate) hosts {
	h := hosts{names: c.DNSNames}
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			h.addresses = append(h.addresses, a.Unmap())
		}
	}
	return h
}
