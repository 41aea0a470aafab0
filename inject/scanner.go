package inject

import "bytes"

// prescanLimit is how far browsers look for <meta charset> before they settle
// on an encoding, in bytes from the start of the page.
const prescanLimit = 1024

// scanner finds the place for the script (rules 10 to 13). It plays the
// tokenizer and the first three insertion modes of the HTML standard's tree
// builder ("initial", "before html", "before head"): the place is right after
// <head …>, or before the first token that would make the browser imply one.
//
// It is fed chunks of any size and keeps no byte of them, except the
// attributes of a <meta> while the encoding is open (rule 11).
type scanner struct {
	state    state
	quote    byte // of the attribute value being read
	pos      int  // offset in the page of the byte being read
	base     int  // offset in the page of the chunk being read
	tagStart int  // offset of the '<' of the tag being read

	name    [10]byte // of the tag or attribute being read, lower case; cut when longer
	nameLen int
	endTag  bool
	tag     tagKind // of the start tag whose attributes are being read
	xml     bool    // XHTML: names are case-sensitive and nothing is implied

	verdict verdict
	reason  Outcome // of verdictNever
	point   int     // offset in the page of the place, once known

	lookahead
}

type verdict uint8

const (
	verdictOpen   verdict = iota // go on reading
	verdictInsert                // the script goes to scanner.point
	verdictNever                 // the page stays as it is, for scanner.reason
)

type state uint8

const (
	stStart   state = iota // the first byte of the page
	stBOM2                 // after EF
	stBOM3                 // after EF BB
	stFE                   // after FE: UTF-16 big-endian if FF follows
	stFF                   // after FF: UTF-16 little-endian if FE follows
	stNUL                  // after 00: UTF-16 without a mark if '<' follows
	stData                 // between tags
	stLt                   // after <
	stLtSlash              // after </
	stName                 // in a tag's name
	stSpace                // before an attribute's name
	stAttr                 // in an attribute's name
	stAfterAttr
	stEquals // before an attribute's value
	stQuoted
	stUnquoted
	stBang     // after <!
	stBangDash // after <!-
	stComment0 // after <!--
	stComment1 // after <!---
	stComment
	stCommentDash
	stCommentEnd  // after --
	stCommentBang // after --!
	stBogus       // <!doctype, <?, </3 and the like: until >
	stRaw         // text of an element without markup, see lookahead.go
	stRawLt
	stRawSlash
	stRawBang
	stRawBangDash
	stRawDouble
)

type tagKind uint8

const (
	tagOther tagKind = iota
	tagHTML
	tagHead
	tagMeta
)

// init prepares for a page. charsetKnown says that the encoding stands in the
// Content-Type; snippetLen is how far the script would push what follows.
func (s *scanner) init(charsetKnown, xml bool, snippetLen int) {
	*s = scanner{xml: xml}
	s.charsetKnown = charsetKnown || xml
	s.snippetLen = snippetLen
}

// next reads the next chunk. Offset cut is relative to the chunk and may be
// negative, reaching into bytes held back from earlier chunks. While not done,
// everything before cut may be sent, the rest must be held: at most 7 bytes,
// or 1,024 while the encoding is open. When done, s.verdict says what is to
// happen, at cut.
func (s *scanner) next(chunk []byte) (cut int, done bool) {
	for i := 0; i < len(chunk); {
		if s.looking && s.base+i >= prescanLimit {
			s.verdict = verdictInsert
			return s.point - s.base, true
		}
		if i += s.skip(chunk[i:]); i == len(chunk) {
			break
		}
		s.pos = s.base + i
		if s.step(chunk[i]) {
			i++
		}
		if s.verdict != verdictOpen {
			return s.point - s.base, true
		}
	}
	base := s.base
	s.base += len(chunk)
	if s.looking && s.base >= prescanLimit {
		s.verdict = verdictInsert
		return s.point - base, true
	}
	return s.releasable() - base, false
}

// end says that the page is over and settles the verdict. Offset cut is
// relative to the end, zero or negative.
func (s *scanner) end() (cut int) {
	switch {
	case s.verdict != verdictOpen:
	case s.base == 0:
		s.never(SkippedEmpty)
	case s.looking:
		s.verdict = verdictInsert
	default:
		switch s.state {
		case stBOM2, stBOM3, stFE, stFF, stNUL:
			s.imply(0)
		case stData:
			s.imply(s.base)
		case stLt, stLtSlash: // text by the standard
			s.imply(s.tagStart)
		default:
			s.never(SkippedUnfinished)
		}
		if s.looking {
			s.verdict = verdictInsert
		}
	}
	return s.point - s.base
}

// releasable returns the offset in the page up to which bytes may be sent.
func (s *scanner) releasable() int {
	if s.looking {
		return s.point
	}
	switch s.state {
	case stStart, stBOM2, stBOM3, stFE, stFF, stNUL:
		return 0
	case stLt, stLtSlash:
		return s.tagStart
	case stName:
		if s.nameOpen() {
			return s.tagStart
		}
	}
	return s.base
}

// skip returns how many bytes at the start of p change nothing.
func (s *scanner) skip(p []byte) int {
	var stop byte
	switch s.state {
	case stComment:
		stop = '-'
	case stBogus:
		if s.xml {
			return 0
		}
		stop = '>'
	case stQuoted:
		if s.capturing {
			return 0
		}
		stop = s.quote
	case stRaw:
		return s.skipRaw(p)
	default:
		return 0
	}
	if n := bytes.IndexByte(p, stop); n >= 0 {
		return n
	}
	return len(p)
}

// step reads one byte. It returns false when the byte must be read again in
// the new state.
func (s *scanner) step(c byte) bool {
	switch {
	case s.state < stData:
		return s.stepStart(c)
	case s.state < stBang:
		return s.stepTag(c)
	case s.state < stRaw:
		return s.stepMarkup(c)
	default:
		return s.stepRaw(c)
	}
}

// stepStart reads the first bytes of the page: a byte order mark, or the two
// bytes that give UTF-16 without one away.
func (s *scanner) stepStart(c byte) bool {
	switch s.state {
	case stStart:
		switch c {
		case 0xEF:
			s.state = stBOM2
		case 0xFE:
			s.state = stFE
		case 0xFF:
			s.state = stFF
		case 0:
			s.state = stNUL
		default:
			s.state = stData
			return false
		}
		return true
	case stBOM2:
		if c == 0xBB {
			s.state = stBOM3
			return true
		}
	case stBOM3:
		if c == 0xBF {
			s.state = stData
			s.charsetKnown = true
			return true
		}
	case stFE, stFF, stNUL:
		if s.state == stFE && c == 0xFF || s.state == stFF && c == 0xFE || s.state == stNUL && c == '<' {
			s.never(SkippedCharset)
			return true
		}
	}
	s.state = stData
	s.imply(0)
	return false
}

// stepTag reads text between tags, tags and their attributes.
func (s *scanner) stepTag(c byte) bool {
	switch s.state {
	case stData:
		return s.stepData(c)
	case stLt:
		return s.stepLt(c)
	case stLtSlash:
		switch {
		case isLetter(c):
			s.startName(true)
			return false
		case c == '>':
			s.state = stData // no token at all
		default:
			s.state = stBogus
		}
	case stName:
		return s.stepName(c)
	default:
		return s.stepAttr(c)
	}
	return true
}

func (s *scanner) stepData(c byte) bool {
	switch {
	case c == '<':
		s.tagStart = s.pos
		s.state = stLt
	case isSpace(c):
	default:
		s.text(s.pos)
	}
	return true
}

func (s *scanner) stepLt(c byte) bool {
	switch {
	case isLetter(c):
		s.startName(false)
		return false
	case c == '/':
		s.state = stLtSlash
	case c == '!':
		s.state = stBang
	case c == '?':
		s.state = stBogus
	case c == 0 && s.tagStart == 0:
		s.never(SkippedCharset) // UTF-16 little-endian without a mark
	default:
		s.state = stData
		s.text(s.tagStart)
		return false
	}
	return true
}

func (s *scanner) startName(endTag bool) {
	s.state = stName
	s.endTag = endTag
	s.nameLen = 0
	s.tag = tagOther
}

// stepName reads the name of a tag. A start tag that can be neither <html> nor
// <head> implies the head at once, before its name is complete.
func (s *scanner) stepName(c byte) bool {
	if c == '>' || c == '/' || isSpace(c) {
		s.nameDone()
		s.state = stSpace
		return false
	}
	if s.nameLen < len(s.name) {
		s.name[s.nameLen] = s.fold(c)
	}
	s.nameLen++
	if !s.endTag && !s.looking && !s.nameOpen() {
		s.imply(s.tagStart)
	}
	return true
}

// nameOpen says whether the name so far can still become one that matters
// before the head.
func (s *scanner) nameOpen() bool {
	if s.nameLen > 4 {
		return false
	}
	name := string(s.name[:s.nameLen])
	if hasPrefix("head", name) || hasPrefix("html", name) {
		return true
	}
	return s.endTag && (hasPrefix("body", name) || hasPrefix("br", name))
}

// nameDone is called when a tag's name is complete.
func (s *scanner) nameDone() {
	switch {
	case s.looking:
		s.lookName()
	case s.endTag:
		switch string(s.tagName()) {
		case "head", "body", "html", "br":
			s.imply(s.tagStart)
		}
	default:
		switch string(s.tagName()) {
		case "html":
			s.tag = tagHTML
		case "head":
			s.tag = tagHead
		default:
			s.imply(s.tagStart)
		}
	}
}

// tagName returns the name read last; one that did not fit is cut and matches nothing.
func (s *scanner) tagName() []byte { return s.name[:min(s.nameLen, len(s.name))] }

// stepAttr reads attributes, of which only the quotes matter: a '>' between
// them does not end the tag.
func (s *scanner) stepAttr(c byte) bool {
	if s.capturing && c != '>' {
		s.meta = append(s.meta, c)
	}
	switch s.state {
	case stSpace:
		switch {
		case c == '>':
			s.tagDone()
		case c == '/' || isSpace(c):
			if c == '/' && s.xml && s.tag == tagHead {
				s.never(SkippedXML) // <head/> has no inside
			}
		default: // also '=', which then belongs to the name
			s.nameLen = 0
			s.attrByte(c)
			s.state = stAttr
		}
	case stAttr, stAfterAttr:
		return s.stepAttrName(c)
	case stEquals:
		switch {
		case isSpace(c):
		case c == '"' || c == '\'':
			s.quote = c
			s.state = stQuoted
		case c == '>':
			s.tagDone()
		default:
			s.state = stUnquoted
		}
	case stQuoted:
		if c == s.quote {
			s.state = stSpace
		} else if s.capturing && c == '>' {
			s.meta = append(s.meta, c)
		}
	case stUnquoted:
		switch {
		case isSpace(c):
			s.state = stSpace
		case c == '>':
			s.tagDone()
		}
	}
	return true
}

func (s *scanner) stepAttrName(c byte) bool {
	switch {
	case c == '>':
		s.attrDone()
		s.tagDone()
	case c == '/':
		s.attrDone()
		s.state = stSpace
		return !s.xml
	case c == '=':
		s.attrDone()
		s.state = stEquals
	case isSpace(c):
		s.attrDone()
		s.state = stAfterAttr
	case s.state == stAfterAttr:
		s.nameLen = 0
		s.attrByte(c)
		s.state = stAttr
	default:
		s.attrByte(c)
	}
	return true
}

func (s *scanner) attrByte(c byte) {
	if s.nameLen < len(s.name) {
		s.name[s.nameLen] = lower(c)
	}
	s.nameLen++
}

// attrDone skips AMP pages (rule 8), which <html amp> or <html ⚡> announces.
func (s *scanner) attrDone() {
	if s.tag != tagHTML || s.looking || s.nameLen > len(s.name) {
		return
	}
	switch string(s.name[:s.nameLen]) {
	case "amp", "amp4ads", "amp4email", "⚡", "⚡4ads", "⚡4email", "⚡\ufe0f":
		s.never(SkippedAMP)
	}
}

// tagDone is called at the '>' of a tag.
func (s *scanner) tagDone() {
	if s.verdict != verdictOpen {
		return
	}
	s.state = stData
	switch {
	case s.looking:
		s.lookTag()
	case s.tag == tagHead && !s.endTag:
		s.place(s.pos + 1)
	}
}

// stepMarkup reads comments, declarations and what browsers treat as such.
func (s *scanner) stepMarkup(c byte) bool {
	switch s.state {
	case stBang:
		if c == '-' {
			s.state = stBangDash
			return true
		}
		s.state = stBogus
		return false
	case stBangDash:
		if c == '-' {
			s.state = stComment0
			return true
		}
		s.state = stBogus
		return false
	case stBogus:
		if c == '>' {
			s.state = stData
		} else if c == '[' && s.xml {
			s.never(SkippedXML) // an internal subset may hold any markup
		}
		return true
	}
	s.stepComment(c)
	return true
}

func (s *scanner) stepComment(c byte) {
	switch {
	case c == '>' && (s.state == stCommentEnd || s.state == stCommentBang && !s.xml):
		s.state = stData
	case c == '>' && (s.state == stComment0 || s.state == stComment1) && !s.xml: // <!--> and <!--->
		s.state = stData
	case c == '-':
		switch s.state {
		case stComment0:
			s.state = stComment1
		case stComment, stCommentBang:
			s.state = stCommentDash
		default:
			s.state = stCommentEnd
		}
	case c == '!' && s.state == stCommentEnd:
		s.state = stCommentBang
	default:
		s.state = stComment
	}
}

// text is called for a character that is neither white nor markup.
func (s *scanner) text(at int) {
	if s.looking {
		s.endHead()
		return
	}
	s.imply(at)
}

// imply is called before a token that makes the browser imply a head.
func (s *scanner) imply(at int) {
	if s.xml {
		s.never(SkippedXML)
		return
	}
	s.place(at)
}

// place remembers the place and settles it, unless the encoding may still be
// declared behind it (rule 11).
func (s *scanner) place(at int) {
	s.point = at
	if s.charsetKnown && !s.wantXUA || at >= prescanLimit {
		s.verdict = verdictInsert
		return
	}
	s.looking = true
}

func (s *scanner) never(reason Outcome) {
	s.verdict = verdictNever
	s.reason = reason
	s.point = s.base
}

func (s *scanner) fold(c byte) byte {
	if s.xml {
		return c
	}
	return lower(c)
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// lower folds ASCII only: page bytes may be of any encoding.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
