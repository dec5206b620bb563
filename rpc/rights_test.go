package rpc

import (
	"maps"
	"slices"
	"testing"

	"rollcall/access"
)

// TestEveryCallHasItsRight: each call of the contract and each page has a row, and no row
// is of something that there is not.
func TestEveryCallHasItsRight(t *testing.T) {
	known := []string{"/", consolePaths, "/livez", "/readyz", metricsPath, sessionPath}
	for path := range methods() {
		known = append(known, path)
	}
	for _, path := range known {
		if _, ok := rights[path]; !ok {
			t.Errorf("%s has no row in rights: say who may call it", path)
		}
	}
	for path := range maps.Keys(rights) {
		if !slices.Contains(known, path) {
			t.Errorf("rights has a row for %s, which there is not", path)
		}
	}
}

// TestEnrollMayWhatCheckInMay, and an admin everything.
func TestEnrollMayWhatCheckInMay(t *testing.T) {
	for path, r := range rights {
		if r.allows(access.CheckIn) && !r.allows(access.Enroll) || !r.allows(access.Admin) {
			t.Errorf("%s: %+v", path, r)
		}
	}
	if (right{}).allows(access.Enroll) || !(right{}).allows(access.Admin) {
		t.Error("a call without a row is not that of admins alone")
	}
}
