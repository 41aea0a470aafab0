package schema

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// newDecoder reads raw strictly: duplicate names and invalid UTF-8 are errors.
// A bytes.Buffer is what the decoder reads without a copy.
func newDecoder(raw []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(raw))
}

// eachMember reads an object and calls visit with each name, in order; visit
// consumes the value.
func eachMember(dec *jsontext.Decoder, visit func(name string) error) error {
	if kind := dec.PeekKind(); kind != jsontext.KindBeginObject {
		return wrongKind(dec, "an object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return syntaxError(err)
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return syntaxError(err)
		}
		if err := visit(token.String()); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return syntaxError(err)
	}
	return nil
}

// eachElement reads an array and calls visit with each index; visit consumes
// the value.
func eachElement(dec *jsontext.Decoder, visit func(i int) error) error {
	if kind := dec.PeekKind(); kind != jsontext.KindBeginArray {
		return wrongKind(dec, "a list")
	}
	if _, err := dec.ReadToken(); err != nil {
		return syntaxError(err)
	}
	for i := 0; dec.PeekKind() != jsontext.KindEndArray; i++ {
		if err := visit(i); err != nil {
			return within(err, index(i))
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return syntaxError(err)
	}
	return nil
}

// objectRule says which members an object may have.
type objectRule struct {
	fields map[string]field
	// open takes any well-formed member: of an event where none is defined.
	open   bool
	inList bool // the object is an item and holds no lists itself
}

type field struct {
	typ   Type
	items *objectRule // of a list
}

// appendObject copies an object in compact form. It must have at least one
// member, and none that the rule does not know.
func appendObject(dst []byte, dec *jsontext.Decoder, rule *objectRule) ([]byte, error) {
	dst = append(dst, '{')
	members, lists := 0, 0
	err := eachMember(dec, func(name string) error {
		f, err := rule.member(dec, name, members, lists)
		if err != nil {
			return within(err, name)
		}
		if members > 0 {
			dst = append(dst, ',')
		}
		members++
		if dst, err = jsontext.AppendQuote(dst, name); err != nil {
			return syntaxError(err)
		}
		dst = append(dst, ':')
		if f.typ == TypeList {
			lists++
			dst, err = appendList(dst, dec, f.items)
		} else {
			dst, err = appendScalar(dst, dec, f.typ)
		}
		return within(err, name)
	})
	if err != nil {
		return nil, err
	}
	if members == 0 {
		return nil, faultf("must have at least one property")
	}
	return append(dst, '}'), nil
}

// member finds the field called name, members and lists being what the object
// has already.
func (r *objectRule) member(dec *jsontext.Decoder, name string, members, lists int) (field, error) {
	if !r.open {
		f, ok := r.fields[name]
		if !ok {
			return field{}, faultf("is not defined")
		}
		return f, nil
	}
	if err := checkFieldName(name); err != nil {
		return field{}, faultf("is not possible, %v", err)
	}
	most := maxEventFields
	if r.inList {
		most = maxItemFields
	}
	if members == most {
		return field{}, faultf("is one too many, at most %d are possible", most)
	}
	switch dec.PeekKind() {
	case jsontext.KindString:
		return field{typ: TypeString}, nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return field{typ: TypeBoolean}, nil
	case jsontext.KindNumber:
		return field{typ: TypeDecimal}, nil
	case jsontext.KindBeginArray:
		if r.inList || lists > 0 {
			return field{}, faultf("must not be a list, an event has at most one and that has none")
		}
		return field{typ: TypeList, items: &objectRule{open: true, inList: true}}, nil
	default:
		return field{}, wrongKind(dec, "a string, a boolean, a number or a list of objects")
	}
}

// appendList copies an array of item objects in compact form.
func appendList(dst []byte, dec *jsontext.Decoder, items *objectRule) ([]byte, error) {
	dst = append(dst, '[')
	err := eachElement(dec, func(i int) error {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		dst, err = appendObject(dst, dec, items)
		return err
	})
	if err != nil {
		return nil, err
	}
	return append(dst, ']'), nil
}

// wrongKind is the fault of a value that is not what is wanted, or the syntax
// error that keeps the decoder from telling.
func wrongKind(dec *jsontext.Decoder, want string) error {
	switch kind := dec.PeekKind(); kind {
	case jsontext.KindInvalid, jsontext.KindEndObject, jsontext.KindEndArray:
		_, err := dec.ReadToken()
		return syntaxError(err)
	default:
		return faultf("must be %s, not %s", want, kindName(kind))
	}
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	default:
		return "a list"
	}
}
