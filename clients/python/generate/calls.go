package main

import (
	"fmt"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// removals are fields that take something away when they are empty. A caller has to say
// that, so that forgetting an argument removes nothing.
var removals = []protoreflect.FullName{
	"rollcall.v1.AssignCropRequest.student_id",
	"rollcall.v1.SetDeleteAfterRequest.delete_after",
	"rollcall.v1.UpdateStudentRequest.groups",
}

// repeatable are calls that do no harm if they are made twice, besides those of which the
// contract says so. Their option of idempotency is that of GET, which is not for images.
var repeatable = []protoreflect.Name{"Embed", "Identify", "Verify", "IdentifyBurst", "RollCall", "Detect", "CheckConsistency"}

type call struct{ *protogen.Method }

// snake is the call's name as a method's.
func (c call) snake() string {
	var out strings.Builder
	for i, letter := range string(c.Desc.Name()) {
		if i > 0 && 'A' <= letter && letter <= 'Z' {
			out.WriteByte('_')
		}
		out.WriteString(strings.ToLower(string(letter)))
	}
	return out.String()
}

func (c call) repeatable() bool {
	options, _ := c.Desc.Options().(*descriptorpb.MethodOptions)
	return options.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN || slices.Contains(repeatable, c.Desc.Name())
}

// paged returns the field of the answer that holds what is listed, if the call gives pages.
func (c call) paged() *protogen.Field {
	if c.Output.Desc.Fields().ByName("next_page_token") == nil {
		return nil
	}
	for _, f := range c.Output.Fields {
		if f.Desc.IsList() {
			return f
		}
	}
	return nil
}

// required says whether a request without the field is refused, or removes something.
func required(f *protogen.Field) bool {
	rules, _ := proto.GetExtension(f.Desc.Options(), validate.E_Field).(*validate.FieldRules)
	return rules.GetRequired() ||
		!f.Desc.HasPresence() && rules.GetString().GetMinLen() > 0 ||
		rules.GetRepeated().GetMinItems() > 0 || rules.GetUint64().GetGte() > 0 ||
		slices.Contains(rules.GetEnum().GetNotIn(), 0) || len(rules.GetEnum().GetIn()) > 0 ||
		slices.Contains(removals, f.Desc.FullName())
}

// parameters are the fields of the request as those of a method: first the required ones,
// then, by name alone, the others.
func (c call) parameters(leaveOut ...string) (declared, passed []string) {
	var optional []string
	for i, f := range c.Input.Fields {
		name := fieldName(f)
		if slices.Contains(leaveOut, name) {
			continue
		}
		passed = append(passed, name+"="+name)
		switch {
		case required(f):
			declared = append(declared, name+": "+parameterType(f))
		case i == 0 && f.Desc.Kind() == protoreflect.BytesKind:
			declared = append(declared, name+": "+parameterType(f)+" = "+defaultOf(f, "messages."))
		default:
			optional = append(optional, name+": "+parameterType(f)+" = "+defaultOf(f, "messages."))
		}
	}
	optional = append(optional, "timeout: float | None = None")
	return slices.Concat([]string{"self"}, declared, []string{"*"}, optional), passed
}

// parameterType is that of the field. In a list, an image stands for a message that has
// one.
func parameterType(f *protogen.Field) string {
	if f.Desc.IsList() && f.Message != nil && f.Message.Desc.Fields().ByName("image") != nil {
		return "Sequence[messages." + itemType(f) + " | Image]"
	}
	name := typeOf(f)
	for _, of := range []protoreflect.Descriptor{messageOf(f), enumOf(f)} {
		if of != nil && of.FullName() != timestamp {
			name = strings.Replace(name, string(of.Name()), "messages."+string(of.Name()), 1)
		}
	}
	return name
}

func messageOf(f *protogen.Field) protoreflect.Descriptor {
	if f.Message == nil {
		return nil
	}
	return f.Message.Desc
}

func enumOf(f *protogen.Field) protoreflect.Descriptor {
	if f.Enum == nil {
		return nil
	}
	return f.Enum.Desc
}

func writeCalls(g *protogen.GeneratedFile, calls []call) {
	g.P(header, `"""The calls of the contract: a method for each, with the fields of its request as arguments."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from . import messages
from .wire import Image

T = TypeVar("T")
`)
	writeClass(g, calls, flavour{class: "Calls", define: "def", iterator: "Iterator"})
	writeClass(g, calls, flavour{class: "AsyncCalls", define: "async def", await: "await ", iterator: "AsyncIterator"})
}

// flavour is what calls that wait and calls that are awaited differ in.
type flavour struct{ class, define, await, iterator string }

func writeClass(g *protogen.GeneratedFile, calls []call, as flavour) {
	g.P("\nclass ", as.class, "(abc.ABC):")
	g.P(`    """Every call of the contract. timeout is in seconds; without it, that of the client."""`)
	g.P(`
    @abc.abstractmethod
    `, as.define, ` _call(self, procedure: str, request: Any, answer: type[T], timeout: float | None, repeatable: bool) -> T:
        """Makes a call that has one answer."""

    @abc.abstractmethod
    def _stream(self, procedure: str, request: Any, answer: type[T], timeout: float | None) -> `, as.iterator, `[T]:
        """Makes a call that is answered by a stream."""`)
	for _, c := range calls {
		c.write(g, as)
	}
	g.P()
}

func (c call) write(g *protogen.GeneratedFile, as flavour) {
	declared, passed := c.parameters()
	answer := "messages." + string(c.Output.Desc.Name())
	procedure := fmt.Sprintf("%q", fmt.Sprintf("%s/%s", c.Parent.Desc.FullName(), c.Desc.Name()))
	g.P()
	if c.Desc.IsStreamingServer() {
		signature(g, "def", c.snake(), declared, as.iterator+"["+answer+"]")
	} else {
		signature(g, as.define, c.snake(), declared, answer)
	}
	docstring(g, "        ", text(c.Comments), c.arguments())
	g.P("        request = messages.", c.Input.Desc.Name(), "(", strings.Join(c.converted(passed), ", "), ")")
	if c.Desc.IsStreamingServer() {
		g.P("        return self._stream(", procedure, ", request, ", answer, ", timeout)")
		return
	}
	again := map[bool]string{true: "True", false: "False"}[c.repeatable()]
	g.P("        return ", as.await, "self._call(", procedure, ", request, ", answer, ", timeout, ", again, ")")
	if f := c.paged(); f != nil {
		c.writeAll(g, as, f)
	}
}

// converted makes messages of the images in a list.
func (c call) converted(passed []string) []string {
	for i, f := range c.Input.Fields {
		if declared := parameterType(f); strings.HasSuffix(declared, " | Image]") {
			one := "messages." + itemType(f)
			passed[i] = fmt.Sprintf("%s=[one if isinstance(one, %s) else %s(image=one) for one in %s]", fieldName(f), one, one, fieldName(f))
		}
	}
	return passed
}

// writeAll writes a method that goes through all pages of a list.
func (c call) writeAll(g *protogen.GeneratedFile, as flavour, f *protogen.Field) {
	declared, passed := c.parameters("page_token")
	g.P()
	signature(g, as.define, strings.Replace(c.snake(), "list_", "all_", 1), declared, as.iterator+"[messages."+itemType(f)+"]")
	g.P(`        """Yields what `, c.snake(), ` lists, page after page."""`)
	passed = append(passed, "page_token=token", "timeout=timeout")
	g.P(`        token = ""
        while True:
            page = `, as.await, `self.`, c.snake(), `(`, strings.Join(passed, ", "), `)
            for one in page.`, fieldName(f), `:
                yield one
            token = page.next_page_token
            if not token:
                return`)
}

func signature(g *protogen.GeneratedFile, define, name string, declared []string, answer string) {
	g.P("    ", define, " ", name, "(")
	for _, d := range declared {
		g.P("        ", d, ",")
	}
	g.P("    ) -> ", answer, ":")
}

// arguments says what the fields of the request mean.
func (c call) arguments() string {
	if len(c.Input.Fields) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString("        Args:\n")
	for _, f := range c.Input.Fields {
		said := strings.ReplaceAll(indented("                ", text(f.Comments)), `\`, `\\`)
		fmt.Fprintf(&out, "            %s: %s\n", fieldName(f), said)
	}
	return out.String()
}
