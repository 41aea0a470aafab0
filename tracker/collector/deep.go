package collector

// cutDeep takes out of body, which need not be valid JSON, the params of calls
// that are nested deeper than most: an empty object is left in their place. It
// returns the places of those calls in their list. One call that a page made
// of something endless is refused alone this way, and those that share its
// batch are not lost with it.
//
// What is cut is skipped byte by byte and never decoded, so that its depth
// costs no stack.
func cutDeep(body []byte, most int) (cut []int) {
	var list, member []byte // the last names at the top, and in the element of a list
	depth, deepest, start, element := 0, 0, 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			end := endOfString(body, i)
			switch depth {
			case topDepth:
				list = body[i+1 : end]
			case callDepth:
				member = body[i+1 : end]
			}
			i = end
		case ',':
			if depth == listDepth {
				element++
			}
		case '{', '[':
			depth++
			switch depth {
			case listDepth:
				element = 0
			case paramsDepth:
				start, deepest = i, depth
			}
			deepest = max(deepest, depth)
		case '}', ']':
			if depth == paramsDepth && deepest > most && string(list) == "calls" && string(member) == "params" {
				blank(body[start : i+1])
				cut = append(cut, element)
			}
			depth--
		}
	}
	return cut
}

// How deep things of a request stand.
const (
	topDepth    = 1 // { "calls":
	listDepth   = 2 // [
	callDepth   = 3 // { "params":
	paramsDepth = 4 // { … } } ] }
)

// blank leaves an empty object.
func blank(object []byte) {
	for i := range object {
		object[i] = ' '
	}
	object[0], object[len(object)-1] = '{', '}'
}
