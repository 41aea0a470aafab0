package instrument

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// source is where in the page a value is read: the place and the names that
// the script's read function takes.
type source struct {
	place any // a selector, "" the element itself, or a number
	names []any
}

// The places that are no elements, as in sources.ts.
const (
	placeAddress = iota
	placeQuery
	placeData
)

// addressParts are the parts of the page's address by their names in it. The
// whole address and the whole query are none: they may hold what is secret.
var addressParts = map[string]string{"host": "host", "path": "pathname", "hash": "hash"}

// parseValue reads a value of the configuration: a literal, then the source is
// nil, or a placeholder. In literals a brace is written \{ or \}.
func parseValue(text string) (literal string, from *source, err error) {
	if !utf8.ValidString(text) {
		return "", nil, errors.New("not UTF-8")
	}
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") && closes(text) == len(text)-1 {
		from, err = parsePlaceholder(strings.TrimSpace(text[1 : len(text)-1]))
		return "", from, err
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) && (text[i+1] == '{' || text[i+1] == '}') {
			i++
			c = text[i]
		} else if c == '{' || c == '}' {
			return "", nil, fmt.Errorf(`%q: a placeholder stands alone, and a brace in a text is written \{`, text)
		}
		b.WriteByte(c)
	}
	if utf8.RuneCountInString(b.String()) > maxLiteral {
		return "", nil, fmt.Errorf("longer than %d characters", maxLiteral)
	}
	return b.String(), nil, nil
}

// closes finds the brace that closes the one at the beginning, -1 for none.
// Braces in quotation marks belong to a selector.
func closes(text string) int {
	s := selectorScan{text: text}
	for open := 0; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case '"', '\'':
			if !s.quoted(c) {
				return -1
			}
			s.at--
		case '\\':
			s.at++
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return s.at
			}
		}
	}
	return -1
}

// parsePlaceholder reads what stands between the braces.
func parsePlaceholder(text string) (*source, error) {
	switch {
	case text == "":
		return nil, errors.New("the placeholder is empty")
	case strings.HasPrefix(text, "http."):
		return nil, fmt.Errorf("{%s} is a placeholder of Caddy, which has another meaning: write the attribute of that name as {@name}", text)
	case text == "text":
		return &source{"", []any{nil}}, nil
	case strings.HasPrefix(text, "url."):
		return parseAddress(strings.TrimPrefix(text, "url."))
	case strings.HasPrefix(text, "jsonld."):
		return parseData(strings.TrimPrefix(text, "jsonld."))
	case elements[text]:
		return nil, fmt.Errorf("{%s} is the attribute of that name: write {%[1]s@text} or {%[1]s@value} for the element, {@%[1]s} for the attribute", text)
	case isAttribute(text) && !strings.Contains(text, ":"):
		return &source{"", []any{text}}, nil
	}
	selector, name, named := cutName(text)
	if named && !isAttribute(name) {
		return nil, fmt.Errorf("{%s}: behind @ stands the name of an attribute, text or value", text)
	}
	if selector != "" || !named {
		if err := checkSelector(selector); err != nil {
			return nil, fmt.Errorf("{%s}: %w", text, err)
		}
	}
	if name == "text" {
		return &source{selector, []any{nil}}, nil
	}
	return &source{selector, []any{name}}, nil
}

// elements are names that nobody means as an attribute, though they could be.
var elements = func() map[string]bool {
	names := make(map[string]bool)
	for name := range strings.FieldsSeq("a article aside b body button div em fieldset figcaption footer h1 h2 h3 h4 h5 h6 head header html " +
		"i img input legend li main meta nav ol option output p section select small strong table td textarea th time tr ul") {
		names[name] = true
	}
	return names
}()

func parseAddress(part string) (*source, error) {
	if name, ok := strings.CutPrefix(part, "query."); ok && name != "" {
		return &source{placeQuery, []any{name}}, nil
	}
	if name, ok := addressParts[part]; ok {
		return &source{placeAddress, []any{name}}, nil
	}
	return nil, fmt.Errorf("{url.%s}: use {url.host}, {url.path}, {url.hash} or {url.query.<name>}", part)
}

// parseData reads a path in JSON-LD. A first step with a capital letter is the
// type of the object that the path begins at, as schema.org writes its types.
func parseData(path string) (*source, error) {
	steps := strings.Split(path, ".")
	if len(path) > maxSelector || slices.Contains(steps, "") {
		return nil, fmt.Errorf("{jsonld.%s}: use {jsonld.<Type>.<property>}, with more properties behind further points", path)
	}
	names := []any{""}
	if steps[0][0] >= 'A' && steps[0][0] <= 'Z' {
		names[0], steps = steps[0], steps[1:]
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("{jsonld.%s}: a property has to follow the type", path)
	}
	for _, step := range steps {
		names = append(names, step)
	}
	return &source{placeData, names}, nil
}

// cutName cuts selector@name at the last @ outside of brackets and quotation
// marks.
func cutName(text string) (selector, name string, named bool) {
	s := selectorScan{text: text}
	cut, open := -1, 0
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case '"', '\'':
			if !s.quoted(c) {
				return text, "", false
			}
			s.at--
		case '\\':
			s.at++
		case '[', '(':
			open++
		case ']', ')':
			open--
		case '@':
			if open == 0 {
				cut = s.at
			}
		}
	}
	if cut < 0 {
		return text, "", false
	}
	return strings.TrimSpace(text[:cut]), strings.TrimSpace(text[cut+1:]), true
}

// isAttribute tells the name of an attribute from a selector: letters, digits,
// hyphens, underscores and, as in XML, colons. Behind no @ a colon begins a
// pseudo-class.
func isAttribute(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isNameByte(c) && c != ':' || i == 0 && (c == '-' || c == ':' || c >= '0' && c <= '9') {
			return false
		}
	}
	return text != "" && len(text) <= maxSelector
}
