// Package schema knows which events, person properties and custom attributes
// exist and judges what a page sends against them. It does no I/O and keeps no
// state but the definitions it was made from, so a Schema is safe for
// concurrent use.
package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Type is the type of an event property or a custom attribute, in the word
// the Caddyfile uses for it.
type Type string

// The types. Event properties are of type string, boolean, datetime, numeric,
// decimal or list; custom attributes of type string, decimal, integer,
// boolean, date, datetime or list. The items of a list have the same types but
// list.
const (
	TypeString   Type = "string"
	TypeBoolean  Type = "boolean"
	TypeNumeric  Type = "numeric"
	TypeInteger  Type = "integer"
	TypeDecimal  Type = "decimal"
	TypeDate     Type = "date"
	TypeDateTime Type = "datetime"
	TypeList     Type = "list"
)

// The ids of the standard events (B29). The server records them; a page may
// not track them.
const (
	EventPageView       = "pageView"
	EventSessionStarted = "sessionStarted"
	EventSessionEnded   = "sessionEnded"
	EventPersonMerged   = "personMerged"
)

var standardTitles = map[string]string{
	EventPageView:       "Page view",
	EventSessionStarted: "Session started",
	EventSessionEnded:   "Session ended",
	EventPersonMerged:   "Person merged",
}

// Field is one property of an event or of a list item.
type Field struct {
	Name   string
	Type   Type
	Fields []Field // of an item, when Type is TypeList
}

// Definition declares a custom event.
type Definition struct {
	ID          string
	Title       string
	Description string
	Fields      []Field
}

// Attribute declares a custom attribute of persons.
type Attribute struct {
	Name   string
	Type   Type
	Fields []Field // of an item, when Type is TypeList
}

// Options of a Schema.
type Options struct {
	// Strict refuses every event that is not defined, even when none is
	// (strict_events on, the default of the Caddyfile). Without it, and with no
	// event defined at all, any well-formed event is taken (B22).
	Strict bool
}

// Warning is something that was left out of an otherwise accepted update.
type Warning struct {
	Code    string
	Message string
}

// The codes of warnings.
const (
	WarnIgnoredProperty    = "ignored_property"    // the property is none that a page may update
	WarnUndefinedAttribute = "undefined_attribute" // the custom attribute is not defined
)

// Schema holds the definitions of one account.
type Schema struct {
	strict     bool
	events     map[string]event
	attributes map[string]attribute // by foldName of their name
	// What it was made from, in the order of definition.
	definitions []Definition
	custom      []Attribute
}

// event is a Definition ready for lookups.
type event struct {
	title      string
	properties *objectRule
}

// attribute is an Attribute ready for lookups.
type attribute struct {
	Attribute
	items *objectRule // of a list
}

// Title is the display name of an event, the id itself when it is not defined.
func (s *Schema) Title(definitionID string) string {
	if title, ok := standardTitles[definitionID]; ok {
		return title
	}
	if def, ok := s.events[definitionID]; ok {
		return def.title
	}
	return definitionID
}

// Attribute finds a custom attribute by its name in any case. The result's
// Name is the one to store values under.
func (s *Schema) Attribute(name string) (Attribute, bool) {
	attr, ok := s.attributes[foldName(name)]
	return attr.Attribute, ok
}

// CheckListItem judges an appendToList call (B24) and returns the item as a
// compact JSON object in the order given. The attribute's name is taken in any
// case; Attribute tells the one to store under. The error's text is the reason
// for the SDK's message and names the first property at fault.
func (s *Schema) CheckListItem(attributeName string, value json.RawMessage) (canonical []byte, err error) {
	attr, err := s.listAttribute(attributeName)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, errors.New("the item is missing")
	}
	if len(value) > maxPersonBytes {
		return nil, errItemTooLarge
	}
	dec := newDecoder(value)
	canonical, err = appendObject(make([]byte, 0, len(value)), dec, attr.items)
	if err == nil {
		err = atEnd(dec)
	}
	if err != nil {
		return nil, rooted(err, "the item")
	}
	// The platform measures a list by its JSON text; so do we each item.
	if longerThan(canonical, maxAttributeChars) {
		return nil, errItemTooLarge
	}
	return canonical, nil
}

func (s *Schema) listAttribute(name string) (attribute, error) {
	attr, ok := s.attributes[foldName(name)]
	if !ok {
		return attribute{}, fmt.Errorf("custom attribute %s is not defined", quoted(name))
	}
	if attr.Type != TypeList {
		return attribute{}, fmt.Errorf("custom attribute %s is of type %s, not list", quoted(attr.Name), attr.Type)
	}
	return attr, nil
}

func standardEvent(id string) bool {
	// In any case: an event shown as "PageView" beside the real page view would mislead.
	for standard := range standardTitles {
		if strings.EqualFold(id, standard) {
			return true
		}
	}
	return false
}
