package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"rollcall/gallery"
	"rollcall/index"
)

// TestServeRefusesWhatCannotBe gives serve one bad value after the other, by a flag and
// through the environment: each time it says in one line which flag it is and what it may
// be, with exit code 2, and has made no file and installed nothing.
func TestServeRefusesWhatCannotBe(t *testing.T) {
	for _, bad := range []struct{ flag, value, may string }{
		{"listen", "", "HOST:PORT"},
		{"listen", "127.0.0.1", "HOST:PORT"},
		{"listen", "127.0.0.1:99999", "HOST:PORT"},
		{"listen", "127.0.0.1:-1", "HOST:PORT"},
		{"listen", "300.0.0.1:0", "HOST:PORT"},
		{"listen", ":0", "--tls-cert"},
		{"listen", "0.0.0.0:0", "--insecure"},
		{"listen", "[::]:0", "rollcall tls init"},
		{"tls-cert", "server.crt", "--tls-key"},
		{"tls-key", "server.key", "--tls-cert"},
		{"trusted-proxy", "proxy.example", "an address or a network"},
		{"trusted-proxy", "10.1.0.0/33", "an address or a network"},
		{"trusted-proxy", "::ffff:0.0.0.0/95", "IPv4 and IPv6"},
		{"trusted-proxy", "10.1.0.0/16,", "an address or a network"},
		{"data", "", "a folder"},
		{"sessions", "-1", "0 (one more than the cores) to 1024"},
		{"sessions", "100000", "to 1024"},
		{"sessions", "many", "--sessions"},
		{"threads", "-2", "0 (the cores, at most 4) to 1024"},
		{"threads", "2000", "to 1024"},
		{"queue", "-1", "0 (2 x sessions) to 10000"},
		{"queue", "1000000", "to 10000"},
		{"model-ttl", "-1s", "0 (never)"},
		{"model-ttl", "soon", "--model-ttl"},
		{"model-memory", "-1", "0 (no limit)"},
		{"model-memory", "9223372036854775807", "MiB"},
		{"index-engine", "foo", "exact"},
		{"index-engine", "", "exact"},
		{"fpir", "0", "1e-09 to 0.5"},
		{"fpir", "1", "1e-09 to 0.5"},
		{"fpir", "-0.5", "1e-09 to 0.5"},
		{"fpir", "NaN", "1e-09 to 0.5"},
		{"fpir", "+Inf", "1e-09 to 0.5"},
		{"margin", "-0.1", "0 to 2"},
		{"margin", "2.5", "0 to 2"},
		{"margin", "NaN", "0 to 2"},
		{"host", "https://rollcall.example", "without scheme"},
		{"host", "rollcall.example:8787", "without scheme, port"},
		{"host", "a,,b", "without scheme"},
		{"request-memory", "127", "128 to 1048576 MiB"},
		{"request-memory", "-1", "128 to 1048576 MiB"},
		{"requests-per-second", "-1", "0 (no limit) to 1000000"},
		{"requests-per-second", "NaN", "0 (no limit)"},
		{"crops-per-minute", "1e9", "0 (no limit) to 1000000"},
		{"wrong-tokens-per-minute", "-0.5", "0 (no limit)"},
		{"request-timeout", "0s", "more than 0"},
		{"request-timeout", "-30s", "more than 0"},
		{"drain-timeout", "0s", "more than 0"},
		{"drain-timeout", "-1ms", "more than 0"},
		{"log-format", "xml", "text or json"},
		{"log-format", "", "text or json"},
		{"log-level", "loud", "debug, info, warn or error"},
		{"log-level", "INFO", "debug, info, warn or error"},
	} {
		t.Run(bad.flag+"="+bad.value, func(t *testing.T) {
			refused(t, bad.flag, bad.may, "--"+bad.flag+"="+bad.value)
			if bad.value == "" {
				return // an empty variable is none
			}
			t.Setenv(environmentPrefix+strings.ToUpper(strings.ReplaceAll(bad.flag, "-", "_")), bad.value)
			refused(t, bad.flag, bad.may)
		})
	}
}

// refused runs serve in an empty folder and checks that it was refused there.
func refused(t *testing.T, flag, may string, args ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	// A server that is not refused ends at once, with another exit code.
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, err bytes.Buffer
	code := execute(ctx, console{in: strings.NewReader(""), out: &out, err: &err}, append([]string{"serve"}, args...))
	said := err.String()
	if code != exitUsage || strings.Count(said, "\n") != 1 || !strings.Contains(said, "--"+flag) || !strings.Contains(said, may) || out.Len() > 0 {
		t.Errorf("exit code %d, output %q, and it says %q; wanted one line with --%s and %q", code, out.String(), said, flag, may)
	}
	for _, folder := range []string{".", os.Getenv("XDG_DATA_HOME")} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("%v were made before the refusal (%v)", left, err)
		}
	}
}

// TestServeChecksEveryNumber holds that no number of serve is left unchecked: none takes
// what is under all bounds.
func TestServeChecksEveryNumber(t *testing.T) {
	numbers := 0
	newFlags(new(serveConfig)).VisitAll(func(f *pflag.Flag) {
		low, ok := map[string]string{"int": "-1", "int64": "-1", "duration": "-1s", "float32": "-1", "float64": "-1"}[f.Value.Type()]
		if !ok {
			return
		}
		numbers++
		var config serveConfig
		if err := newFlags(&config).Set(f.Name, low); err != nil {
			t.Fatal(err)
		}
		if err := config.validate(); err == nil || !strings.Contains(err.Error(), "--"+f.Name+" ") {
			t.Errorf("--%s=%s: %v", f.Name, low, err)
		}
	})
	if numbers < 9 {
		t.Errorf("serve has only %d numbers", numbers)
	}
}

func TestServeTakesWhatIsAllowed(t *testing.T) {
	for _, engine := range index.Engines {
		for _, args := range [][]string{
			{},
			{"--listen=127.0.0.1:0", "--sessions=1024", "--threads=4", "--queue=10000", "--model-ttl=10m", "--model-memory=1048576"},
			{"--listen=localhost:8787", "--fpir=0.5", "--margin=2", "--log-format=json", "--log-level=error", "--request-timeout=1ms"},
			{"--listen=0.0.0.0:0", "--insecure", "--host=rollcall.example", "--host=Rollcall,rollcall.", "--request-memory=128"},
			{"--listen=[::1]:0"},
		} {
			var config serveConfig
			if err := newFlags(&config).Parse(append(args, "--index-engine="+engine)); err != nil {
				t.Fatal(err)
			}
			if err := config.validate(); err != nil {
				t.Errorf("%v: %v", args, err)
			}
		}
	}
}

// TestMarginOfNothing is none, not the gallery's default.
func TestMarginOfNothing(t *testing.T) {
	var config serveConfig
	set := newFlags(&config)
	if got := config.galleryOptions(nil).New.Margin; got != gallery.DefaultMargin {
		t.Errorf("margin %v where none is named", got)
	}
	if err := set.Set("margin", "0"); err != nil {
		t.Fatal(err)
	}
	if got := config.galleryOptions(nil).New.Margin; !(got < 0) || math.IsNaN(float64(got)) {
		t.Errorf("--margin=0 asks the gallery for %v; a negative one is none", got)
	}
}

func newFlags(config *serveConfig) *pflag.FlagSet {
	set := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.addFlags(set)
	return set
}

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3":            "10.1.2.3/32",
		"::ffff:10.1.2.3":     "10.1.2.3/32",
		"10.1.0.0/16":         "10.1.0.0/16",
		"::ffff:10.1.0.0/112": "10.1.0.0/16",
		"2001:db8::/48":       "2001:db8::/48",
		"::/0":                "::/0",
		"2001:db8::1":         "2001:db8::1/128",
	} {
		if got, err := parseNetwork(text); err != nil || got.String() != want {
			t.Errorf("%s is read as %v, %v; want %s", text, got, err, want)
		}
	}
}
