package embedder

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// kernelAlignment is where the kernels of ONNX Runtime may need what they derive from weights: at a multiple
// of so many bytes (MlasGetPreferredBufferAlignment). Those for AVX-512 end the process if it lies elsewhere.
const kernelAlignment = 64

// derivedKey begins the key of what kernels derive from a weight.
const derivedKey = "prepacked_"

// errUnaligned says that a kernel could not read what was derived for it.
var errUnaligned = errors.New("what kernels derive from weights is not aligned")

// checkDerived returns errUnaligned if an optimised graph keeps anything that kernels derive from weights
// where they cannot read it. ONNX Runtime 1.24 aligns pieces of more than 1 MiB. Smaller ones follow each
// other without a gap, so they are aligned if the sizes of all weights happen to be.
func checkDerived(graph []byte) error {
	return eachExternal(graph, func(key, value string) error {
		if !strings.HasPrefix(key, derivedKey) {
			return nil
		}
		// The kernel, and for each piece its offset, length and digest: "Gemm+12|0;64;0|64;64;0".
		_, pieces, _ := strings.Cut(value, "|")
		for piece := range strings.SplitSeq(pieces, "|") {
			text, _, _ := strings.Cut(piece, ";")
			offset, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return fmt.Errorf("an optimised graph says %q of a weight: %w", value, err)
			}
			if offset%kernelAlignment != 0 {
				return errUnaligned
			}
		}
		return nil
	})
}

// eachExternal visits what an ONNX file says about its weights in another file.
func eachExternal(onnx []byte, visit func(key, value string) error) error {
	return eachField(onnx, func(number protowire.Number, _ uint64, graph []byte) error {
		if number != modelGraph {
			return nil
		}
		return eachField(graph, func(number protowire.Number, _ uint64, weight []byte) error {
			if number != graphInitializer {
				return nil
			}
			return eachField(weight, func(number protowire.Number, _ uint64, entry []byte) error {
				if number != tensorExternal {
					return nil
				}
				return visitEntry(entry, visit)
			})
		})
	})
}

func visitEntry(entry []byte, visit func(key, value string) error) error {
	var key, value string
	err := eachField(entry, func(number protowire.Number, _ uint64, text []byte) error {
		switch number {
		case entryKey:
			key = string(text)
		case entryValue:
			value = string(text)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return visit(key, value)
}
