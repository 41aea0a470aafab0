package inject

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

const testScript = `<script src="/_t/sdk.js?v=1a2b3c4d" data-key="auto"></script>`

// injectAll runs the scanner over the document in the given pieces, as the
// writer does, and returns the result, the place, and the largest hold.
func injectAll(pieces [][]byte, charsetKnown bool, script string) (out []byte, s *scanner, held int) {
	s = new(scanner)
	s.init(charsetKnown, false, len(script))
	var pend []byte
	for i, p := range pieces {
		cut, done := s.next(p)
		if done {
			rest := bytes.Join(pieces[i:], nil)
			return finishAt(out, append(pend, rest...), len(pend)+cut, s, script), s, held
		}
		pend = append(pend, p...)
		cut += len(pend) - len(p)
		out = append(out, pend[:cut]...)
		pend = bytes.Clone(pend[cut:])
		held = max(held, len(pend))
	}
	cut := s.end()
	return finishAt(out, pend, len(pend)+cut, s, script), s, held
}

func finishAt(out, rest []byte, cut int, s *scanner, script string) []byte {
	if s.verdict == verdictNever {
		return append(out, rest...)
	}
	out = append(out, rest[:cut]...)
	out = append(out, script...)
	return append(out, rest[cut:]...)
}

func injectWhole(doc string, charsetKnown bool) (string, *scanner) {
	out, s, _ := injectAll([][]byte{[]byte(doc)}, charsetKnown, testScript)
	return string(out), s
}

// oracle finds the place by the reference tokenizer: rule 10 in its own words.
// It returns -1 for documents that must stay as they are.
func oracle(doc []byte) int {
	body, bom := bytes.CutPrefix(doc, []byte("\ufeff"))
	start := len(doc) - len(body)
	if len(doc) == 0 {
		return -1
	}
	if !bom && (bytes.HasPrefix(doc, []byte("\xff\xfe")) || bytes.HasPrefix(doc, []byte("\xfe\xff")) ||
		bytes.HasPrefix(doc, []byte("<\x00")) || bytes.HasPrefix(doc, []byte("\x00<"))) {
		return -1
	}
	z := html.NewTokenizer(bytes.NewReader(body))
	at := start
	for {
		tt := z.Next()
		raw := z.Raw()
		switch tt {
		case html.ErrorToken:
			return unfinished(raw, at)
		case html.TextToken:
			if rest := bytes.TrimLeft(raw, " \t\n\f\r"); len(rest) > 0 {
				return at + len(raw) - len(rest)
			}
		case html.CommentToken, html.DoctypeToken:
			if !terminated(raw) {
				return -1
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			length := len(raw)
			name, more := z.TagName()
			switch string(name) {
			case "head":
				return at + length
			case "html":
				for more {
					var key []byte
					key, _, more = z.TagAttr()
					switch string(key) {
					case "amp", "amp4ads", "amp4email", "⚡", "⚡4ads", "⚡4email", "⚡\ufe0f":
						return -1
					}
				}
				at += length
				continue
			}
			return at
		case html.EndTagToken:
			length := len(raw)
			name, _ := z.TagName()
			switch string(name) {
			case "head", "body", "html", "br":
				return at
			}
			at += length
			continue
		}
		at += len(raw)
	}
}

// unfinished judges what stands at the end of a document inside a tag: start
// tags that imply the head do so as soon as they cannot be <html> or <head>.
func unfinished(raw []byte, at int) int {
	if len(raw) == 0 {
		return at
	}
	name, endTag := strings.CutPrefix(strings.ToLower(string(raw[1:])), "/")
	end := strings.IndexAny(name, " \t\n\f\r/>")
	if endTag {
		if end >= 0 && strings.Contains(" head body html br ", " "+name[:end]+" ") {
			return at
		}
		return -1
	}
	if end >= 0 {
		if name = name[:end]; name == "html" || name == "head" {
			return -1
		}
		return at
	}
	if strings.HasPrefix("html", name) || strings.HasPrefix("head", name) {
		return -1
	}
	return at
}

func terminated(raw []byte) bool {
	if bytes.HasPrefix(raw, []byte("<!--")) {
		return bytes.HasSuffix(raw, []byte("-->")) || bytes.HasSuffix(raw, []byte("--!>")) && len(raw) >= len("<!----!>")
	}
	return bytes.HasSuffix(raw, []byte(">"))
}
