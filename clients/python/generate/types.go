package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const timestamp = "google.protobuf.Timestamp"

// fieldName is the field's name in Python: with an underscore if it is a keyword there.
func fieldName(f *protogen.Field) string {
	name := string(f.Desc.Name())
	if slices.Contains([]string{"from", "class", "global", "import", "in", "is", "not", "pass", "return", "with"}, name) {
		name += "_"
	}
	return name
}

// typeOf is the type of a dataclass's field.
func typeOf(f *protogen.Field) string {
	switch one := itemType(f); {
	case f.Desc.IsMap():
		return "Mapping[str, str]" // the contract has no other
	case f.Desc.IsList():
		return "Sequence[" + one + "]"
	case f.Desc.HasPresence(): // an optional field, or a message
		return one + " | None"
	default:
		return one
	}
}

func itemType(f *protogen.Field) string {
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return "bool"
	case protoreflect.StringKind:
		return "str"
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "float"
	case protoreflect.BytesKind:
		if strings.HasSuffix(string(f.Parent.Desc.Name()), "Response") {
			return "bytes"
		}
		return "Image" // all bytes of requests are images
	case protoreflect.EnumKind:
		return string(f.Enum.Desc.Name())
	case protoreflect.MessageKind:
		if f.Message.Desc.FullName() == timestamp {
			return "datetime"
		}
		return string(f.Message.Desc.Name())
	default:
		return "int"
	}
}

// defaultOf is what a field is when it is not set. module is where the enums are: "" or
// "messages.".
func defaultOf(f *protogen.Field, module string) string {
	switch {
	case f.Desc.IsList():
		return "()"
	case f.Desc.HasPresence():
		return "None"
	}
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return "False"
	case protoreflect.StringKind:
		return `""`
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "0.0"
	case protoreflect.BytesKind:
		return `b""`
	case protoreflect.EnumKind:
		return fmt.Sprintf("%s%s.%s", module, f.Enum.Desc.Name(), enumMember(f.Enum.Values[0]))
	default:
		return "0"
	}
}

// text is a comment as one paragraph a line.
func text(c protogen.CommentSet) string {
	lines := strings.Split(strings.TrimSpace(string(c.Leading)), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}

// docstring writes a comment of the contract, and what follows it.
func docstring(g *protogen.GeneratedFile, indent, said, more string) {
	said = strings.ReplaceAll(said, `\`, `\\`)
	if more == "" && !strings.Contains(said, "\n") && !strings.HasSuffix(said, `"`) {
		g.P(indent, `"""`, said, `"""`)
		return
	}
	g.P(indent, `"""`, indented(indent, said))
	if more != "" {
		g.P()
		g.P(strings.TrimRight(more, "\n"))
	}
	g.P(indent, `"""`)
}

func indented(indent, said string) string {
	return strings.ReplaceAll(strings.ReplaceAll(said, "\n", "\n"+indent), "\n"+indent+"\n", "\n\n")
}
