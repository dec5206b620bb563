package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	pb "rollcall/proto/rollcall/v1"
)

// faceChoice says which face of a photo is meant. It is a pflag.Value.
type faceChoice struct{ face pb.Face }

// faceNames are the choices as the command line has them.
var faceNames = map[string]pb.Face{"only": pb.Face_FACE_ONLY, "largest": pb.Face_FACE_LARGEST}

func (f *faceChoice) Set(value string) error {
	face, ok := faceNames[value]
	if !ok && value != "" {
		return fmt.Errorf("it can be %s", oneOf([]string{"only", "largest"}))
	}
	f.face = face
	return nil
}

func (f *faceChoice) String() string {
	for name, face := range faceNames {
		if face == f.face {
			return name
		}
	}
	return ""
}

func (f *faceChoice) Type() string { return "string" }

func (f *faceChoice) addFlag(set *pflag.FlagSet) {
	set.Var(f, "face", "the files are photos: take the \"only\" face, or the \"largest\"; empty: they are crops")
}

// read reads a crop, or a photo if one face of it is meant.
func (f *faceChoice) read(ctx context.Context, file string) ([]byte, error) {
	if f.face == pb.Face_FACE_UNSPECIFIED {
		return readCrop(ctx, file)
	}
	return readPhoto(ctx, file)
}
