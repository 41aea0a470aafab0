// Package schema knows which events, person properties and custom attributes
// exist and judges what a page sends against them. It does no I/O and keeps no
// state but the definitions it was made from, so a Schema is safe for
// concurrent use.
package schema

import "encoding/json"

// Type is the type of an event property or a custom attribute, in the word
// the Caddyfile uses for it.
type Type string

// The types. Event properties are of type string, boolean, datetime, numeric,
// decimal or list; custom attributes of type string, decimal, integer,
// boolean, date, datetime or list.
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

// PersonUpdate is a checked updatePerson call (B23). What is absent is kept.
type PersonUpdate struct {
	// Set holds new values of scalar properties under the specification's
	// names, each a canonical JSON string.
	Set map[string]json.RawMessage
	// Clear names scalar properties given as null or as an empty string.
	Clear []string

	Tags      []string // to append, without duplicates
	ClearTags bool

	Emails      []string // to append, trimmed, without duplicates by EmailKey
	Phones      []string // to append, digits, without duplicates
	ClearEmails bool
	ClearPhones bool

	// Attributes holds new values of custom attributes, canonical JSON by the
	// name they were defined under.
	Attributes      map[string]json.RawMessage
	ClearAttributes []string // by the name they were defined under
}

// Schema holds the definitions of one account.
type Schema struct {
	opts Options
}

// New checks the definitions against the platform's limits. The error names
// the first definition, attribute or field at fault.
func New(defs []Definition, attrs []Attribute, opts Options) (*Schema, error) {
	return &Schema{opts: opts}, nil
}

// Title is the display name of an event, the id itself when it is not defined.
func (s *Schema) Title(definitionID string) string { return definitionID }

// Attribute finds a custom attribute by its name in any case.
func (s *Schema) Attribute(name string) (Attribute, bool) { return Attribute{}, false }

// CheckEvent judges a track call (B22) and returns its properties as a compact
// JSON object in the order given, nil when they were omitted. The error's text
// is the reason for the SDK's message and names the first property at fault.
func (s *Schema) CheckEvent(eventID string, properties json.RawMessage) (canonical []byte, err error) {
	return nil, nil
}

// ParsePerson judges an updatePerson call (B23). The error's text is the
// reason for the SDK's message and names the first property at fault.
func (s *Schema) ParsePerson(dto json.RawMessage) (*PersonUpdate, []Warning, error) {
	return &PersonUpdate{}, nil, nil
}

// CheckListItem judges an appendToList call (B24) and returns the item as a
// compact JSON object in the order given.
func (s *Schema) CheckListItem(attribute string, value json.RawMessage) (canonical []byte, err error) {
	return nil, nil
}

// EmailKey is the form in which e-mail addresses are compared and indexed.
func EmailKey(address string) string { return address }

// PhoneKey is the form in which phone numbers are compared and indexed: their digits.
func PhoneKey(number string) string { return number }
