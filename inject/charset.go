package inject

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

// knownCharset says whether a page of that encoding can take an ASCII script
// (rule 7): browsers know the label, and ASCII bytes mean ASCII characters
// wherever they stand. UTF-16 and ISO-2022-JP fail the second, UTF-7, UTF-32
// and misspelt labels the first.
func knownCharset(label string) bool {
	if isASCIISuperset(label) {
		return true
	}
	switch _, name := charset.Lookup(label); name {
	case "", "utf-16be", "utf-16le", "iso-2022-jp", "replacement":
		return false
	}
	return true
}

// isASCIISuperset knows the labels that nearly all pages have, without allocating.
func isASCIISuperset(label string) bool {
	return strings.EqualFold(label, "utf-8") || strings.EqualFold(label, "iso-8859-1") ||
		strings.EqualFold(label, "windows-1252")
}

// metaCharset returns the encoding that a <meta> declares, given its
// attributes as they stand in the page. Most are of one form; the others go
// through the reference tokenizer.
func metaCharset(attrs []byte) (label string, ok bool) {
	if !containsFold(attrs, "charset") {
		return "", false
	}
	if value, ok := bytes.CutPrefix(bytes.TrimSpace(attrs), []byte("charset=")); ok {
		switch string(value) {
		case `"utf-8"`, `"utf-8"/`, `"utf-8" /`, `"UTF-8"`, `"UTF-8"/`, `"UTF-8" /`, `'utf-8'`, "utf-8", "UTF-8":
			return "utf-8", true
		}
	}
	z := html.NewTokenizer(bytes.NewReader(append(append([]byte("<meta"), attrs...), '>')))
	z.Next()
	var pragma, needPragma bool
	_, more := z.TagName()
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "http-equiv":
			pragma = strings.EqualFold(string(value), "content-type")
		case "content":
			if label == "" {
				label = contentCharset(strings.ToLower(string(value)))
				needPragma = true
			}
		case "charset":
			label = strings.TrimSpace(string(value))
			needPragma = false
		}
	}
	return label, label != "" && (pragma || !needPragma)
}

// contentCharset extracts the encoding from the content attribute of
// <meta http-equiv=content-type>, as the HTML standard says.
func contentCharset(s string) string {
	const white = " \t\n\f\r"
	for {
		i := strings.Index(s, "charset")
		if i < 0 {
			return ""
		}
		s = strings.TrimLeft(s[i+len("charset"):], white)
		if s != "" && s[0] == '=' {
			break
		}
	}
	s = strings.TrimLeft(s[1:], white)
	if s == "" {
		return ""
	}
	if q := s[0]; q == '"' || q == '\'' {
		if i := strings.IndexByte(s[1:], q); i >= 0 {
			return s[1 : 1+i]
		}
		return ""
	}
	if i := strings.IndexAny(s, ";"+white); i >= 0 {
		s = s[:i]
	}
	return s
}
