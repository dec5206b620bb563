package onnxtest

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of onnx.proto (IR version 8, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto),
// as MESSAGE_field.
const (
	modelIRVersion = 1
	modelDocString = 6
	modelGraph     = 7
	modelOpset     = 8

	opsetVersion = 2

	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12

	nodeInput     = 1
	nodeOutput    = 2
	nodeOpType    = 4
	nodeAttribute = 5

	attributeName = 1
	attributeI    = 3
	attributeInts = 8
	attributeType = 20

	tensorDims     = 1
	tensorDataType = 2
	tensorName     = 8
	tensorRawData  = 9

	valueName = 1
	valueType = 2

	typeTensor = 1

	tensorTypeElem  = 1
	tensorTypeShape = 2

	shapeDim = 1

	dimValue = 1
	dimParam = 2
)

// Values of AttributeProto.AttributeType and TensorProto.DataType.
const (
	attributeTypeInt  = 2
	attributeTypeInts = 7

	elemFloat  = 1
	elemInt64  = 7
	elemDouble = 11
)

const (
	irVersion = 8  // of 2021: every ONNX Runtime that this module accepts reads it
	opset     = 13 // the operator set of the same release
)

// message is a protobuf message under construction.
type message []byte

func (m *message) varint(field protowire.Number, v int64) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, uint64(v))
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendBytes(*m, v)
}

func (m *message) text(field protowire.Number, v string) { m.bytes(field, []byte(v)) }

// graph collects the nodes and weights of one model.
type graph struct {
	nodes, weights, inputs, outputs []message
}

// attribute is an integer or a list of integers given to a node by name.
type attribute struct {
	name string
	one  *int64
	many []int64
}

func integer(name string, v int64) attribute     { return attribute{name: name, one: &v} }
func integers(name string, v ...int64) attribute { return attribute{name: name, many: v} }

func (a attribute) encode() message {
	var m message
	m.text(attributeName, a.name)
	if a.one != nil {
		m.varint(attributeI, *a.one)
		m.varint(attributeType, attributeTypeInt)
		return m
	}
	for _, v := range a.many {
		m.varint(attributeInts, v)
	}
	m.varint(attributeType, attributeTypeInts)
	return m
}

// node adds an operator with one output and returns the output's name.
func (g *graph) node(op, output string, inputs []string, attributes ...attribute) string {
	var m message
	for _, name := range inputs {
		m.text(nodeInput, name)
	}
	m.text(nodeOutput, output)
	m.text(nodeOpType, op)
	for _, a := range attributes {
		m.bytes(nodeAttribute, a.encode())
	}
	g.nodes = append(g.nodes, m)
	return output
}

// floats adds a constant float32 tensor and returns its name.
func (g *graph) floats(name string, values []float32, dims ...int64) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	g.constant(name, elemFloat, raw, dims)
	return name
}

// ints adds a constant int64 vector and returns its name.
func (g *graph) ints(name string, values ...int64) string {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	g.constant(name, elemInt64, raw, []int64{int64(len(values))})
	return name
}

func (g *graph) constant(name string, elem int64, raw []byte, dims []int64) {
	var m message
	for _, d := range dims {
		m.varint(tensorDims, d)
	}
	m.varint(tensorDataType, elem)
	m.text(tensorName, name)
	m.bytes(tensorRawData, raw)
	g.weights = append(g.weights, m)
}

// value describes an input or output of the graph; a dimension under 1 is free.
func value(name string, elem int64, dims []int64) message {
	var shape, tensor, typ, m message
	for _, d := range dims {
		var dim message
		if d < 1 {
			dim.text(dimParam, "N")
		} else {
			dim.varint(dimValue, d)
		}
		shape.bytes(shapeDim, dim)
	}
	tensor.varint(tensorTypeElem, elem)
	tensor.bytes(tensorTypeShape, shape)
	typ.bytes(typeTensor, tensor)
	m.text(valueName, name)
	m.bytes(valueType, typ)
	return m
}

func (g *graph) input(name string, dims ...int64) string {
	g.inputs = append(g.inputs, value(name, elemFloat, dims))
	return name
}

func (g *graph) output(name string, dims ...int64) {
	g.outputs = append(g.outputs, value(name, elemFloat, dims))
}

// encode returns the model file.
func (g *graph) encode() []byte {
	var body message
	for _, n := range g.nodes {
		body.bytes(graphNode, n)
	}
	body.text(graphName, "onnxtest")
	for _, w := range g.weights {
		body.bytes(graphInitializer, w)
	}
	for _, v := range g.inputs {
		body.bytes(graphInput, v)
	}
	for _, v := range g.outputs {
		body.bytes(graphOutput, v)
	}
	var operators, m message
	operators.varint(opsetVersion, opset)
	m.varint(modelIRVersion, irVersion)
	m.bytes(modelGraph, body)
	m.bytes(modelOpset, operators)
	return m
}
