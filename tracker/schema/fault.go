package schema

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNameInMessage bounds how much of a name made up by a page reaches a
// message: names can be as long as the request.
const maxNameInMessage = 64

// fault is what is wrong with one property. It names the property and never
// repeats its value, which may be somebody's data.
type fault struct {
	path   string // "" is the whole value
	reason string // continues the sentence, "must be …"
}

func (f *fault) Error() string {
	if f.path == "" {
		return "the value " + f.reason
	}
	return "property " + strconv.Quote(f.path) + " " + f.reason
}

func faultf(format string, args ...any) error {
	return &fault{reason: fmt.Sprintf(format, args...)}
}

// within says that err arose inside the member or element called step, which
// is a name or an index in brackets.
func within(err error, step string) error {
	if err == nil {
		return nil
	}
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	if step == "" { // JSON allows it as a name
		step = `""`
	}
	switch {
	case f.path == "":
		f.path = clip(step)
	case f.path[0] == '[':
		f.path = clip(step) + f.path
	default:
		f.path = clip(step) + "." + f.path
	}
	return f
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

// rooted gives a fault of the whole value its subject.
func rooted(err error, subject string) error {
	var f *fault
	if errors.As(err, &f) && f.path == "" {
		return errors.New(subject + " " + f.reason)
	}
	return err
}

// quoted makes a name safe to show: bounded, with everything unprintable escaped.
func quoted(name string) string { return strconv.Quote(clip(name)) }

func clip(name string) string {
	if len(name) <= maxNameInMessage {
		return name
	}
	cut := maxNameInMessage
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "…"
}

// syntaxError turns an error of the decoder into a reason. The decoder's own
// text may quote the input.
func syntaxError(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("property %s is given twice", quoted(pointerPath(syntax.JSONPointer)))
	}
	return errors.New("not valid JSON")
}

// pointerPath writes a JSON pointer the way faults write paths.
func pointerPath(ptr jsontext.Pointer) string {
	var path strings.Builder
	for token := range ptr.Tokens() {
		if _, err := strconv.Atoi(token); err == nil && path.Len() > 0 {
			path.WriteString("[" + token + "]")
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(clip(token))
	}
	return path.String()
}

// atEnd refuses anything after the value.
func atEnd(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("not valid JSON")
	}
	return nil
}
