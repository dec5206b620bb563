package certificate

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The words that PEM has for what the files hold.
const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

func writeCertificate(name string, der []byte) error {
	return writePEM(name, &pem.Block{Type: pemCertificate, Bytes: der}, 0o644)
}

func writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(name, &pem.Block{Type: pemKey, Bytes: der}, 0o600)
}

// writePEM replaces a file in one step: a server may read it at any time.
func writePEM(name string, block *pem.Block, mode os.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(file, block), file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func readCertificate(name string) (*x509.Certificate, error) {
	der, err := readPEM(name, pemCertificate)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s holds no certificate: %w", name, err)
	}
	return c, nil
}

// readKey never says what is in the file.
func readKey(name string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(name, pemKey)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if own, ok := key.(*ecdsa.PrivateKey); err == nil && ok {
		return own, nil
	}
	return nil, fmt.Errorf("%s holds no key of this program", name)
}

func readPEM(name, word string) ([]byte, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != word {
		return nil, fmt.Errorf("%s holds no %s in PEM", name, word)
	}
	return block.Bytes, nil
}
