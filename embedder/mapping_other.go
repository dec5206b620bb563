//go:build !unix

package embedder

import "errors"

// Without mappings each run is narrow, see newNetwork.
func mapFile(string) ([]byte, error) { return nil, errors.ErrUnsupported }

func forgetPages([]byte) error { return nil }

func unmap([]byte) {}
