package rpc_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
	"rollcall/rpc/certificate"
)

// newTLSWorld starts a world with a certificate of its own authority, for which the roots
// of its clients are.
func newTLSWorld(t *testing.T) (w *world, folder string, roots *x509.CertPool) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "tls")
	_, err := certificate.Init(folder, []string{"rollcall.school.example"})
	must(t, err)
	authority, err := os.ReadFile(filepath.Join(folder, certificate.AuthorityFile))
	must(t, err)
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	pair, err := certificate.Open(filepath.Join(folder, certificate.CertFile), filepath.Join(folder, certificate.KeyFile), slog.New(slog.DiscardHandler))
	must(t, err)
	w = newWorld(t, setup{options: rpc.Options{TLS: pair.TLS()}})
	w.url = strings.Replace(w.url, "http://", "https://", 1)
	return w, folder, roots
}

// overTLS is a client that speaks only one version of HTTP.
func overTLS(t *testing.T, roots *x509.CertPool, http2 bool) *http.Client {
	t.Helper()
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	transport := &http.Transport{Protocols: &p, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestOverTLS speaks every protocol over every version of HTTP.
func TestOverTLS(t *testing.T) {
	w, _, roots := newTLSWorld(t)
	crop := onnxtest.Face(1, 0)
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		client := overTLS(t, roots, http2)
		resp, err := client.Post(w.url+"/rollcall.v1.GalleryService/ListStudents", "application/json", strings.NewReader("{}"))
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || (resp.ProtoMajor == 2) != http2 {
			t.Errorf("JSON over %s: %d by %s", name, resp.StatusCode, resp.Proto)
		}
		for protocol, options := range map[string][]connect.ClientOption{
			"Connect": nil, "JSON": {connect.WithProtoJSON()}, "gRPC-Web": {connect.WithGRPCWeb()}, "gRPC": {connect.WithGRPC()},
		} {
			if protocol == "gRPC" && !http2 {
				continue // it needs HTTP/2
			}
			_, err := rollcallv1connect.NewAttendanceServiceClient(client, w.url, options...).Embed(t.Context(), &pb.EmbedRequest{Image: crop, CropId: "ada/1", StudentId: "ada"})
			if err != nil {
				t.Errorf("%s over %s: %v", protocol, name, err)
			}
		}
	}
	stream := rollcallv1connect.NewGalleryServiceClient(overTLS(t, roots, true), w.url, connect.WithGRPC())
	enrolling, err := stream.EnrollStream(t.Context())
	must(t, err)
	must(t, enrolling.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: crop, CropId: "ada/2", StudentId: "ada"}}))
	must(t, enrolling.CloseRequest())
	if got, err := enrolling.Receive(); err != nil || got.GetEmbedded() == nil {
		t.Errorf("a stream: %v, %v", got, err)
	}
	must(t, enrolling.CloseResponse())
	reflecting := grpcreflect.NewClient(overTLS(t, roots, true), w.url).NewStream(t.Context())
	_, err = reflecting.ListServices()
	must(t, err)
	_, err = reflecting.Close()
	must(t, err)

	// Clear text gets no answer of a handler, by HTTP/1.1 or by h2c.
	clear := strings.Replace(w.url, "https://", "http://", 1)
	resp, err := http.Get(clear + "/livez")
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("in clear text: %d", resp.StatusCode)
		}
	}
	if resp, err := h2c().Get(clear + "/livez"); err == nil {
		resp.Body.Close()
		t.Errorf("over h2c: %d", resp.StatusCode)
	}
	// Who does not trust the authority asks nothing.
	if resp, err := overTLS(t, x509.NewCertPool(), true).Get(w.url + "/livez"); err == nil {
		resp.Body.Close()
		t.Error("a client takes a certificate of nobody that it trusts")
	}
}

// TestRenewedWithoutARestart: a connection that is opened after the renewal gets the new
// certificate, and one from before goes on.
func TestRenewedWithoutARestart(t *testing.T) {
	w, folder, roots := newTLSWorld(t)
	serial := func(client *http.Client) string {
		t.Helper()
		resp, err := client.Get(w.url + "/livez")
		must(t, err)
		resp.Body.Close()
		return resp.TLS.PeerCertificates[0].SerialNumber.String()
	}
	kept := overTLS(t, roots, true)
	before := serial(kept)
	made, err := certificate.Renew(folder, nil)
	must(t, err)
	eventually(t, "the new certificate is served", func() bool { return serial(overTLS(t, roots, true)) != before })
	if serial(kept) != before {
		t.Error("a connection was not kept")
	}
	if time.Until(made.Expires) < 800*24*time.Hour {
		t.Errorf("good until %v", made.Expires)
	}
}
