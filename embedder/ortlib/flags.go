package ortlib

import "github.com/spf13/pflag"

// AddFlags adds to set the options of an operator: --onnxruntime and --offline.
func (o *Options) AddFlags(set *pflag.FlagSet) {
	set.StringVar(&o.Path, "onnxruntime", "", "file or folder of the ONNX Runtime library; empty: find or install it")
	set.BoolVar(&o.Offline, "offline", false, "never install ONNX Runtime, only find it")
}
