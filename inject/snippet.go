package inject

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/html"
)

// snippet is a script element ready for injection: one external script, in
// ASCII and without line ends, so that it reads the same in every encoding
// that is accepted and moves no line number. It is immutable.
type snippet struct {
	plain     []byte
	verified  []byte // the same with integrity and crossorigin
	src       string // absolute path, maybe with a query
	integrity string // "sha256-…", "" if not known
}

const scriptOpen = "<script"

// newSnippet checks a script element, see Config.Snippet and Config.Integrity.
func newSnippet(script []byte, integrity string) (*snippet, error) {
	for _, c := range script {
		if c < 0x20 || c > 0x7e {
			return nil, fmt.Errorf("inject: byte %#x in the script element: only printable ASCII is the same in all encodings", c)
		}
	}
	if !bytes.HasPrefix(script, []byte(scriptOpen+" ")) || !bytes.HasSuffix(script, []byte("></script>")) {
		return nil, errors.New(`inject: the script element must read <script src="…" …></script>`)
	}
	if integrity != "" && !isHash(integrity) {
		return nil, fmt.Errorf("inject: integrity %q is not of the form sha256-<base64>", integrity)
	}
	s := &snippet{plain: bytes.Clone(script), integrity: integrity}
	hasIntegrity, err := s.readAttributes()
	if err != nil {
		return nil, err
	}
	if !hasIntegrity && s.integrity != "" {
		s.verified = s.with(` integrity="` + integrity + `" crossorigin="anonymous"`)
	} else if hasIntegrity {
		s.verified = s.plain
	}
	return s, nil
}

// readAttributes lets the reference tokenizer judge the element: exactly one
// start tag, no content, one end tag, and a src of our own origin.
func (s *snippet) readAttributes() (hasIntegrity bool, err error) {
	z := html.NewTokenizer(bytes.NewReader(s.plain))
	z.Next()
	_, more := z.TagName()
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "src":
			s.src = string(value)
		case "integrity":
			hasIntegrity = true
			s.integrity = string(value)
		}
	}
	if tt := z.Next(); tt != html.EndTagToken {
		return false, errors.New("inject: the script element must have no content")
	}
	if z.Next(); !errors.Is(z.Err(), io.EOF) {
		return false, errors.New("inject: something follows the script element")
	}
	if !strings.HasPrefix(s.src, "/") || strings.HasPrefix(s.src, "//") || strings.HasPrefix(s.src, `/\`) {
		return false, fmt.Errorf("inject: src %q must be an absolute path", s.src)
	}
	return hasIntegrity, nil
}

// with returns the element with more attributes.
func (s *snippet) with(attributes string) []byte {
	out := make([]byte, 0, len(s.plain)+len(attributes))
	out = append(out, scriptOpen...)
	out = append(out, attributes...)
	return append(out, s.plain[len(scriptOpen):]...)
}

// wellFormed says whether the element can stand in XHTML.
func (s *snippet) wellFormed() error {
	d := xml.NewDecoder(bytes.NewReader(s.plain))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("inject: the script element is not well-formed XML: %w", err)
		}
	}
}

// isHash says whether s is of the form sha256-<base64>, sha384- or sha512-.
func isHash(s string) bool {
	algorithm, value, ok := strings.Cut(s, "-")
	switch algorithm {
	case "sha256", "sha384", "sha512":
		return ok && isBase64(value)
	}
	return false
}

// isBase64 accepts both alphabets. Nothing in it can end an attribute value.
func isBase64(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '/' && c != '-' && c != '_' && c != '=' {
			return false
		}
	}
	return s != ""
}
