package livechat

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// members is a JSON object whose values are not looked at yet.
type members map[string]jsontext.Value

// decode reads the first two parts of a token strictly: canonical Base64, JSON
// objects without duplicate members.
func decode(token string) (header, claims members, err error) {
	if len(token) > maxTokenBytes {
		return nil, nil, errTooLong
	}
	parts := strings.Split(token, ".")
	// Decoders of Base64 skip line breaks: one token could be written in many ways.
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") {
		return nil, nil, errMalformed
	}
	if header, err = decodeMembers(parts[0]); err != nil {
		return nil, nil, err
	}
	if claims, err = decodeMembers(parts[1]); err != nil {
		return nil, nil, err
	}
	return header, claims, nil
}

func decodeMembers(part string) (members, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errMalformed
	}
	var object members
	if err := json.Unmarshal(text, &object); err != nil || object == nil {
		return nil, errMalformed
	}
	return object, nil
}

// refusedHeaders are parameters that change how a token is read or bring a key
// of their own. Who sends them expects something this verifier does not do.
var refusedHeaders = []string{"crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5c", "x5u"}

// checkHeader wants exactly what Live Chat's tokens have. A kid is ignored: the
// key is named by the claim ski.
func checkHeader(header members) error {
	if alg, ok := header.plain("alg"); !ok || alg != "HS256" {
		return errAlgorithm
	}
	if _, given := header["typ"]; given {
		if typ, ok := header.plain("typ"); !ok || !strings.EqualFold(typ, "JWT") {
			return errType
		}
	}
	for _, name := range refusedHeaders {
		if _, given := header[name]; given {
			return fmt.Errorf("the token's header parameter %s is not possible", name)
		}
	}
	return nil
}

// LooksLikeToken tells a cookie value that is a JWT from an opaque one. Three
// parts are not enough: signed cookies of web frameworks have them too, with
// JSON first. A JWT's header names an algorithm.
func LooksLikeToken(value string) bool {
	if len(value) > maxTokenBytes {
		return false
	}
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return false
	}
	header, err := decodeMembers(parts[0])
	if err != nil {
		return false
	}
	_, ok := header.plain("alg")
	return ok
}

// plain returns a member that is a string.
func (m members) plain(name string) (string, bool) {
	raw, ok := m[name]
	if !ok || raw.Kind() != jsontext.KindString {
		return "", false
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// text returns a claim that is a string, "" when absent. It has at most limit
// characters, or any number with limit 0.
func (m members) text(name string, limit int) (string, error) {
	if _, given := m[name]; !given {
		return "", nil
	}
	text, ok := m.plain(name)
	if !ok {
		return "", fmt.Errorf("the token's claim %s is not a string", name)
	}
	if limit > 0 && utf8.RuneCountInString(text) > limit {
		return "", fmt.Errorf("the token's claim %s is longer than %d characters", name, limit)
	}
	return text, nil
}

// maxSeconds is the end of the year 9999. A time in milliseconds, the usual
// mistake, lies beyond it.
const maxSeconds = 253402300799

// seconds returns a claim that is a time, with a fraction perhaps (RFC 7519 2).
func (m members) seconds(name string) (at time.Time, given bool, err error) {
	raw, given := m[name]
	if !given {
		return time.Time{}, false, nil
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if raw.Kind() != jsontext.KindNumber || err != nil || seconds < 0 || seconds > maxSeconds {
		return time.Time{}, true, fmt.Errorf("the token's claim %s is not a time in seconds since 1970", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true, nil
}
