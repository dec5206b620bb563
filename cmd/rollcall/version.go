package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"rollcall/embedder/ortlib"
)

// version is the release. The command adds the revision of the build, if it is known.
const version = "0.1.0"

func versionCommand() command {
	return command{
		name:  "version",
		short: "print the versions of Rollcall, Go and the ONNX Runtime that it needs",
		run: func(_ context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("version takes no arguments")
			}
			_, err := fmt.Fprintf(c.out, "rollcall %s%s, %s %s/%s, ONNX Runtime %s\n", version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH, ortlib.Version)
			return err
		},
	}
}

// revision is " (abcdef012345)" where the build knows its commit.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}
