package schema

import (
	"bytes"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNumber is the largest magnitude the platform keeps.
const maxNumber = math.MaxInt64

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
	if members == maxEventFields {
		return field{}, faultf("is one too many, at most %d are possible", maxEventFields)
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

// appendScalar copies one value of a type other than list in canonical form.
func appendScalar(dst []byte, dec *jsontext.Decoder, t Type) ([]byte, error) {
	switch t {
	case TypeString, TypeDate, TypeDateTime:
		s, err := readString(dec, typeWords[t])
		if err != nil {
			return nil, err
		}
		if s, err = canonicalText(s, t); err != nil {
			return nil, err
		}
		return jsontext.AppendQuote(dst, s)
	case TypeBoolean:
		raw, err := readKind(dec, typeWords[t], jsontext.KindTrue, jsontext.KindFalse)
		return append(dst, raw...), err
	case TypeNumeric, TypeInteger, TypeDecimal:
		raw, err := readKind(dec, typeWords[t], jsontext.KindNumber)
		if err != nil {
			return nil, err
		}
		return appendNumber(dst, raw, t)
	}
	return nil, errors.New("schema: no scalar type " + strconv.Quote(string(t)))
}

var typeWords = map[Type]string{
	TypeString: "a string", TypeDate: "a date as YYYY-MM-DD", TypeDateTime: "a date and time in ISO 8601",
	TypeBoolean: "true or false", TypeNumeric: "a whole number", TypeInteger: "a whole number", TypeDecimal: "a number",
}

// readKind reads a value of one of the kinds, which are no containers.
func readKind(dec *jsontext.Decoder, want string, kinds ...jsontext.Kind) (jsontext.Value, error) {
	if !slices.Contains(kinds, dec.PeekKind()) {
		return nil, wrongKind(dec, want)
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, syntaxError(err)
	}
	return raw, nil
}

func readString(dec *jsontext.Decoder, want string) (string, error) {
	raw, err := readKind(dec, want, jsontext.KindString)
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", syntaxError(err)
	}
	return string(text), nil
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

// appendNumber writes a number in one form: whole numbers as digits, others as
// the shortest text of the nearest float64, which is what a browser has.
func appendNumber(dst, raw []byte, t Type) ([]byte, error) {
	if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return strconv.AppendInt(dst, i, 10), nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.Abs(f) >= maxNumber {
		return nil, faultf("must be between -%d and %[1]d", int64(maxNumber))
	}
	if f == math.Trunc(f) {
		return strconv.AppendInt(dst, int64(f), 10), nil
	}
	if t != TypeDecimal {
		return nil, faultf("must be a whole number")
	}
	return jsontext.AppendFloat(dst, f, 64), nil
}

// canonicalText judges the text of a string, date or date and time.
func canonicalText(s string, t Type) (string, error) {
	switch t {
	case TypeDate:
		return canonicalDate(s)
	case TypeDateTime:
		return canonicalDateTime(s)
	}
	return s, nil
}

func canonicalDate(s string) (string, error) {
	day, err := time.Parse(time.DateOnly, s)
	if err != nil || day.Year() < 1 {
		return "", faultf("must be %s", typeWords[TypeDate])
	}
	return s, nil
}

// isoTime is the shape of a date and time as browsers and the platform write
// it; time.Parse alone takes more, such as one-digit hours. The groups are the
// clock and the offset.
var isoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d:?[0-5]\d)?)?$`)

// canonicalDateTime takes a date, or a date and a time with an optional
// fraction and an optional offset. Without an offset it is UTC. The result is
// UTC with milliseconds.
func canonicalDateTime(s string) (string, error) {
	parts := isoTime.FindStringSubmatch(s)
	if parts == nil {
		return "", faultf("must be %s", typeWords[TypeDateTime])
	}
	layout := "2006-01-02T15:04:05"
	switch clock, offset := parts[1], parts[2]; {
	case clock == "":
		layout = time.DateOnly
	case strings.Contains(offset, ":"):
		layout += "-07:00"
	case offset == "Z":
		layout += "Z"
	case offset != "":
		layout += "-0700"
	}
	at, err := time.Parse(layout, s)
	at = at.UTC()
	// The offset may have moved the time out of what four digits hold.
	if err != nil || at.Year() < 1 || at.Year() > 9999 {
		return "", faultf("must be %s", typeWords[TypeDateTime])
	}
	return at.Format("2006-01-02T15:04:05.000Z"), nil
}

// longerThan counts characters without decoding what is short anyway.
func longerThan(text []byte, limit int) bool {
	return len(text) > limit && utf8.RuneCount(text) > limit
}
