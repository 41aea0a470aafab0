// Package instrument knows the rules that record what visitors do without any
// code in the page: "on click of this, track that". It judges them against the
// definitions of events and attributes and compiles them to what the script in
// the browser carries out. It does no I/O. docs/instrumentation.md is the
// reference.
package instrument

import (
	"fmt"
	"slices"
	"strings"
)

// What a rule waits for, the values of Rule.On.
const (
	OnClick   = "click"
	OnSubmit  = "submit"
	OnVisible = "visible"
	OnScroll  = "scroll"
)

// What a rule does, the values of Rule.Call.
const (
	CallTrack        = "track"
	CallUpdatePerson = "update_person"
	CallAppendToList = "append_to_list"
)

// The words of rules.
var (
	triggers = []string{OnClick, OnSubmit, OnVisible, OnScroll}
	calls    = []string{CallTrack, CallUpdatePerson, CallAppendToList}
)

// Limits of a configuration. Every rule is looked at for every click.
const (
	maxRules    = 100
	maxSelector = 1000 // bytes
	maxLiteral  = 2048 // characters, as of what is read in the page
)

// Rule records something that visitors do.
type Rule struct {
	// What to wait for: a `click` on an element or in it, the `submit` of a
	// form, an element that becomes `visible`, half of it, or a `scroll` down
	// the page.
	On string `json:"on"`
	// The CSS selector of the element. Not for scroll.
	Selector string `json:"selector,omitempty"`
	// How much of the page has to be seen, in percent from 1 to 100. For scroll
	// only.
	Depth int `json:"depth,omitempty"`
	// What to do: `track`, `update_person` or `append_to_list`.
	Call string `json:"call"`
	// The event to track, or the attribute of type list to append to.
	Name string `json:"name,omitempty"`
	// The values to send. Those that the page does not have are left out.
	Properties []Property `json:"properties,omitempty"`
}

// Property is a value to send.
type Property struct {
	// A property of the event or of the list's items, or what of a person to
	// update: one of the thirteen properties, contactInformation.email,
	// contactInformation.phone or customAttributes.<name>.
	Name string `json:"name"`
	// A literal, or a placeholder in braces for what to read in the page.
	Value string `json:"value"`
}

// Fault is what is wrong with a rule.
type Fault struct {
	// Property is the index of the property at fault, -1 where it is the rule
	// itself.
	Property int
	Reason   error
}

func (f *Fault) Error() string { return f.Reason.Error() }

func (f *Fault) Unwrap() error { return f.Reason }

func faultf(format string, args ...any) *Fault {
	return &Fault{Property: -1, Reason: fmt.Errorf(format, args...)}
}

// String describes the rule for messages.
func (r Rule) String() string {
	where := fmt.Sprintf("%q", r.Selector)
	if r.On == OnScroll {
		where = fmt.Sprint(r.Depth)
	}
	return strings.TrimSpace(fmt.Sprintf("on %s %s %s %s", r.On, where, r.Call, r.Name))
}

// check judges everything but the properties.
func (r Rule) check() *Fault {
	if !slices.Contains(triggers, r.On) {
		return faultf("on %q: use %s", r.On, strings.Join(triggers, ", "))
	}
	if !slices.Contains(calls, r.Call) {
		return faultf("%q is nothing to do: use %s", r.Call, strings.Join(calls, ", "))
	}
	if (r.Name == "") != (r.Call == CallUpdatePerson) {
		return faultf("%s wants %s", r.Call, map[string]string{
			CallTrack: "the id of an event", CallAppendToList: "the name of an attribute", CallUpdatePerson: "no name",
		}[r.Call])
	}
	if r.On == OnScroll {
		if r.Depth < 1 || r.Depth > 100 || r.Selector != "" {
			return faultf("on scroll wants a depth from 1 to 100 percent, and no selector")
		}
		return nil
	}
	if r.Depth != 0 {
		return faultf("on %s has no depth", r.On)
	}
	if err := checkSelector(r.Selector); err != nil {
		return faultf("selector %q: %w", r.Selector, err)
	}
	return nil
}
