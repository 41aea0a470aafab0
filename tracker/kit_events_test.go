package tracker

import "strings"

// only are the events with a label of their own.
func only(events []Event, label string) (out []Event) {
	for _, e := range events {
		if string(e.Properties) == `{"label":"`+label+`"}` {
			out = append(out, e)
		}
	}
	return out
}

// ofDefinition are those of one definition.
func ofDefinition(events []Event, definition string) (out []Event) {
	for _, e := range events {
		if e.DefinitionID == definition {
			out = append(out, e)
		}
	}
	return out
}

// kindsOf are the definitions of all but some.
func kindsOf(events []Event, without ...string) (out []string) {
	for _, e := range events {
		if !strings.Contains(strings.Join(without, " "), e.DefinitionID) {
			out = append(out, e.DefinitionID)
		}
	}
	return out
}
