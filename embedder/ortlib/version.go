package ortlib

import (
	"fmt"
	"strconv"
	"strings"
)

// The range of library versions that the embedder can load. An ONNX Runtime
// 1.N serves the C API of versions 1 to N, and the Go binding asks for API
// version 24 (ORT_API_VERSION in its onnxruntime_c_api.h).
const (
	supportedMajor = 1
	oldestMinor    = 24
)

// version is major, minor and patch.
type version [3]int

// parseVersion reads "1.24.3"; what follows a - or + ("1.25.0-dev") is ignored.
func parseVersion(s string) (version, error) {
	var v version
	core, _, _ := strings.Cut(s, "-")
	core, _, _ = strings.Cut(core, "+")
	parts := strings.Split(core, ".")
	if len(parts) != len(v) {
		return version{}, fmt.Errorf("%q is not a version such as %s", s, Version)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return version{}, fmt.Errorf("%q is not a version such as %s", s, Version)
		}
		v[i] = int(n)
	}
	return v, nil
}

func (v version) String() string {
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
}

// suitable returns nil if the embedder can use a library of this version.
func (v version) suitable() error {
	if v[0] != supportedMajor || v[1] < oldestMinor {
		return fmt.Errorf("%w: version %s, but Rollcall needs %d.%d or newer, before %d.0",
			ErrUnusable, v, supportedMajor, oldestMinor, supportedMajor+1)
	}
	return nil
}
