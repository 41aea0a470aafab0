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
	default:
		return nil, errors.New("schema: no scalar type " + strconv.Quote(string(t)))
	}
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
	default:
		return s, nil
	}
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
