package collector

import (
	"fmt"
	"net/url"
	"strings"
)

// Parameters whose values are never stored (B32). A name is compared without
// case and without what separates its words, so that user[email], X-Api-Key
// and accessToken are met. Removing too much costs a report a detail, removing
// too little hands a login to everybody who may see the console.
var (
	// secretParts make a name secret wherever they stand in it.
	secretParts = []string{
		"token", "password", "passwd", "passphrase", "passcode", "secret", "email", "session", "sessid",
		"apikey", "signature", "credential", "jwt", "oauth", "msisdn", "telephone", "phonenumber",
	}
	// secretWords are too short for that: they have to be a word of the name
	// ("code" in promo_code or authCode, not in zipcode).
	secretWords = map[string]bool{
		"code": true, "key": true, "pwd": true, "pass": true, "mail": true, "auth": true, "authorization": true,
		"pin": true, "otp": true, "sid": true, "sig": true, "hash": true, "nonce": true, "ticket": true, "verifier": true,
		"assertion": true, "saml": true, "samlresponse": true, "samlrequest": true, "invite": true, "magic": true,
		"tel": true, "phone": true, "ssn": true, "iban": true, "cvv": true, "cvc": true,
	}
)

// maxDecodings bounds how often a value is percent-decoded in search of an
// address inside an address (?next=%252Freset%253Ftoken%253D…).
const maxDecodings = 4

// redactor removes the values of secret parameters from addresses.
type redactor struct {
	extra map[string]bool // names of redact_query, folded
}

func newRedactor(names []string) (*redactor, error) {
	r := &redactor{extra: make(map[string]bool, len(names))}
	for _, name := range names {
		folded := fold(name)
		if folded == "" {
			return nil, fmt.Errorf("redact query %q: a name needs a letter or digit", name)
		}
		r.extra[folded] = true
	}
	return r, nil
}

// SecretParameter tells whether the value of a query parameter is never stored,
// by the built-in list or by further names as [Config.RedactQuery] takes them.
func SecretParameter(name string, further []string) bool {
	r := &redactor{extra: make(map[string]bool, len(further))}
	for _, name := range further {
		r.extra[fold(name)] = true
	}
	return r.isSecret(name)
}

// url returns address without user information and without the values of
// secret parameters in its path (;name=value), query and fragment. Everything
// else stays byte for byte.
func (r *redactor) url(address string) string {
	if !strings.ContainsAny(address, "?#@;%=") {
		return address
	}
	rest, fragment, hasFragment := strings.Cut(address, "#")
	path, query, hasQuery := strings.Cut(rest, "?")

	var b strings.Builder
	b.Grow(len(address))
	scheme, path := cutAuthority(path)
	b.WriteString(scheme)
	r.path(&b, path)
	if hasQuery {
		b.WriteByte('?')
		r.params(&b, query)
	}
	if hasFragment {
		b.WriteByte('#')
		r.params(&b, fragment)
	}
	return b.String()
}

// cutAuthority splits scheme and host, freed from user information, off the path.
func cutAuthority(address string) (authority, path string) {
	i := strings.Index(address, "//")
	if i < 0 {
		return "", address
	}
	i += len("//")
	end := strings.IndexAny(address[i:], `/\`)
	if end < 0 {
		end = len(address) - i
	}
	authority, path, host := address[:i+end], address[i+end:], address[i:i+end]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		authority = address[:i] + host[at+1:]
	}
	return authority, path
}

// path removes the values of matrix parameters, as in /shop;jsessionid=…/cart,
// whole segments that hide a secret, as in /confirm/token=…, and the user of an
// address, as in /to/https://user@….
func (r *redactor) path(b *strings.Builder, path string) {
	for first, host := true, false; len(path) > 0; first = false { // host: behind two slashes
		segment, rest, more := strings.Cut(path, "/")
		if at := strings.LastIndexByte(segment, '@'); host && at >= 0 {
			segment = segment[at+1:]
		}
		host = segment == "" && !first
		head, params, has := strings.Cut(segment, ";")
		if !r.hidesSecret(head) {
			b.WriteString(head)
		}
		if has {
			b.WriteByte(';')
			r.param(b, params)
		}
		if more {
			b.WriteByte('/')
		}
		path = rest
	}
}

// params redacts name=value pairs with & between them.
func (r *redactor) params(b *strings.Builder, s string) {
	for {
		pair, rest, more := strings.Cut(s, "&")
		r.param(b, pair)
		if !more {
			return
		}
		b.WriteByte('&')
		s = rest
	}
}

// param redacts one pair. A secret value goes up to the end of the pair, a
// semicolon being part of it; in front of one it may separate pairs as well.
func (r *redactor) param(b *strings.Builder, pair string) {
	for {
		name, value, has := strings.Cut(pair, "=")
		if !r.hidesSecret(name) {
			b.WriteString(name)
		}
		if !has {
			return
		}
		b.WriteByte('=')
		if r.isSecret(name) {
			return
		}
		inner, rest, more := strings.Cut(value, ";")
		if !r.hidesSecret(inner) {
			b.WriteString(inner)
		}
		if !more {
			return
		}
		b.WriteByte(';')
		pair = rest
	}
}

// isSecret judges the name of a parameter as written in the address. Of
// "/reset?token", from the fragment of a single-page application, the last
// part counts.
func (r *redactor) isSecret(name string) bool {
	name = unescape(name)
	if i := strings.LastIndexAny(name, "?&;#/!"); i >= 0 {
		name = name[i+1:]
	}
	folded := fold(name)
	if r.extra[folded] {
		return true
	}
	for _, part := range secretParts {
		if strings.Contains(folded, part) {
			return true
		}
	}
	return hasWord(name, func(word string) bool { return secretWords[word] || r.extra[word] })
}

// hidesSecret says whether value is itself an address or query, encoded or
// not, with a secret parameter.
func (r *redactor) hidesSecret(value string) bool {
	for range maxDecodings {
		for rest := value; ; {
			name, after, has := strings.Cut(rest, "=")
			if !has {
				break
			}
			if r.isSecret(name) {
				return true
			}
			rest = after
		}
		if authority, path := cutAuthority(value); len(authority)+len(path) < len(value) {
			return true
		}
		decoded := unescape(value)
		if decoded == value {
			return false
		}
		value = decoded
	}
	// Still encoded: nobody nests that deep but to hide something.
	return true
}

// unescape undoes percent encoding; what is malformed stays as it is.
func unescape(s string) string {
	if !strings.ContainsRune(s, '%') {
		return s
	}
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// fold leaves the letters and digits of a name, in lower case.
func fold(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= 0x80:
			return c
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		}
		return -1
	}, name)
}

// hasWord says whether is holds for a word of name, in lower case and without
// digits at its end. Words end where something else than a letter or digit
// stands, and at camelCase bounds (authCode, APIKey).
func hasWord(name string, is func(string) bool) bool {
	start := 0
	for i := 1; i <= len(name); i++ {
		if i < len(name) && !startsWord(name, i) {
			continue
		}
		if word := strings.TrimRight(fold(name[start:i]), "0123456789"); word != "" && is(word) {
			return true
		}
		start = i
	}
	return false
}

// startsWord says whether a word may start or end at name[i], i > 0.
func startsWord(name string, i int) bool {
	switch c := name[i]; {
	case isUpper(c):
		return !isUpper(name[i-1]) || i+1 < len(name) && isLower(name[i+1])
	default:
		return !isAlphanumeric(c) && c < 0x80
	}
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
