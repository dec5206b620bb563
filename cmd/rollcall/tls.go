package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/rpc/certificate"
)

func tlsCommand() command {
	return command{
		name:  "tls",
		short: "make and renew the certificate of a school's network",
		long: `A server that other machines reach needs a certificate. If a proxy in front has one, or
the school has an authority of its own, these commands are not needed.`,
		children: []command{tlsInit(), tlsRenew()},
	}
}

// tlsOptions are the flags of the tls commands.
type tlsOptions struct {
	folder string
}

func (o *tlsOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.folder, "folder", "rollcall-tls", "folder of the authority and the certificate")
}

func tlsInit() command {
	var o tlsOptions
	return command{
		name:  "init",
		args:  "[NAME-OR-ADDRESS]...",
		short: "make a private authority and a certificate for the server",
		long: `Makes a private authority and a certificate for the names and addresses by which tablets
call the server; without them, for those that this machine has now. A tablet that trusts the
authority once trusts each later certificate of it.

The authority may vouch only for these names, names under them, and addresses of private
networks. Give the name that tablets will always use: another one needs a new authority.`,
		flags: o.addFlags,
		run: func(_ context.Context, c console, args []string) error {
			names, err := namesOr(args, machineNames)
			if err != nil {
				return err
			}
			made, err := certificate.Init(o.folder, names)
			if errors.Is(err, certificate.ErrExists) {
				return fmt.Errorf("%w: \"rollcall tls renew\" makes a new certificate under it; a new authority needs another --folder", err)
			}
			if err != nil {
				return err
			}
			printIssued(c.out, o.folder, made)
			printTrust(c.out, o.folder, made)
			return nil
		},
	}
}

func tlsRenew() command {
	var o tlsOptions
	return command{
		name:  "renew",
		args:  "[NAME-OR-ADDRESS]...",
		short: "make the certificate of the server anew, under the same authority",
		long: `Makes a new certificate for the names that the old one has, or for those that are given.
A server that runs takes it up by itself, and tablets need nothing. If names were added,
restart the server, which then answers to them.`,
		flags: o.addFlags,
		run: func(_ context.Context, c console, args []string) error {
			made, err := certificate.Renew(o.folder, args)
			if err != nil {
				return err
			}
			printIssued(c.out, o.folder, made)
			return nil
		},
	}
}

func namesOr(args []string, others func() ([]string, error)) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	return others()
}

// machineNames returns what this machine is called now: its name, also as it is announced
// on the local network, and its addresses.
func machineNames() ([]string, error) {
	var names []string
	if host, err := os.Hostname(); err == nil && host != "" {
		names = append(names, host)
		if !strings.Contains(host, ".") {
			names = append(names, host+".local")
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the addresses of this machine are unknown: give names or addresses: %w", err)
	}
	for _, a := range addresses {
		if a, ok := a.(*net.IPNet); ok && a.IP.IsGlobalUnicast() {
			names = append(names, a.IP.String())
		}
	}
	return names, nil
}

func printIssued(out io.Writer, folder string, made *certificate.Issued) {
	in := func(file string) string { return filepath.Join(folder, file) }
	fmt.Fprintf(out, "The certificate is good until %s, for %s.\n", made.Expires.Format("2006-01-02"), strings.Join(made.Hosts, ", "))
	fmt.Fprintf(out, "Start the server with it (a server that runs with it takes it up):\n")
	fmt.Fprintf(out, "  rollcall serve --listen :8787 --tls-cert %s --tls-key %s\n", in(certificate.CertFile), in(certificate.KeyFile))
	fmt.Fprintf(out, "Before it expires:\n  rollcall tls renew --folder %s\n", folder)
}

// printTrust says what to do on tablets.
func printTrust(out io.Writer, folder string, made *certificate.Issued) {
	fmt.Fprintf(out, `
Every tablet has to trust %[1]s once. Bring the file to it, and compare the
fingerprint (SHA-256) that it shows: whoever exchanges the file could read everything.
  %[2]s
  Android    Settings > Security > More > Encryption and credentials > Install a
             certificate > CA certificate. (The words differ by maker.)
  iPadOS     Open the file; Settings > General > VPN & Device Management > Install. Then
             Settings > General > About > Certificate Trust Settings: switch it on.
  Windows    As administrator: certutil -addstore Root %[3]s
  ChromeOS   Google Admin console > Devices > Networks > Certificates; or, unmanaged,
             chrome://certificate-manager > Custom > Import.
  rollcall   Every command that calls the server: --ca %[1]s

Keep %[4]s where nobody else can read it, best not on the server: only
"rollcall tls renew" needs it.
`, filepath.Join(folder, certificate.AuthorityFile), fingerprint(made.Authority[:]), certificate.AuthorityFile, filepath.Join(folder, certificate.AuthorityKeyFile))
}

// fingerprint writes a digest as tablets do.
func fingerprint(digest []byte) string {
	var pairs []string
	for _, b := range digest {
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	return strings.Join(pairs[:16], ":") + ":\n  " + strings.Join(pairs[16:], ":")
}
