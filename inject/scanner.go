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
		if skippable[s.state] {
			if i += s.skip(chunk[i:]); i == len(chunk) {
				break
			}
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

// skippable are the states of which skip knows something.
var skippable = [...]bool{stComment: true, stBogus: true, stQuoted: true, stRaw: true, stData: true, stRawDouble: false}

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
	case stData:
		if !s.headEnded {
			return 0
		}
		stop = '<'
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
