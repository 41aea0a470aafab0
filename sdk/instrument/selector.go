package instrument

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkSelector judges the form of a list of CSS selectors. Names of elements
// and pseudo-classes are not judged: browsers learn new ones. A selector that a
// browser does not know never matches there.
func checkSelector(text string) error {
	if len(text) > maxSelector {
		return fmt.Errorf("longer than %d bytes", maxSelector)
	}
	if !utf8.ValidString(text) {
		return errors.New("not UTF-8")
	}
	s := selectorScan{text: text}
	if err := s.list(0, false); err != nil {
		return err
	}
	if s.at < len(s.text) {
		return s.unexpected()
	}
	return nil
}

// selectorScan walks through a selector, character by character.
type selectorScan struct {
	text string
	at   int
}

// maxSelectorDepth bounds :is(:is(:is(…))).
const maxSelectorDepth = 8

func (s *selectorScan) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *selectorScan) unexpected() error {
	if s.at >= len(s.text) {
		return errors.New("it ends too early")
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.at:])
	return fmt.Errorf("unexpected %q at character %d", r, utf8.RuneCountInString(s.text[:s.at])+1)
}

func (s *selectorScan) space() {
	for strings.IndexByte(" \t\n\r\f", s.peek()) >= 0 && s.at < len(s.text) {
		s.at++
	}
}

// list reads selectors with commas between them. Relative ones, in :has(),
// begin with a combinator.
func (s *selectorScan) list(depth int, relative bool) error {
	if depth > maxSelectorDepth {
		return errors.New("nested too deep")
	}
	for {
		s.space()
		if relative && strings.IndexByte(">+~", s.peek()) >= 0 {
			s.at++
		}
		if err := s.complex(depth); err != nil {
			return err
		}
		if s.peek() != ',' {
			return nil
		}
		s.at++
	}
}

// complex reads compounds with combinators between them.
func (s *selectorScan) complex(depth int) error {
	for {
		s.space()
		if err := s.compound(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case 0, ',', ')':
			return nil
		case '>', '+', '~':
			s.at++
		}
	}
}

// compound reads what describes one element: div#id.class[attribute]:pseudo.
func (s *selectorScan) compound(depth int) error {
	begin := s.at
	if s.peek() == '*' {
		s.at++
	} else {
		s.name()
	}
	for {
		mark := s.peek()
		var err error
		switch mark {
		case '#', '.':
			s.at++
			if !s.name() {
				err = s.unexpected()
			}
		case '[':
			err = s.attribute()
		case ':':
			err = s.pseudo(depth)
		default:
			if s.at == begin {
				return s.unexpected()
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// name reads a CSS identifier.
func (s *selectorScan) name() bool {
	begin := s.at
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '\\' && s.at+1 < len(s.text):
			s.escape()
			continue
		case isNameByte(c) || c >= utf8.RuneSelf:
			s.at++
			continue
		}
		break
	}
	if digits := strings.TrimPrefix(s.text[begin:s.at], "-"); digits == "" || digits[0] >= '0' && digits[0] <= '9' {
		s.at = begin
	}
	return s.at > begin
}

// escape reads a character behind a backslash, or its number in up to six
// hexadecimal digits, which a space may end.
func (s *selectorScan) escape() {
	s.at++
	digits := 0
	for digits < 6 && s.peek() != 0 && strings.IndexByte("0123456789abcdefABCDEF", s.peek()) >= 0 {
		s.at++
		digits++
	}
	if digits == 0 || s.peek() == ' ' {
		s.at++
	}
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// attribute reads [name], [name=value] and [name="value" i].
func (s *selectorScan) attribute() error {
	s.at++ // [
	s.space()
	if !s.name() {
		return s.unexpected()
	}
	s.space()
	if s.peek() == ']' {
		s.at++
		return nil
	}
	if strings.IndexByte("~|^$*", s.peek()) >= 0 && s.peek() != 0 {
		s.at++
	}
	if s.peek() != '=' {
		return s.unexpected()
	}
	s.at++
	s.space()
	if quote := s.peek(); quote == '"' || quote == '\'' {
		if !s.quoted(quote) {
			return errors.New("a quotation mark is not closed")
		}
	} else if !s.name() {
		return fmt.Errorf("%w: a value that is no name stands in quotation marks", s.unexpected())
	}
	s.space()
	if strings.IndexByte("iIsS", s.peek()) >= 0 && s.peek() != 0 {
		s.at++
		s.space()
	}
	if s.peek() != ']' {
		return s.unexpected()
	}
	s.at++
	return nil
}

func (s *selectorScan) quoted(quote byte) bool {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case quote:
			s.at++
			return true
		}
	}
	return false
}

// pseudo reads a pseudo-class. Those that take selectors are read on, of others
// the parentheses have to close.
func (s *selectorScan) pseudo(depth int) error {
	s.at++ // :
	if s.peek() == ':' {
		return errors.New("a pseudo-element is no element")
	}
	begin := s.at
	if !s.name() {
		return s.unexpected()
	}
	class := strings.ToLower(s.text[begin:s.at])
	if s.peek() != '(' {
		return nil
	}
	s.at++
	switch class {
	case "is", "where", "not", "has":
		if err := s.list(depth+1, class == "has"); err != nil {
			return err
		}
	default:
		s.arguments()
	}
	if s.peek() != ')' {
		return errors.New("a parenthesis is not closed")
	}
	s.at++
	return nil
}

// arguments skips to the parenthesis that closes.
func (s *selectorScan) arguments() {
	for open := 0; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case '"', '\'':
			if !s.quoted(c) {
				return
			}
			s.at--
		case '(':
			open++
		case ')':
			if open == 0 {
				return
			}
			open--
		}
	}
}
