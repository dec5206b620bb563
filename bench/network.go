package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc/certificate"
)

// networkOptions are the flags of "bench network".
type networkOptions struct {
	models modelOptions
	source sourceOptions

	clients, rounds int
	seconds         float64
}

func networkBench() Bench {
	return newBench("network", "what tokens and TLS cost a server that is busy",
		`Starts two servers in this process, as they are set up on one machine (no login, no
TLS) and on a school's network (tokens, and a certificate of an authority that is made
for this bench). Clients keep their connections and identify crops of 112 x 112 pixels,
with one server and with the other in turns.`,
		new(networkOptions))
}

func (o *networkOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.clients, "clients", 8, "clients at once")
	set.Float64Var(&o.seconds, "seconds", 2, "how long each server is called in a round")
	set.IntVar(&o.rounds, "rounds", 9, "rounds, in which the servers take turns")
	o.source.addFlags(set)
	o.models.addFlags(set)
}

func (o *networkOptions) validate() error {
	if o.clients < 1 || o.rounds < 1 || !(o.seconds > 0) {
		return errors.New("--clients, --rounds and --seconds must be more than 0")
	}
	return nil
}

// networkResult is how much is identified in each setting.
type networkResult struct {
	Model      modelFacts  `json:"model"`
	Crops      int         `json:"crops"`
	Clients    int         `json:"clients"`
	Contenders []contender `json:"contenders"` // the one without tokens and TLS first
}

func (r networkResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("crops identified a second, %d clients, %d crops enrolled: %s", r.Clients, r.Crops, r.Model),
		header: []string{"server", "median", "least", "most", "of the first"},
	}
	for _, c := range r.Contenders {
		t.row(c.Name, fmt.Sprintf("%.1f", c.Median), fmt.Sprintf("%.1f", c.Least), fmt.Sprintf("%.1f", c.Most), percent(c.Ratio))
	}
	return []table{t}
}

func (o *networkOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	open, err := startServer(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	guarded, client, err := o.startGuarded(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, guarded.close()) }()
	all, err := o.source.crops(ctx, distinctCrops)
	if err != nil {
		return nil, err
	}
	res := networkResult{Model: w.describe(), Clients: o.clients}
	names := []string{"no login, no TLS", "tokens and TLS"}
	var contenders [][]loop
	for i, c := range []rollcallv1connect.AttendanceServiceClient{
		rollcallv1connect.NewAttendanceServiceClient(newHTTPClient(o.clients, ""), open.url),
		rollcallv1connect.NewAttendanceServiceClient(client, guarded.url),
	} {
		fmt.Fprintf(progress, "%s: enrolling …\n", names[i])
		e := &enroller{client: c, allowDuplicate: o.source.drawn()}
		if e.crops, err = e.accepted(ctx, all); err != nil {
			return nil, err
		}
		res.Crops = len(e.crops)
		contenders = append(contenders, e.identifyLoops(o.clients))
	}
	fmt.Fprintf(progress, "%d rounds of %d clients …\n", o.rounds, o.clients)
	res.Contenders, err = inTurns(ctx, names, contenders, o.rounds, time.Duration(o.seconds*float64(time.Second)))
	return res, err
}

// startGuarded starts a server with a token and a certificate, and returns a client that
// has the one and trusts the other.
func (o *networkOptions) startGuarded(ctx context.Context, w *workbench) (_ *server, _ *http.Client, err error) {
	dir, remove, err := tempData()
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	data, authority := filepath.Join(dir, "data"), filepath.Join(dir, "tls")
	token, err := benchToken(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	if _, err := certificate.Init(authority, []string{"127.0.0.1"}); err != nil {
		return nil, nil, err
	}
	pair, err := certificate.Open(filepath.Join(authority, certificate.CertFile), filepath.Join(authority, certificate.KeyFile), nil)
	if err != nil {
		return nil, nil, err
	}
	trusted, err := os.ReadFile(filepath.Join(authority, certificate.AuthorityFile))
	if err != nil {
		return nil, nil, err
	}
	client := newHTTPClient(o.clients, token)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	client.Transport.(bearer).TLSClientConfig = &tls.Config{RootCAs: roots}
	s, err := startServerOn(ctx, w, data, serverOptions{secure: pair.TLS()})
	if err != nil {
		return nil, nil, err
	}
	s.closers = slices.Insert(s.closers, 0, remove)
	return s, client, nil
}

// identifyLoops identify the enrolled crops over RPC.
func (e *enroller) identifyLoops(clients int) []loop {
	loops := make([]loop, clients)
	for i := range loops {
		next := i
		loops[i].work = func(ctx context.Context) error {
			next++
			return patiently(ctx, nil, func() error {
				_, err := e.client.Identify(ctx, &pb.IdentifyRequest{Image: e.crops[next%len(e.crops)].jpeg})
				return err
			})
		}
	}
	return loops
}
