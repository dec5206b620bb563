package certificate

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookInterval is how often a handshake looks at most whether the files have changed.
const lookInterval = time.Second

// expiresSoon is how long before its end a certificate is called old in the log. It is
// said when the files are read.
const expiresSoon = 30 * 24 * time.Hour

// Pair is the certificate and the key of a server, from two PEM files. It is safe for
// concurrent use.
type Pair struct {
	cert, key string // files
	log       *slog.Logger

	mu      sync.Mutex // guards the fields that follow
	looked  time.Time
	files   [2]version // that were read last
	current *tls.Certificate
}

// version tells apart what a file held at different times.
type version struct {
	modified time.Time
	size     int64
	err      string
}

func versionOf(name string) version {
	info, err := os.Stat(name)
	if err != nil {
		return version{err: err.Error()}
	}
	return version{modified: info.ModTime(), size: info.Size()}
}

// Open reads a certificate, with the chain up to its authority if that is not the one that
// clients trust, and its key. The files may be one. The error says which file is wrong,
// and never what is in it.
func Open(cert, key string, log *slog.Logger) (*Pair, error) {
	p := &Pair{cert: cert, key: key, log: log}
	p.looked, p.files = time.Now(), p.versions()
	var err error
	if p.current, err = p.read(); err != nil {
		return nil, err
	}
	p.tellAge()
	return p, nil
}

// Names returns the names that the certificate is for now, without addresses.
func (p *Pair) Names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.Leaf.DNSNames
}

// TLS returns the configuration of a server that answers with the pair, in TLS 1.2 or
// later.
func (p *Pair) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.get(), nil },
	}
}

// get returns the certificate for a handshake. If the files have changed, it reads them
// first. What cannot be used is logged once, and the old pair stays.
func (p *Pair) get() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.looked) < lookInterval {
		return p.current
	}
	p.looked = now
	files := p.versions()
	if files == p.files {
		return p.current
	}
	p.files = files
	renewed, err := p.read()
	if err != nil {
		p.log.Error("the new certificate cannot be used: the old one stays", "error", err)
		return p.current
	}
	p.current = renewed
	p.log.Info("the certificate was read again", "expires", renewed.Leaf.NotAfter)
	p.tellAge()
	return p.current
}

func (p *Pair) versions() [2]version { return [2]version{versionOf(p.cert), versionOf(p.key)} }

// read reads the files.
func (p *Pair) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	var failed *fs.PathError
	switch {
	case errors.As(err, &failed):
		return nil, fmt.Errorf("read the certificate: %w", failed)
	case err != nil:
		return nil, fmt.Errorf("the certificate %s and the key %s are no pair in PEM: %w", p.cert, p.key, err)
	}
	return &pair, nil
}

// tellAge logs that the certificate is old.
// REQUIRES: mu is held, or nobody else has p yet.
func (p *Pair) tellAge() {
	ends := p.current.Leaf.NotAfter
	switch left := time.Until(ends); {
	case left <= 0:
		p.log.Error("the certificate has expired: clients refuse it; renew it", "file", p.cert, "expired", ends)
	case left < expiresSoon:
		p.log.Warn("the certificate expires soon: renew it", "file", p.cert, "expires", ends)
	}
}
