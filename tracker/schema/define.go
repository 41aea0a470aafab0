package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of definitions, the platform's where it documents one.
const (
	maxEventIDChars       = 36
	maxTitleChars         = 100
	maxDescriptionChars   = 2000
	maxEventFields        = 120
	maxItemFields         = 128
	maxFieldNameChars     = 128
	maxAttributeNameChars = 256
	// maxAttributes has no counterpart on the platform. It bounds what one
	// updatePerson call can write.
	maxAttributes = 256
	// maxItemNamesBytes keeps the shape of a list within one value of the store.
	maxItemNamesBytes = 32 << 10
)

var (
	eventTypes     = []Type{TypeString, TypeBoolean, TypeDateTime, TypeNumeric, TypeDecimal, TypeList}
	attributeTypes = []Type{TypeString, TypeDecimal, TypeInteger, TypeBoolean, TypeDate, TypeDateTime, TypeList}
)

// New checks the definitions against the platform's limits. The error names
// the first event, attribute or field at fault.
func New(defs []Definition, attrs []Attribute, opts Options) (*Schema, error) {
	s := &Schema{
		strict:     opts.Strict,
		events:     make(map[string]event, len(defs)),
		attributes: make(map[string]attribute, len(attrs)),
	}
	for _, def := range defs {
		if err := s.defineEvent(def); err != nil {
			return nil, fmt.Errorf("event %s: %w", quoted(def.ID), err)
		}
	}
	if len(attrs) > maxAttributes {
		return nil, fmt.Errorf("%d custom attributes are defined, at most %d are possible", len(attrs), maxAttributes)
	}
	for _, attr := range attrs {
		if err := s.defineAttribute(attr); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", quoted(attr.Name), err)
		}
	}
	return s, nil
}

func (s *Schema) defineEvent(def Definition) error {
	if !validEventID(def.ID) {
		return errEventID
	}
	if standardEvent(def.ID) {
		return errors.New("the id belongs to a standard event")
	}
	if _, twice := s.events[def.ID]; twice {
		return errors.New("defined twice")
	}
	if strings.TrimSpace(def.Title) == "" {
		return errors.New("the title is missing")
	}
	if err := checkText(def.Title, maxTitleChars); err != nil {
		return fmt.Errorf("the title %w", err)
	}
	if err := checkText(def.Description, maxDescriptionChars); err != nil {
		return fmt.Errorf("the description %w", err)
	}
	if len(def.Fields) > maxEventFields {
		return fmt.Errorf("%d fields are defined, at most %d are possible", len(def.Fields), maxEventFields)
	}
	if err := atMostOneList(def.Fields); err != nil {
		return err
	}
	fields, err := compile(def.Fields, eventTypes, checkFieldName)
	if err != nil {
		return err
	}
	s.events[def.ID] = event{title: def.Title, properties: fields}
	s.definitions = append(s.definitions, def)
	return nil
}

func (s *Schema) defineAttribute(attr Attribute) error {
	if err := checkAttributeName(attr.Name); err != nil {
		return err
	}
	key := foldName(attr.Name)
	if other, twice := s.attributes[key]; twice {
		return fmt.Errorf("defined twice, as %s before; names are compared without regard to case", quoted(other.Name))
	}
	fields, err := compile([]Field{{Name: attr.Name, Type: attr.Type, Fields: attr.Fields}}, attributeTypes, checkAttributeName)
	if err != nil {
		return err
	}
	attr.Fields = slices.Clone(attr.Fields)
	if names := namesBytes(attr.Fields); names > maxItemNamesBytes {
		return fmt.Errorf("the names of its fields have %d bytes together, at most %d are possible", names, maxItemNamesBytes)
	}
	s.attributes[key] = attribute{Attribute: attr, items: fields.fields[attr.Name].items}
	s.custom = append(s.custom, attr)
	return nil
}

func namesBytes(fields []Field) (n int) {
	for _, f := range fields {
		n += len(f.Name)
	}
	return n
}

func atMostOneList(fields []Field) error {
	lists := 0
	for _, f := range fields {
		if f.Type == TypeList {
			lists++
		}
		if lists > 1 {
			return fmt.Errorf("field %s: an event has at most one list", quoted(f.Name))
		}
	}
	return nil
}

// compile checks fields of the given types and makes them ready for lookups.
func compile(fields []Field, types []Type, checkName func(string) error) (*objectRule, error) {
	rule := &objectRule{fields: make(map[string]field, len(fields))}
	folded := make(map[string]struct{}, len(fields))
	for _, f := range fields {
		if err := checkName(f.Name); err != nil {
			return nil, fmt.Errorf("field %s: %w", quoted(f.Name), err)
		}
		if _, twice := folded[foldName(f.Name)]; twice {
			return nil, fmt.Errorf("field %s: defined twice; names are compared without regard to case", quoted(f.Name))
		}
		folded[foldName(f.Name)] = struct{}{}
		items, err := compileItems(f, types, checkName)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", quoted(f.Name), err)
		}
		rule.fields[f.Name] = field{typ: f.Type, items: items}
	}
	return rule, nil
}

// compileItems checks a field's type and, of a list, what its items hold.
func compileItems(f Field, types []Type, checkName func(string) error) (*objectRule, error) {
	if !slices.Contains(types, f.Type) {
		return nil, fmt.Errorf("type %s is not possible here, use one of %s", quoted(string(f.Type)), join(types))
	}
	if f.Type != TypeList {
		if len(f.Fields) > 0 {
			return nil, fmt.Errorf("type %s has no fields of its own", f.Type)
		}
		return nil, nil
	}
	if n := len(f.Fields); n < 1 || n > maxItemFields {
		return nil, fmt.Errorf("a list has 1 to %d fields, not %d", maxItemFields, n)
	}
	scalars := slices.DeleteFunc(slices.Clone(types), func(t Type) bool { return t == TypeList })
	return compile(f.Fields, scalars, checkName)
}

var (
	errEventID   = fmt.Errorf("an event's id is 1 to %d letters and digits", maxEventIDChars)
	errFieldName = fmt.Errorf("a field's name is 1 to %d letters, digits and underscores, the first a lower-case letter or an underscore", maxFieldNameChars)
)

func validEventID(id string) bool {
	if id == "" || len(id) > maxEventIDChars {
		return false
	}
	for _, c := range []byte(id) {
		if !isLower(c) && !isUpper(c) && !isDigit(c) {
			return false
		}
	}
	return true
}

func checkFieldName(name string) error {
	if name == "" || len(name) > maxFieldNameChars || isUpper(name[0]) || isDigit(name[0]) {
		return errFieldName
	}
	for _, c := range []byte(name) {
		if !isLower(c) && !isUpper(c) && !isDigit(c) && c != '_' {
			return errFieldName
		}
	}
	return nil
}

// itemIDName is the member under which the platform shows an item's id.
const itemIDName = "__id"

func checkAttributeName(name string) error {
	if strings.TrimSpace(name) == "" {
		return errors.New("the name is empty")
	}
	if err := checkText(name, maxAttributeNameChars); err != nil {
		return fmt.Errorf("the name %w", err)
	}
	if strings.ContainsAny(name, "{}[]") {
		return errors.New("the name has one of { } [ ]")
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("the name has a control character")
	}
	if foldName(name) == itemIDName {
		return fmt.Errorf("the name %s is taken by the ids of list items", itemIDName)
	}
	return nil
}

// checkText refuses invalid UTF-8 and more than limit characters.
func checkText(s string, limit int) error {
	if !utf8.ValidString(s) {
		return errors.New("is not UTF-8")
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return fmt.Errorf("has %d characters, at most %d are possible", n, limit)
	}
	return nil
}

// foldName is the form in which names are compared where case does not matter.
func foldName(name string) string { return strings.ToLower(name) }

func join(types []Type) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = string(t)
	}
	return strings.Join(words, ", ")
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
