package schema

import (
	"encoding/json"
	"errors"
	"fmt"
)

// maxEventBytes bounds the properties of one event, as sent and as stored (B22).
const maxEventBytes = 32 << 10

var errEventTooLarge = fmt.Errorf("the properties are larger than %d bytes", maxEventBytes)

// openEvent is the rule where no event is defined and none needs to be.
var openEvent = &objectRule{open: true}

// CheckEvent judges a track call (B22) and returns its properties as a compact
// JSON object in the order given, nil when they were omitted. The error's text
// is the reason for the SDK's message and names the first property at fault.
func (s *Schema) CheckEvent(eventID string, properties json.RawMessage) (canonical []byte, err error) {
	rule, err := s.eventRule(eventID)
	if err != nil {
		return nil, err
	}
	if len(properties) == 0 {
		return nil, nil
	}
	if len(properties) > maxEventBytes {
		return nil, errEventTooLarge
	}
	dec := newDecoder(properties)
	canonical, err = appendObject(make([]byte, 0, len(properties)), dec, rule)
	if err == nil {
		err = atEnd(dec)
	}
	if err != nil {
		return nil, rooted(err, "properties")
	}
	// One form for numbers and times can make them longer than they came: 1e18.
	if len(canonical) > maxEventBytes {
		return nil, errEventTooLarge
	}
	return canonical, nil
}

func (s *Schema) eventRule(eventID string) (*objectRule, error) {
	if def, ok := s.events[eventID]; ok {
		return def.properties, nil
	}
	switch {
	case eventID == "":
		return nil, errors.New("the event's id is missing")
	case standardEvent(eventID):
		return nil, fmt.Errorf("event %s is a standard event, which only the server records", quoted(eventID))
	case s.strict || len(s.events) > 0:
		return nil, fmt.Errorf("event %s is not defined", quoted(eventID))
	case !validEventID(eventID):
		return nil, errEventID
	}
	return openEvent, nil
}
