package schema

import (
	"fmt"
	"slices"
)

// Shape is what a definition says of the values stored by it: the names and
// types of an event's properties, or the type of a custom attribute. Titles
// may change freely and are no part of it.
type Shape struct {
	Event  bool   // else an attribute
	Name   string // the event's id, or the attribute's name
	Type   Type   // of an attribute
	Fields []Field
}

// Key is the name under which a shape is remembered: ids of events are exact,
// names of attributes are compared without regard to case.
func (s Shape) Key() string {
	if s.Event {
		return s.Name
	}
	return foldName(s.Name)
}

// String names the shape in a reason.
func (s Shape) String() string {
	if s.Event {
		return "event " + quoted(s.Name)
	}
	return "attribute " + quoted(s.Name)
}

// Shapes are those of all definitions, events first, each in the order in
// which they were defined. They are the schema's own and not to be changed.
func (s *Schema) Shapes() []Shape {
	shapes := make([]Shape, 0, len(s.definitions)+len(s.custom))
	for _, def := range s.definitions {
		shapes = append(shapes, Shape{Event: true, Name: def.ID, Fields: def.Fields})
	}
	for _, attr := range s.custom {
		shapes = append(shapes, Shape{Name: attr.Name, Type: attr.Type, Fields: attr.Fields})
	}
	return shapes
}

// Extend is the shape of everything that was ever stored by one definition:
// what was there before, and behind it what s adds. What s leaves out stays in
// it, because it is still in the store and may come back. The error says what
// of s contradicts what was there; its text is for the operator.
func (s Shape) Extend(before Shape) (Shape, error) {
	switch {
	case s.Name != before.Name:
		return before, fmt.Errorf("%s was called %s before, and values are stored under that name", s, quoted(before.Name))
	case s.Type != before.Type:
		return before, fmt.Errorf("%s: what is stored is of type %s and cannot become %s", s, before.Type, s.Type)
	}
	all := before
	var err error
	if all.Fields, err = extendFields(s.Fields, before.Fields, ""); err != nil {
		return before, fmt.Errorf("%s: %w", s, err)
	}
	// What was left out counts as well: together they are one definition.
	if _, err := all.schema(); err != nil {
		return before, fmt.Errorf("%w (what was defined before is counted)", err)
	}
	return all, nil
}

func extendFields(now, before []Field, path string) ([]Field, error) {
	all := slices.Clone(before)
	for _, f := range now {
		at := slices.IndexFunc(before, func(b Field) bool { return foldName(b.Name) == foldName(f.Name) })
		if at < 0 {
			all = append(all, f)
			continue
		}
		b, name := before[at], clip(path+f.Name)
		switch {
		case b.Name != f.Name:
			return nil, fmt.Errorf("property %q was called %q before", name, clip(path+b.Name))
		case b.Type != f.Type:
			return nil, fmt.Errorf("property %q: what is stored is of type %s and cannot become %s", name, b.Type, f.Type)
		}
		fields, err := extendFields(f.Fields, b.Fields, path+f.Name+".")
		if err != nil {
			return nil, err
		}
		all[at].Fields = fields
	}
	return all, nil
}

// schema holds the shape alone, and judges it on the way.
func (s Shape) schema() (*Schema, error) {
	if s.Event {
		return New([]Definition{{ID: s.Name, Title: s.Name, Fields: s.Fields}}, nil, Options{})
	}
	return New(nil, []Attribute{{Name: s.Name, Type: s.Type, Fields: s.Fields}}, Options{})
}

// Equal says whether both are the same, in the same order.
func (s Shape) Equal(other Shape) bool {
	return s.Event == other.Event && s.Name == other.Name && s.Type == other.Type && equalFields(s.Fields, other.Fields)
}

func equalFields(a, b []Field) bool {
	return slices.EqualFunc(a, b, func(x, y Field) bool {
		return x.Name == y.Name && x.Type == y.Type && equalFields(x.Fields, y.Fields)
	})
}

// With is s with the definitions of some shapes put in the place of its own.
func (s *Schema) With(shapes []Shape) (*Schema, error) {
	defs, attrs := slices.Clone(s.definitions), slices.Clone(s.custom)
	for _, shape := range shapes {
		for i := range defs {
			if shape.Event && defs[i].ID == shape.Name {
				defs[i].Fields = shape.Fields
			}
		}
		for i := range attrs {
			if !shape.Event && foldName(attrs[i].Name) == shape.Key() {
				attrs[i] = Attribute{Name: shape.Name, Type: shape.Type, Fields: shape.Fields}
			}
		}
	}
	return New(defs, attrs, Options{Strict: s.strict})
}
