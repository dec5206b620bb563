package bench

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A call is a request that a client makes again and again, and the answer that it
// has to get each time.
type call struct {
	name string // what it does
	do   func(ctx context.Context) (proto.Message, error)
	want []byte // the answer on the wire
	like proto.Message
}

// learn makes the call and takes its answer for the right one.
func (c *call) learn(ctx context.Context) error {
	resp, err := c.do(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.like = resp
	c.want, err = wire(resp)
	return err
}

// check compares an answer bit for bit, embeddings included.
func (c *call) check(resp proto.Message) (difference string, err error) {
	got, err := wire(resp)
	if err != nil || bytes.Equal(got, c.want) {
		return "", err
	}
	return fmt.Sprintf("%s: another answer than alone, in %v", c.name, differingFields(c.like, resp)), nil
}

func wire(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// differingFields names the fields that differ and shows none: one of them may be
// an embedding.
func differingFields(a, b proto.Message) (names []protoreflect.Name) {
	fields := a.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !a.ProtoReflect().Get(f).Equal(b.ProtoReflect().Get(f)) {
			names = append(names, f.Name())
		}
	}
	return names
}

// maxFindings is how many differences and errors are told: the first show what is
// wrong.
const maxFindings = 10

// findings collects what should not have happened. It is safe for concurrent use.
type findings struct {
	mu    sync.Mutex // guards the fields that follow
	count int
	first []string
}

func (f *findings) add(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if len(f.first) < maxFindings {
		f.first = append(f.first, what)
	}
}
