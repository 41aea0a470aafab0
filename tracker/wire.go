package tracker

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// valueVersion is the first byte of every value. A reader refuses a version it
// does not know instead of guessing; members it does not know are skipped, so
// a record may grow without a new version.
const valueVersion = 1

var errMalformed = errors.New("malformed record")

// encoder builds a value: a version byte and then fields in the protobuf wire
// format. Zero values are left out.
type encoder struct{ b []byte }

func newEncoder(size int) *encoder {
	b := make([]byte, 1, size)
	b[0] = valueVersion
	return &encoder{b: b}
}

func (e *encoder) uint(field protowire.Number, v uint64) {
	if v == 0 {
		return
	}
	e.b = protowire.AppendTag(e.b, field, protowire.VarintType)
	e.b = protowire.AppendVarint(e.b, v)
}

func (e *encoder) int(field protowire.Number, v int64) { e.uint(field, protowire.EncodeZigZag(v)) }

func (e *encoder) bool(field protowire.Number, v bool) { e.uint(field, protowire.EncodeBool(v)) }

func (e *encoder) string(field protowire.Number, v string) {
	if v == "" {
		return
	}
	e.b = protowire.AppendTag(e.b, field, protowire.BytesType)
	e.b = protowire.AppendString(e.b, v)
}

func (e *encoder) bytes(field protowire.Number, v []byte) {
	if len(v) == 0 {
		return
	}
	e.b = protowire.AppendTag(e.b, field, protowire.BytesType)
	e.b = protowire.AppendBytes(e.b, v)
}

func (e *encoder) id(field protowire.Number, v id) {
	if !v.zero() {
		e.bytes(field, v[:])
	}
}

// nested writes a record inside this one; unlike the other methods it keeps
// empty records, as their number may count.
func (e *encoder) nested(field protowire.Number, write func(*encoder)) {
	inner := &encoder{}
	write(inner)
	e.b = protowire.AppendTag(e.b, field, protowire.BytesType)
	e.b = protowire.AppendBytes(e.b, inner.b)
}

// field is one decoded field: a number or bytes, which belong to the value.
type field struct {
	number protowire.Number
	value  uint64
	data   []byte
}

func (f field) int() int64     { return protowire.DecodeZigZag(f.value) }
func (f field) bool() bool     { return f.value != 0 }
func (f field) string() string { return string(f.data) }

// id reads an id; data of another length gives the zero id, which no record
// resolves.
func (f field) id() (i id) {
	if len(f.data) == len(i) {
		copy(i[:], f.data)
	}
	return i
}

func (f field) digest() (d digest) {
	if len(f.data) == len(d) {
		copy(d[:], f.data)
	}
	return d
}

// decodeValue calls take for every field of a stored value.
func decodeValue(value []byte, take func(field)) error {
	if len(value) == 0 {
		return fmt.Errorf("%w: no version", errMalformed)
	}
	if value[0] != valueVersion {
		return fmt.Errorf("%w: version %d, this program reads %d", errMalformed, value[0], valueVersion)
	}
	return decodeFields(value[1:], take)
}

func decodeFields(b []byte, take func(field)) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.data, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		take(f)
	}
	return nil
}
