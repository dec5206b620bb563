package rpc_test

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"
)

// The metrics tell what the disk still takes.
func TestFreeBytesAreAMetric(t *testing.T) {
	w := newWorld(t, setup{})
	resp, err := http.Get(w.url + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	found := regexp.MustCompile(`(?m)^rollcall_disk_free_bytes (\S+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatal("there is no such metric")
	}
	if free, err := strconv.ParseFloat(string(found[1]), 64); err != nil || free < 1<<20 {
		t.Errorf("%v bytes are free, %v", free, err)
	}
}
