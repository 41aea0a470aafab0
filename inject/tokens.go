package inject

import "strings"

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
	if strings.HasPrefix("head", name) || strings.HasPrefix("html", name) {
		return true
	}
	return s.endTag && (strings.HasPrefix("body", name) || strings.HasPrefix("br", name))
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

func (s *scanner) fold(c byte) byte {
	if s.xml {
		return c
	}
	return lower(c)
}
