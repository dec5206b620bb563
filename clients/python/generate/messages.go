package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// secrets are the fields that a repr leaves out, so that they do not come into a log.
var secrets = []protoreflect.FullName{
	"rollcall.v1.CreateTokenResponse.secret",
	"rollcall.v1.CreatePairingCodeResponse.code",
}

// reached is the messages and enums that calls are made of, each after those that it holds.
type reached struct {
	enums    []*protogen.Enum
	messages []*protogen.Message
	seen     map[protoreflect.FullName]bool
}

func (r *reached) message(m *protogen.Message) {
	if r.seen[m.Desc.FullName()] || m.Desc.IsMapEntry() || m.Desc.FullName() == timestamp {
		return
	}
	r.seen[m.Desc.FullName()] = true
	for _, f := range m.Fields {
		if f.Message != nil {
			r.message(f.Message)
		}
		if f.Enum != nil && !r.seen[f.Enum.Desc.FullName()] {
			r.seen[f.Enum.Desc.FullName()] = true
			r.enums = append(r.enums, f.Enum)
		}
	}
	r.messages = append(r.messages, m)
}

func writeMessages(g *protogen.GeneratedFile, calls []call) {
	all := reached{seen: make(map[protoreflect.FullName]bool)}
	for _, c := range calls {
		all.message(c.Input)
		all.message(c.Output)
	}
	g.P(header, `"""The messages of the contract, as frozen dataclasses, and its enumerations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .wire import ContractEnum, Image
`)
	var names []string
	for _, e := range all.enums {
		names = append(names, string(e.Desc.Name()))
	}
	for _, m := range all.messages {
		names = append(names, string(m.Desc.Name()))
	}
	slices.Sort(names)
	g.P("__all__ = [")
	for _, name := range names {
		g.P(fmt.Sprintf("    %q,", name))
	}
	g.P("]")
	for _, e := range all.enums {
		writeEnum(g, e)
	}
	for _, m := range all.messages {
		writeMessage(g, m)
	}
}

func writeEnum(g *protogen.GeneratedFile, e *protogen.Enum) {
	g.P("\n\nclass ", e.Desc.Name(), "(ContractEnum):")
	docstring(g, "    ", text(e.Comments), "")
	for _, v := range e.Values {
		g.P()
		g.P(fmt.Sprintf("    %s = %q", enumMember(v), v.Desc.Name()))
		docstring(g, "    ", text(v.Comments), "")
	}
}

// enumMember is a value's name without that of its enum: VERDICT_MATCH is Verdict.MATCH.
func enumMember(v *protogen.EnumValue) string {
	zero := string(v.Parent.Values[0].Desc.Name())
	return strings.TrimPrefix(string(v.Desc.Name()), strings.TrimSuffix(zero, "UNSPECIFIED"))
}

func writeMessage(g *protogen.GeneratedFile, m *protogen.Message) {
	g.P("\n\n@dataclass(frozen=True)")
	g.P("class ", m.Desc.Name(), ":")
	docstring(g, "    ", text(m.Comments), "")
	for _, f := range m.Fields {
		value := defaultOf(f, "")
		switch {
		case f.Desc.IsMap():
			value = "field(default_factory=dict)"
		case secret(f):
			value = "field(default=" + value + ", repr=False)"
		}
		g.P()
		g.P("    ", fieldName(f), ": ", typeOf(f), " = ", value)
		docstring(g, "    ", text(f.Comments), "")
	}
}

// secret says whether a field holds an image, a vector or a secret.
func secret(f *protogen.Field) bool {
	return f.Desc.Kind() == protoreflect.BytesKind ||
		f.Desc.IsList() && f.Desc.Kind() == protoreflect.FloatKind ||
		slices.Contains(secrets, f.Desc.FullName())
}
