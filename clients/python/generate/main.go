// Command generate is a protoc plugin, run by buf generate. It writes what the Python client
// knows of the contract: messages.py, a frozen dataclass for each message and an enumeration
// for each enum, and calls.py, a method for each call, with the fields of its request as
// arguments. So no field of the contract can be forgotten.
package main

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	protogen.Options{}.Run(func(p *protogen.Plugin) error {
		p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		var calls []call
		for _, f := range p.Files {
			if !f.Generate {
				continue
			}
			for _, s := range f.Services {
				for _, m := range s.Methods {
					// httpx has no streams in both directions: Client.enroll_many does by
					// Embed what EnrollStream does.
					if !m.Desc.IsStreamingClient() {
						calls = append(calls, call{m})
					}
				}
			}
		}
		writeMessages(p.NewGeneratedFile("messages.py", ""), calls)
		writeCalls(p.NewGeneratedFile("calls.py", ""), calls)
		return nil
	})
}

const header = `# Generated from proto/rollcall/v1 by "buf generate". Do not edit.
`
