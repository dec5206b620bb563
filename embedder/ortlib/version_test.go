package ortlib

import (
	"errors"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct {
		text     string
		want     version
		ok       bool
		suitable bool
	}{
		{"1.24.3", version{1, 24, 3}, true, true},
		{"1.24.0", version{1, 24, 0}, true, true},
		{"1.23.9", version{1, 23, 9}, true, false},
		{"1.9.30", version{1, 9, 30}, true, false},
		{"1.100.0", version{1, 100, 0}, true, true},
		{"2.0.0", version{2, 0, 0}, true, false},
		{"0.24.3", version{0, 24, 3}, true, false},
		{"1.25.0-dev", version{1, 25, 0}, true, true},
		{"1.25.0+cu128", version{1, 25, 0}, true, true},
		{text: ""},
		{text: "1.24"},
		{text: "1.24.3.1"},
		{text: "1.24.-3"},
		{text: "1.24.x"},
		{text: "v1.24.3"},
		{text: "1.24.99999999999999999999"},
	} {
		got, err := parseVersion(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseVersion(%q) = %v, %v", tt.text, got, err)
		}
		if err == nil && (got.suitable() == nil) != tt.suitable {
			t.Errorf("version %v: suitable says %v", got, got.suitable())
		}
	}
}

func TestCheckReported(t *testing.T) {
	for _, tt := range []struct {
		declared, reported string
		ok                 bool
	}{
		{"1.24.3", "1.24.3", true},
		{"1.26.0", "1.26.0", true},
		{"1.24.3", "1.24.4", false},
		{"1.24.3", "1.17.1", false},
		{"1.23.0", "1.23.0", false},
		{"1.24.3", "", false},
		{"", "1.24.3", false},
	} {
		err := Library{Path: "lib", Version: tt.declared}.CheckReported(tt.reported)
		if (err == nil) != tt.ok {
			t.Errorf("declares %q, reports %q: %v", tt.declared, tt.reported, err)
		}
		if err != nil && !errors.Is(err, ErrUnusable) {
			t.Errorf("declares %q, reports %q: %v does not wrap ErrUnusable", tt.declared, tt.reported, err)
		}
	}
}
