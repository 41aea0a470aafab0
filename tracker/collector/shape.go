package collector

// What is asked of the bytes of a request beyond its Go types. Both functions
// walk over JSON without decoding it and never allocate.

// maxDepth bounds the nesting of a body. The deepest honest call, an item of a
// list attribute, is at eight; the decoder and whatever reads the params later
// recurse, so that depth is stack.
const maxDepth = 32

// tooDeep says whether arrays and objects of body, which need not be valid
// JSON, are nested deeper than most.
func tooDeep(body []byte, most int) bool {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = endOfString(body, i)
		case '{', '[':
			if depth++; depth > most {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// hasOnly says whether the members of object, valid JSON, are among allowed.
// A name written with escapes is none of them: nobody honest writes it.
func hasOnly(object []byte, allowed []string) bool {
	depth, expectsName := 0, false
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '"':
			end := endOfString(object, i)
			if depth == 1 && expectsName && !contains(allowed, object[i+1:end]) {
				return false
			}
			expectsName = false
			i = end
		case '{', '[':
			depth++
			expectsName = depth == 1
		case '}', ']':
			depth--
		case ',':
			expectsName = depth == 1
		}
	}
	return true
}

// endOfString returns the index of the quote that ends the string begun at
// start, or the length of b.
func endOfString(b []byte, start int) int {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(b)
}

func contains(words []string, b []byte) bool {
	for _, word := range words {
		if word == string(b) {
			return true
		}
	}
	return false
}
