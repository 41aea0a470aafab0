package inject

import "bytes"

// lookahead is the part of the scanner that goes on behind the place while the
// encoding is open (rule 11): neither Content-Type nor a byte order mark has
// named it, so browsers look for <meta charset> in the first 1,024 bytes, and
// the script must not push it out of their sight.
//
// Rule 11 lets the search end with the head. It goes on to byte 1,024 here,
// because browsers do so too: a <meta charset> that stands in the body by
// mistake counts for them.
type lookahead struct {
	charsetKnown bool
	snippetLen   int
	wantXUA      bool // seek <meta http-equiv=X-UA-Compatible> and go behind it
	looking      bool

	kind      lookKind // of the tag being read
	capturing bool     // the tag being read is a <meta>
	meta      []byte   // its attributes, as they stand in the page
	sawBase   bool     // a <base> stands before the byte being read
	headEnded bool     // what follows is no longer in the head
	templates int      // how many <template> are open

	raw    string // the element whose text is being read
	escape uint8  // script text: 1 inside <!--, 2 inside <script> inside <!--
	dashes int    // script text: how many '-' were read last
}

type lookKind uint8

const (
	lookNothing lookKind = iota
	lookMeta
	lookBase
	lookTemplate
	lookTemplateEnd
	lookRaw
	lookHeadEnd
)

// lookName is called when a tag's name is complete.
func (s *scanner) lookName() {
	s.kind = lookNothing
	name := string(s.tagName())
	if s.endTag {
		switch name {
		case "head", "body", "html", "br":
			s.kind = lookHeadEnd
		case "template":
			s.kind = lookTemplateEnd
		}
		return
	}
	switch name {
	case "meta":
		s.kind = lookMeta
		s.capturing = true
		s.meta = s.meta[:0]
	case "base":
		s.kind = lookBase
	case "template":
		s.kind = lookTemplate
	case "link", "basefont", "bgsound", "html", "head":
	case "script", "style", "title", "noscript", "noframes":
		s.kind, s.raw = lookRaw, rawNames[name]
	case "iframe", "noembed", "textarea", "xmp":
		s.kind, s.raw = lookRaw, rawNames[name]
		s.endHead()
	case "plaintext":
		s.kind, s.raw = lookRaw, "\x00" // nothing ends it
		s.endHead()
	default:
		s.kind = lookHeadEnd
	}
}

// rawNames holds the names of elements whose content is text, so that
// remembering one does not allocate.
var rawNames = map[string]string{
	"script": "script", "style": "style", "title": "title", "noscript": "noscript", "noframes": "noframes",
	"iframe": "iframe", "noembed": "noembed", "textarea": "textarea", "xmp": "xmp",
}

// lookTag is called at the '>' of a tag.
func (s *scanner) lookTag() {
	s.capturing = false
	switch s.kind {
	case lookMeta:
		s.lookMeta()
	case lookBase:
		s.sawBase = true
	case lookTemplate:
		s.templates++
	case lookTemplateEnd:
		s.templates = max(0, s.templates-1)
	case lookRaw:
		s.state = stRaw
		s.escape, s.dashes = 0, 0
	case lookHeadEnd:
		s.endHead()
	}
	s.kind = lookNothing
}

// endHead is called when what follows is no longer in the head.
func (s *scanner) endHead() {
	s.headEnded = true
	s.wantXUA = false
	s.settled()
}

// settled ends the search when nothing is sought any more.
func (s *scanner) settled() {
	if s.charsetKnown && !s.wantXUA && s.verdict == verdictOpen {
		s.verdict = verdictInsert
	}
}

func (s *scanner) lookMeta() {
	if s.wantXUA && containsFold(s.meta, "x-ua-compatible") {
		s.wantXUA = false
		if s.behindIsPlace() {
			s.point = s.pos + 1
		}
	}
	if !s.charsetKnown {
		s.lookCharset()
	}
	s.settled()
}

// behindIsPlace says whether a script may stand behind the tag just read: in
// the head, where it runs, and not under the rule of a <base>.
func (s *scanner) behindIsPlace() bool { return !s.sawBase && !s.headEnded && s.templates == 0 }

// lookCharset decides at the end of a <meta>: before the first thing in the
// head if the declaration stays within the first 1,024 bytes, else behind it,
// unless that is behind a <base> or outside the head (rule 12).
func (s *scanner) lookCharset() {
	label, ok := metaCharset(s.meta)
	if !ok {
		return
	}
	end := s.pos + 1
	switch {
	case !knownCharset(label):
		s.never(SkippedCharset)
	case end+s.snippetLen <= prescanLimit:
		s.charsetKnown = true
	case s.behindIsPlace():
		s.point = end
		s.charsetKnown = true
	default:
		s.never(SkippedCharsetPosition)
	}
}

// stepRaw reads text of an element that holds no markup, up to its end tag.
func (s *scanner) stepRaw(c byte) bool {
	switch s.state {
	case stRaw:
		s.stepRawText(c)
		return true
	case stRawLt:
		switch {
		case c == '/':
			s.state, s.nameLen = stRawSlash, 0
			return true
		case c == '!' && s.raw == "script" && s.escape == 0:
			s.state = stRawBang
			return true
		case isLetter(c) && s.escape == 1:
			s.state, s.nameLen = stRawDouble, 0
			return false
		}
	case stRawSlash:
		switch s.matchRaw(s.raw, c) {
		case matching:
			return true
		case matched:
			return s.endRaw()
		}
	case stRawBang:
		if c == '-' {
			s.state = stRawBangDash
			return true
		}
	case stRawBangDash:
		if c == '-' {
			s.state, s.escape, s.dashes = stRaw, 1, 2
			return true
		}
	case stRawDouble:
		switch s.matchRaw("script", c) {
		case matching:
			return true
		case matched:
			s.state, s.escape = stRaw, 2
			return true
		}
	}
	s.state = stRaw
	return false
}

// endRaw is called at the byte behind the name of the text's own end tag.
// Inside <script> inside <!-- that only leads one level out.
func (s *scanner) endRaw() bool {
	if s.escape == 2 {
		s.state, s.escape = stRaw, 1
		return true
	}
	s.startName(true)
	s.state, s.kind = stSpace, lookNothing
	return false
}

func (s *scanner) stepRawText(c byte) {
	switch {
	case c == '<':
		s.state, s.dashes = stRawLt, 0
	case s.escape == 0:
	case c == '-':
		s.dashes++
	default:
		if c == '>' && s.dashes >= 2 {
			s.escape = 0
		}
		s.dashes = 0
	}
}

type match uint8

const (
	mismatched match = iota
	matching
	matched // name and the byte that ends it
)

func (s *scanner) matchRaw(name string, c byte) match {
	switch {
	case s.nameLen < len(name):
		if lower(c) == name[s.nameLen] {
			s.nameLen++
			return matching
		}
	case c == '>' || c == '/' || isSpace(c):
		return matched
	}
	return mismatched
}

// skipRaw is skip for the text of elements without markup.
func (s *scanner) skipRaw(p []byte) int {
	if s.escape != 0 {
		return 0
	}
	if n := bytes.IndexByte(p, '<'); n >= 0 {
		return n
	}
	return len(p)
}
