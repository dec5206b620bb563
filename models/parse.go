package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxContractBytes bounds the JSON of a contract. The largest part is a golden embedding: 4,096
// numbers of at most 16 characters.
const maxContractBytes = 1 << 20

// ParseContract reads a contract from JSON and validates it, see [Contract.Validate]. Unknown fields are
// refused: otherwise a misspelt "colour" would cost accuracy and nobody would notice. Arrays of the wrong
// length are refused too. Errors are [ErrContract].
func ParseContract(data []byte) (Contract, error) {
	if len(data) > maxContractBytes {
		return Contract{}, fmt.Errorf("%w: %d bytes are more than the %d that a contract may have", ErrContract, len(data), maxContractBytes)
	}
	var c Contract
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return Contract{}, fmt.Errorf("%w: %w", ErrContract, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Contract{}, fmt.Errorf("%w: something follows the contract", ErrContract)
	}
	if err := checkLengths(data); err != nil {
		return Contract{}, fmt.Errorf("%w: %w", ErrContract, err)
	}
	if err := c.Validate(); err != nil {
		return Contract{}, err
	}
	return c, nil
}

// checkLengths refuses what encoding/json accepts for a Go array: too many elements, which it drops, and
// too few, which it leaves zero. A missing mean would be zero without a word, too.
func checkLengths(data []byte) error {
	var c struct {
		Input struct {
			Mean []json.RawMessage `json:"mean"`
			Std  []json.RawMessage `json:"std"`
		} `json:"input"`
		Template []json.RawMessage `json:"template"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return err
	}
	if len(c.Input.Mean) != 3 {
		return fmt.Errorf("input.mean must have 3 numbers, one for each channel of the tensor, and has %d", len(c.Input.Mean))
	}
	if len(c.Input.Std) != 3 {
		return fmt.Errorf("input.std must have 3 numbers, one for each channel of the tensor, and has %d", len(c.Input.Std))
	}
	if n := len(c.Template); n != 0 && n != len(Landmarks{}) {
		return fmt.Errorf("template must have %d points and has %d", len(Landmarks{}), n)
	}
	return nil
}

// MarshalJSON writes a point as [x, y].
func (p Point) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]float32{p.X, p.Y})
}

// UnmarshalJSON reads a point from [x, y].
func (p *Point) UnmarshalJSON(data []byte) error {
	var xy []float32
	if err := json.Unmarshal(data, &xy); err != nil {
		return err
	}
	if len(xy) != 2 {
		return fmt.Errorf("a point must be [x, y] and has %d numbers", len(xy))
	}
	p.X, p.Y = xy[0], xy[1]
	return nil
}
