package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall/storage"
)

// FuzzHeads reads any file of heads, as "audit verify" does.
func FuzzHeads(f *testing.F) {
	f.Add([]byte(`{"days":[{"date":"2026-11-26","first":"1","last":"2","head":"00ff","open":true}],"server":"ab","gallery":"elm"}`))
	f.Add([]byte(`{"server":"a"}{"server":"b"}`))
	f.Add([]byte(`{"days":[{"date":"2026-13-26"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		kept, err := readHeads(bytes.NewReader(text), "-")
		if err != nil {
			return
		}
		for id, days := range kept.days {
			for _, d := range days {
				if id == "" || d.Date.IsZero() {
					t.Fatalf("%q: %+v", id, d)
				}
			}
		}
		_ = kept.days[storage.ServerPartition]
	})
}

// FuzzArguments reads any text as the values that commands take: what is taken is within its
// bounds.
func FuzzArguments(f *testing.F) {
	for _, text := range []string{"10.1.0.0/16", "::ffff:10.1.2.3", "::ffff:10.1.0.0/112", "::ffff:0.0.0.0/0", "::1%lo", "0.001=0.45", "NaN=1", "1=Inf", "12h", "2027-07-31", "2026-11-26T08:00:00Z", "-1h", "9999999999h", "0x1p-2=0", "99999-01-01"} {
		f.Add(text)
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if network, err := parseNetwork(text); err == nil && (!network.IsValid() || network.Addr().Is4In6() || network.Addr().Zone() != "") {
			t.Errorf("%q is the network %v", text, network)
		}
		if change, err := operatingPoints([]string{text, "0.5=0.1"}); err == nil {
			for _, p := range change.GetPoints() {
				if !(p.GetFmr() > 0 && p.GetFmr() <= 1 && p.GetSimilarity() >= -1 && p.GetSimilarity() <= 1) {
					t.Errorf("%q is the point %v", text, p)
				}
			}
		}
		if end, err := expiry(text, now); err == nil && text != "" && !end.After(now) {
			t.Errorf("%q ends at %v", text, end)
		}
		if at, err := timeFlag("--from", text); err == nil && text != "" && !at.IsValid() {
			t.Errorf("%q is the time %v", text, at)
		}
	})
}

// FuzzImport reads any file as an export, without a server to send it to: only an export of nothing
// is imported. No error repeats what is in the file, which may hold vectors.
func FuzzImport(f *testing.F) {
	header := fmt.Sprintf(`{"format":%q,"version":%d}`+"\n", exportFormat, exportVersion)
	for _, text := range []string{"", header, header + `{"end":0}`, header + "\n\n" + `{"end": 1}` + "\n", header + `{"student":{"studentId":"ada"}}` + "\n" + `{"end":1}` + "\n", header + "{}\n", `{"format":"other"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := new(importOptions)
		o.client.server, o.client.timeout = "http://127.0.0.1:1", time.Second
		im := importing{importOptions: o}
		err := im.all(t.Context(), bufio.NewReader(bytes.NewReader(text)))
		if err == nil && im.result.Records > 0 {
			t.Fatalf("%d records of %q went nowhere", im.result.Records, text)
		}
		const secret = 24
		for i := 0; err != nil && i+secret <= len(text); i++ {
			if strings.Contains(err.Error(), string(text[i:i+secret])) {
				t.Fatalf("the error repeats %q: %v", text[i:i+secret], err)
			}
		}
	})
}
